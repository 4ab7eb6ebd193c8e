#include "tokenizer/decoders/byte_fallback.hpp"

#include <charconv>
#include <cstddef>

#include "core/utf8.hpp"

namespace rag::core {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The byte that a token of the form <0xHH> names, else -1. A sign before one digit counts, as in Rust's from_str_radix.
int byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return -1;
    const std::string_view digits = token.substr(token[3] == '+' ? 4 : 3, token[3] == '+' ? 1 : 2);
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return error == std::errc() && end == digits.data() + digits.size() ? static_cast<int>(value) : -1;
}

class Link final : public DecoderLink {
  public:
    explicit Link(DecoderLink& next) : next_(next) {}

    void push(std::string_view token) override {
        if (const int byte = byte_of(token); byte >= 0) {
            bytes_ += static_cast<char>(byte);
            return;
        }
        release();
        next_.push(token);
    }

  private:
    void end() override {
        release();
        next_.finish();
    }
    void release() {
        if (bytes_.empty()) return;
        if (find_invalid_utf8(bytes_) == std::string_view::npos) {
            next_.push(bytes_);
        } else {
            for (std::size_t i = 0; i < bytes_.size(); ++i) next_.push(kReplacement);
        }
        bytes_.clear();
    }

    DecoderLink& next_;
    std::string bytes_;
};

}  // namespace

std::unique_ptr<DecoderLink> ByteFallbackDecoder::start(DecoderLink& next) const {
    return std::make_unique<Link>(next);
}

}  // namespace rag::core
