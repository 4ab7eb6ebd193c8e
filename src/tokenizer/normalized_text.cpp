#include "tokenizer/normalized_text.hpp"

#include <cstddef>
#include <limits>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/normalizers/plan.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kKeptBytes = 1U << 20;  // scratch beyond this is given back after a call

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
    out_.clear();
    out_.reserve(text.text_.size());
    places_.clear();
}

char* TextRewrite::keep_places_to(std::uint32_t end) {
    const std::size_t old = out_.size();
    if (text_.keep_places_ && end > at_) places_.add_part(size(), text_.places_, at_, end, cursor_);
    out_.resize(old + (end - at_));
    at_ = end;
    return out_.data() + old;
}

void TextRewrite::put_character(char32_t value, Alignment place) {
    const std::uint32_t begin = size();
    append_utf8(out_, value);
    if (text_.keep_places_) places_.add_character(begin, size() - begin, place);
}

void TextRewrite::finish() {
    if (out_.size() > std::numeric_limits<std::uint32_t>::max()) {
        fail(Code::kInvalidArgument, "the normalized text has {} bytes, more than the {} that a tokenizer takes at once",
             out_.size(), std::numeric_limits<std::uint32_t>::max());
    }
    text_.buffer_.swap(out_);
    text_.places_.swap(places_);
    text_.text_ = text_.buffer_;
    text_.cursor_ = 0;
}

}  // namespace rag::core
