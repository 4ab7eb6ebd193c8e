// Batches of texts of concurrent callers of one encoder, computed together by call_batcher.hpp: their tokens are put end to end
// and the vectors handed back. In: TokenBatch and room for its vectors; out: a status. Thread rule: run() from any thread.
#pragma once

#include "model/call_batcher.hpp"

namespace rag::core {

class TextBatcher {
  public:
    /// `outputs`: floats a text. Throws kInvalidArgument for limits of 0 requests or tokens.
    TextBatcher(BackendEncoder& encoder, std::int64_t outputs, const BatchLimits& limits);

    /// As BackendEncoder::encode. Who stops while others computed with him go on is told so when they are ready.
    BackendStatus run(const TokenBatch& batch, std::span<float> out, const HostCall& stop);
    /// While it lives, others wait a moment for its next batch.
    class UnderWay {
      public:
        explicit UnderWay(TextBatcher& batcher) : batcher_(batcher.batcher_) { batcher_.add_caller(); }
        ~UnderWay() { batcher_.remove_caller(); }
        UnderWay(const UnderWay&) = delete;
        UnderWay& operator=(const UnderWay&) = delete;

      private:
        CallBatcher& batcher_;
    };
    CallBatcher::Counts counts() const { return batcher_.counts(); }

  private:
    struct Texts : BatchedCall {
        const TokenBatch* batch = nullptr;
        std::span<float> out;
        bool stopped = false;
    };
    void compute(std::span<BatchedCall* const> calls);
    BackendStatus compute_together(std::span<BatchedCall* const> calls);
    static bool all_stopped(void* context);

    BackendEncoder& encoder_;
    std::size_t outputs_;
    CallBatcher batcher_;
};

}  // namespace rag::core
