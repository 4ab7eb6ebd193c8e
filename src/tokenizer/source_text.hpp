// A text as the tokenizer reads it, and the way back to what the caller counts: ill-formed parts are refused or replaced by
// U+FFFD, offsets become bytes or characters of the caller's text. One encode call; one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/encode_options.hpp"

namespace rag::core {

class SourceText {
  public:
    /// Throws kInvalidArgument for more than kMaxTextBytes (tokenizer.hpp) and, unless they are to be replaced, for bytes that
    /// are not UTF-8, naming the first one's offset. The caller's bytes must outlive it, unless keep() is called. `name` is used
    /// in messages.
    SourceText(std::string_view text, const EncodeOptions& options, std::string_view name);

    /// Well-formed.
    std::string_view text() const noexcept { return owned_ ? std::string_view(copy_) : text_; }
    /// Copies the text, if it is still the caller's.
    void keep();

    /// Turns offsets in text(), which must be at characters, into the caller's. What U+FFFD stands for begins and ends where the
    /// ill-formed part does.
    void convert(std::span<std::pair<std::uint32_t, std::uint32_t>> offsets) const;

  private:
    // Behind a replacement: this place in text() is that place in the caller's.
    struct Shift {
        std::uint32_t here, there;
    };
    void replace_invalid();
    void count_characters();
    std::uint32_t caller_byte(std::uint32_t at) const;
    std::uint32_t character(std::uint32_t at) const;

    std::string_view text_;
    std::string copy_;
    bool owned_ = false;
    std::vector<Shift> shifts_;          // in order; empty if nothing was replaced
    bool counts_ = false;                // offsets become characters, and not all of them are ASCII
    std::vector<std::uint32_t> before_;  // of a long text then: characters before every 64th byte
};

/// One side of what is encoded: a text, or words.
class SourceSequence {
  public:
    /// Words: as SourceText, and the message says which. At most kMaxTextBytes together.
    explicit SourceSequence(SourceText text);
    SourceSequence(Words words, const EncodeOptions& options, std::string_view name);

    bool has_words() const noexcept { return has_words_; }
    /// One, or one a word.
    const std::vector<SourceText>& texts() const noexcept { return texts_; }
    /// The text that a token's offsets point into, by the number of its word in the encoding.
    std::string_view text_of(std::int32_t word) const noexcept {
        return texts_[has_words_ ? static_cast<std::size_t>(word) : 0].text();
    }
    void keep();
    /// SourceText::convert() for tokens of these words, in their order.
    void convert(std::span<std::pair<std::uint32_t, std::uint32_t>> offsets, std::span<const std::int32_t> words) const;

  private:
    std::vector<SourceText> texts_;
    bool has_words_;
};

}  // namespace rag::core
