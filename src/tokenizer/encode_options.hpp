// How a text is to be encoded, beyond what the tokenizer's file says. Plain structs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/cancel.hpp"

namespace rag::core {

enum class TruncationStrategy { kLongestFirst, kOnlyFirst, kOnlySecond };

struct Truncation {
    std::size_t max_length = 512;  // with the special tokens
    TruncationStrategy strategy = TruncationStrategy::kLongestFirst;
    bool keep_last = false;  // direction Left
    std::size_t stride = 0;  // tokens that a window has in common with the one before it
};

struct Padding {
    std::optional<std::size_t> fixed_length = {};  // not set: as long as the longest of the batch
    std::size_t multiple_of = 0;                   // 0: any length
    bool left = false;
    std::int32_t id = 0;
    std::uint32_t type_id = 0;
    std::string token = "[PAD]";
};

/// Longest padding, and greatest multiple, that is made: for every text there is a whole encoding of this length.
inline constexpr std::size_t kMaxPadding = std::size_t{1} << 20;

/// What happens to bytes that are not UTF-8: an error that names the offset, or U+FFFD for every maximal ill-formed part, as
/// Unicode recommends (chapter 3, "U+FFFD Substitution of Maximal Subparts") and as WHATWG and Rust's from_utf8_lossy do.
enum class InvalidText { kRefuse, kReplace };

/// What offsets count: bytes of the caller's text, or its characters (code points; a replaced part counts as one).
enum class OffsetUnit { kBytes, kCharacters };

struct EncodeOptions {
    bool add_special_tokens = true;
    InvalidText invalid_text = InvalidText::kRefuse;
    OffsetUnit offset_unit = OffsetUnit::kBytes;
    bool overflow = false;        // keep what truncation cuts off, for Tokenizer::overflowing()
    bool file_truncation = true;  // as the file says; false: as `truncation` says
    std::optional<Truncation> truncation = {};
    bool file_padding = true;  // as the file says; false: as `padding` says
    std::optional<Padding> padding = {};
};

/// A text that the caller has cut into words: each is encoded as a text of its own, and they become one sequence. Offsets are
/// those in a token's word, word ids are indices of words (Hugging Face's is_pretokenized).
using Words = std::span<const std::string_view>;

/// A text, or a pair of texts that become one encoding.
struct TextPair {
    std::string_view text;
    std::optional<std::string_view> pair = {};
    // Set: words instead, and the texts above are not looked at.
    std::optional<Words> words = {};
    std::optional<Words> pair_words = {};

    std::size_t size_bytes() const noexcept;
};

/// How many are done at once and who hears of it.
struct BatchOptions {
    std::size_t threads = 0;  // 0: as many as the process may use
    Progress progress = {};   // in texts; called on the calling thread
};

}  // namespace rag::core
