#include "model/step_batcher.hpp"

namespace rag::core {

StepBatcher::StepBatcher(BackendDecoder& decoder, const BatchLimits& limits)
    : decoder_(decoder), batcher_([this](std::span<BatchedCall* const> steps) { compute(steps); }, limits) {
    items_.reserve(limits.requests);
}

StepBatcher::Counts StepBatcher::counts() const {
    const CallBatcher::Counts counts = batcher_.counts();
    return {counts.passes, counts.calls};
}

void StepBatcher::run(DecoderItem& item) {
    Step step;
    step.tokens = item.ids.size();
    step.stop = item.call;
    step.item = &item;
    batcher_.run(step);
    item.status = std::move(step.status);
}

void StepBatcher::compute(std::span<BatchedCall* const> steps) {
    items_.clear();
    for (const BatchedCall* step : steps) items_.push_back(*static_cast<const Step*>(step)->item);
    const BackendStatus status = decoder_.forward(items_);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (status.ok()) {
            steps[i]->status = std::move(items_[i].status);
        } else {
            steps[i]->status = status;
        }
    }
}

}  // namespace rag::core
