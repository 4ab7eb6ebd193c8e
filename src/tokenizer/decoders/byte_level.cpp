#include "tokenizer/decoders/byte_level.hpp"

#include <cstddef>

#include "core/utf8.hpp"
#include "tokenizer/models/byte_alphabet.hpp"

namespace rag::core {
namespace {

// Whether the ill-formed rest of a text could be the beginning of a character: it would be well-formed with more bytes behind.
bool may_continue(std::string_view rest) {
    const auto lead = static_cast<unsigned char>(rest[0]);
    const std::size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    return lead >= 0xC2 && lead <= 0xF4 && rest.size() < wanted && decode_utf8(rest, 0).length == rest.size();
}

class Link final : public DecoderLink {
  public:
    explicit Link(DecoderLink& next) : next_(next) {}

    void push(std::string_view token) override {
        const auto bytes = alphabet_to_bytes(token);
        pending_ += bytes ? std::string_view(*bytes) : token;
        release(false);
    }

  private:
    void end() override {
        release(true);
        next_.push_part({});  // no tokens are one empty token to the stages behind
        next_.finish();
    }
    void release(bool all) {
        std::size_t end = pending_.size();
        if (!all) {  // only the last character, at most three bytes of it, can be incomplete
            for (std::size_t back = 1; back <= 3 && back <= pending_.size(); ++back) {
                const std::size_t at = pending_.size() - back;
                if ((static_cast<unsigned char>(pending_[at]) & 0xC0U) == 0x80U) continue;
                if (may_continue(std::string_view(pending_).substr(at))) end = at;
                break;
            }
        }
        if (end > 0) next_.push_part(replace_invalid_utf8(std::string_view(pending_).substr(0, end)));
        pending_.erase(0, end);
    }

    DecoderLink& next_;
    std::string pending_;
};

}  // namespace

std::unique_ptr<DecoderLink> ByteLevelDecoder::start(DecoderLink& next) const {
    return std::make_unique<Link>(next);
}

}  // namespace rag::core
