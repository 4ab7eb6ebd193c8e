// The form in which words are compared: Unicode's NFKC_Casefold (compatibility forms, case and invisible characters gone), and,
// if wanted, Latin letters without accents, so that "M\u00fcller" in the text is found by "muller". Thread-safe.
// Not the normal forms of tokenizers, which are pinned tables there.
#pragma once

#include <string>
#include <string_view>

namespace rag::core {

/// Replaces `out` by the folded form of `utf8`. Ill-formed bytes become U+FFFD.
void fold_text(std::string_view utf8, bool strip_latin_accents, std::string& out);

}  // namespace rag::core
