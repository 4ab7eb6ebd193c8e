#include "tokenizer/normalized_text.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "core/error.hpp"
#include "tokenizer/normalizers/plan.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kMostBytes = std::numeric_limits<std::uint32_t>::max();  // of a normalized text
constexpr std::size_t kMostGrowth = std::size_t{16} << 20;                     // of a short one
constexpr std::size_t kKeptBytes = 1U << 20;                                   // scratch beyond this is given back after a call

void free_large(std::string& buffer) {
    if (buffer.capacity() > kKeptBytes) std::string().swap(buffer);
}

void free_large(PlaceMap& places) {
    if (places.capacity() > kKeptBytes / sizeof(Alignment)) places.free();
}

}  // namespace

void NormalizedText::assign(std::string_view original, std::uint32_t start, std::uint32_t end, const NormalizerPlan& plan,
                            bool places) {
    start_ = start;
    text_ = original.substr(start, end - start);
    keep_places_ = places;
    most_bytes_ = std::min(kMostBytes, kMostGrowth + std::size_t{32} * (end - start));
    cursor_ = 0;
    places_.reset(start);
    plan.run(*this);
}

void NormalizedText::shrink() {
    text_ = {};
    free_large(buffer_);
    free_large(spare_buffer_);
    free_large(places_);
    free_large(spare_places_);
    if (chars_.values.capacity() > kKeptBytes / sizeof(Alignment)) chars_ = CharText();
}

TextRewrite::TextRewrite(NormalizedText& text) : text_(text), out_(text.spare_buffer_), places_(text.spare_places_) {
    if (out_.size() < text.text_.size()) out_.resize(std::min(kMostBytes, text.text_.size() + text.text_.size() / 2));
    places_.clear();
}

void TextRewrite::make_room(std::size_t room) {
    require_size(room > kMostBytes - size_ ? kMostBytes + 1 : size_ + room);
    out_.resize(std::min(kMostBytes, (size_ + room) * 2));
}

void TextRewrite::require_size(std::size_t size) const {
    if (size <= text_.most_bytes_) return;
    fail(Code::kInvalidArgument,
         "a normalizer makes more than {} bytes of a text, which is more than is taken for one of its size", text_.most_bytes_);
}

char* TextRewrite::keep_places_to(std::uint32_t end) {
    if (text_.keep_places_ && end > at_) places_.add_part(size(), text_.places_, at_, end, cursor_);
    char* out = grow(end - at_);
    size_ += end - at_;
    at_ = end;
    return out;
}

void TextRewrite::put_character(char32_t value, Alignment place) {
    const std::uint32_t length = encode_code_point(value, grow(4));
    if (text_.keep_places_) places_.add_character(size(), length, place);
    size_ += length;
}

void TextRewrite::finish() {
    require_size(size_);
    text_.buffer_.swap(out_);
    text_.places_.swap(places_);
    text_.text_ = std::string_view(text_.buffer_).substr(0, size_);
    text_.cursor_ = 0;
}

}  // namespace rag::core
