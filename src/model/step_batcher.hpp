// Steps of concurrent callers of one decoder, computed together by call_batcher.hpp. In: items of BackendDecoder::forward; out:
// their statuses. Thread rule: run() from any thread.
#pragma once

#include "model/call_batcher.hpp"

namespace rag::core {

class StepBatcher {
  public:
    /// Throws kInvalidArgument for limits of 0 requests or tokens.
    StepBatcher(BackendDecoder& decoder, const BatchLimits& limits);

    /// As CallBatcher::run.
    void run(DecoderItem& item);
    /// Sessions that are open.
    void add_caller() { batcher_.add_caller(); }
    void remove_caller() { batcher_.remove_caller(); }

    struct Counts {
        std::uint64_t passes = 0;
        std::uint64_t steps = 0;
    };
    Counts counts() const;

  private:
    struct Step : BatchedCall {
        DecoderItem* item = nullptr;
    };
    void compute(std::span<BatchedCall* const> steps);

    BackendDecoder& decoder_;
    std::vector<DecoderItem> items_;  // the leader's, so that nothing is allocated on the way
    CallBatcher batcher_;
};

}  // namespace rag::core
