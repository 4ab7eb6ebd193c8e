#include "tokenizer/decoders/ctc.hpp"

#include <optional>

#include "tokenizer/decoders/replace_all.hpp"
#include "tokenizer/decoders/word_piece.hpp"

namespace rag::core {

class CtcDecoder::Link final : public DecoderLink {
  public:
    Link(DecoderLink& next, const CtcDecoder& decoder) : next_(next), decoder_(decoder) {}

    void push(std::string_view token) override {
        if (previous_ == token) return;
        previous_ = token;
        text_ = token;
        replace_all(text_, decoder_.pad_token_, "");
        if (decoder_.cleanup_) {
            clean_up(text_);
            replace_all(text_, decoder_.word_delimiter_, " ");
        }
        if (!text_.empty()) next_.push(text_);
    }

  private:
    void end() override { next_.finish(); }

    DecoderLink& next_;
    const CtcDecoder& decoder_;
    std::optional<std::string> previous_;
    std::string text_;
};

std::unique_ptr<DecoderLink> CtcDecoder::start(DecoderLink& next) const {
    return std::make_unique<Link>(next, *this);
}

}  // namespace rag::core
