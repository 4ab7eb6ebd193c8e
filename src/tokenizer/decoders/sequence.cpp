#include "tokenizer/decoders/sequence.hpp"

#include <string_view>

namespace rag::core {
namespace {

class ChainLink final : public DecoderLink {
  public:
    ChainLink(const std::vector<std::unique_ptr<TokenDecoder>>& stages, DecoderLink& next, bool last) : first_(&next) {
        for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
            links_.push_back((*stage)->start(*first_, last));
            first_ = links_.back().get();
            last = false;
        }
    }
    void push(std::string_view token) override { first_->push(token); }
    void finish() override { first_->finish(); }

  private:
    std::vector<std::unique_ptr<DecoderLink>> links_;  // from the last to the first
    DecoderLink* first_;
};

class SpaceLink final : public DecoderLink {
  public:
    explicit SpaceLink(DecoderLink& next) : next_(next) {}
    void push(std::string_view token) override {
        if (!first_) next_.push(" ");
        first_ = false;
        next_.push(token);
    }
    void finish() override { next_.finish(); }

  private:
    DecoderLink& next_;
    bool first_ = true;
};

}  // namespace

std::unique_ptr<DecoderLink> DecoderSequence::start(DecoderLink& next, bool last) const {
    return std::make_unique<ChainLink>(stages_, next, last);
}

std::unique_ptr<DecoderLink> SpaceDecoder::start(DecoderLink& next, bool) const {
    return std::make_unique<SpaceLink>(next);
}

}  // namespace rag::core
