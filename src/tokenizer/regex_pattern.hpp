// Patterns of tokenizer files, which are written in Oniguruma's dialect (Ruby syntax), as PCRE2 is to see them: the same matches,
// with the classes of Hugging Face's Unicode version. Pure function.
#pragma once

#include <string>
#include <string_view>

namespace rag::core {

/// Throws kUnsupported, with the pattern, the feature and its offset, for what has no exact equal.
std::string pcre2_pattern(std::string_view pattern);

}  // namespace rag::core
