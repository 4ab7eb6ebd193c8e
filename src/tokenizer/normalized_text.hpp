// One stretch of the caller's text after normalization, with the way back: which bytes of the original each byte came from.
// When nothing changed it is a view and costs nothing; the way back is then the text itself, widened to whole characters, since
// a byte-level token may end inside a character. Scratch of one encode call: reused, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/char_text.hpp"
#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

/// Bytes [start, end) of a NormalizedText: a piece that a pre-tokenizer cut.
struct Span {
    std::uint32_t start = 0, end = 0;
    bool operator==(const Span&) const = default;
};

/// A normalizer (or none) with what it does to ASCII worked out once.
class NormalizerPlan {
  public:
    explicit NormalizerPlan(const Normalizer* normalizer);
    const Normalizer* normalizer() const noexcept { return normalizer_; }
    const AsciiMap& ascii() const noexcept { return ascii_; }
    /// ASCII comes out as it went in.
    bool keeps_ascii() const noexcept { return keeps_ascii_; }

  private:
    const Normalizer* normalizer_;
    AsciiMap ascii_;
    bool keeps_ascii_;
};

class NormalizedText {
  public:
    /// Normalizes bytes [start, end) of `original`, which are well-formed UTF-8. Without `places` the way back is not kept.
    /// Throws kInvalidArgument when the result passes 4 GiB.
    void assign(std::string_view original, std::uint32_t start, std::uint32_t end, const NormalizerPlan& plan, bool places);

    std::string_view text() const noexcept { return text_; }
    /// Where bytes [span.start, span.end) came from, in bytes of the original. The span is not empty.
    Alignment origin(Span span) const noexcept;
    /// Puts a space before each of `spans` that does not begin with one; it shares the place of the character it precedes.
    /// The spans are in order and move along; what lies behind the last one moves by as much as the text grows.
    void prefix_spaces(std::vector<Span>& spans);
    /// Frees what a very long text left behind.
    void shrink();

  private:
    void append_ascii(std::string_view original, std::uint32_t start, std::uint32_t end, const AsciiMap& map);
    void append_run(std::string_view original, std::uint32_t start, std::uint32_t end, const Normalizer& normalizer);
    void materialize();

    std::string_view original_;
    std::uint32_t start_ = 0;  // in the original
    std::string_view text_;
    std::string buffer_;
    std::vector<Alignment> places_;  // for each byte of buffer_, when rewritten_ and keep_places_
    bool rewritten_ = false;
    bool keep_places_ = false;
    CharText chars_;
};

}  // namespace rag::core
