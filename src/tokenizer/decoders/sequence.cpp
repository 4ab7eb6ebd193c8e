#include "tokenizer/decoders/sequence.hpp"

#include <string_view>

namespace rag::core {
namespace {

class ChainLink final : public DecoderLink {
  public:
    ChainLink(const std::vector<std::unique_ptr<TokenDecoder>>& stages, DecoderLink& next) : first_(&next) {
        for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
            links_.push_back((*stage)->start(*first_));
            first_ = links_.back().get();
        }
    }
    void push(std::string_view token) override { first_->push(token); }
    void push_part(std::string_view part) override { first_->push_part(part); }

  private:
    void end() override { first_->finish(); }

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

  private:
    void end() override { next_.finish(); }

    DecoderLink& next_;
    bool first_ = true;
};

}  // namespace

std::unique_ptr<DecoderLink> DecoderSequence::start(DecoderLink& next) const {
    return std::make_unique<ChainLink>(stages_, next);
}

std::unique_ptr<DecoderLink> SpaceDecoder::start(DecoderLink& next) const {
    return std::make_unique<SpaceLink>(next);
}

}  // namespace rag::core
