#include "tokenizer/decoders/fuse.hpp"

namespace rag::core {
namespace {

class Link final : public DecoderLink {
  public:
    explicit Link(DecoderLink& next) : next_(next) {}
    void push(std::string_view token) override { next_.push_part(token); }
    void push_part(std::string_view part) override { next_.push_part(part); }

  private:
    void end() override {
        next_.push_part({});  // no tokens become one empty token
        next_.finish();
    }

    DecoderLink& next_;
};

}  // namespace

std::unique_ptr<DecoderLink> FuseDecoder::start(DecoderLink& next) const {
    return std::make_unique<Link>(next);
}

}  // namespace rag::core
