// A regular expression of a tokenizer file, run by PCRE2 (compiled to machine code where it can). The files are written for
// Oniguruma with a newer Unicode than the host's PCRE2 may have, so they are translated first (regex_pattern.hpp). Untrusted:
// steps and memory of a match are limited. Immutable, any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/normalized_text.hpp"

namespace rag::core {

class Regex {
  public:
    /// Throws kUnsupported naming the pattern and PCRE2's reason.
    explicit Regex(const std::string& pattern);
    /// Matches this text; an empty one before and behind every character.
    static Regex literal(std::string_view text);
    /// What literal() was given; empty for other patterns.
    std::string_view literal_text() const noexcept;
    /// Whether there may be matches of no text.
    bool may_match_nothing() const noexcept;
    ~Regex();
    Regex(Regex&&) noexcept;

    /// Appends all matches in text[within], leftmost first, as Oniguruma's find_iter gives them (an empty match right after
    /// another match does not count). Anchors and look-around see only `within`. Throws kInvalidArgument when a limit is hit.
    void find_all(std::string_view text, Span within, std::vector<Span>& out) const;

  private:
    struct Compiled;
    explicit Regex(std::unique_ptr<Compiled> compiled);
    std::unique_ptr<Compiled> compiled_;
};

}  // namespace rag::core
