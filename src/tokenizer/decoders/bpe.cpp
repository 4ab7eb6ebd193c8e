#include "tokenizer/decoders/bpe.hpp"

#include "tokenizer/decoders/replace_all.hpp"

namespace rag::core {
namespace {

class Link final : public DecoderLink {
  public:
    Link(DecoderLink& next, const std::string& suffix) : next_(next), suffix_(suffix) {}

    void push(std::string_view token) override {
        if (holds_) release(" ");
        held_ = token;
        holds_ = true;
    }

  private:
    void end() override {
        if (holds_) release("");
        holds_ = false;
        next_.finish();
    }
    void release(std::string_view in_place_of_suffix) {
        replace_all(held_, suffix_, in_place_of_suffix);
        next_.push(held_);
    }

    DecoderLink& next_;
    const std::string& suffix_;
    std::string held_;
    bool holds_ = false;
};

}  // namespace

std::unique_ptr<DecoderLink> BpeDecoder::start(DecoderLink& next) const {
    return std::make_unique<Link>(next, suffix_);
}

}  // namespace rag::core
