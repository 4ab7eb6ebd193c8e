// Steps of concurrent callers of one decoder, computed together. A caller that finds nothing running leads: it takes the steps
// that wait, first come, first served, and computes them in one pass, while the next ones gather. Callers that took part in the
// last pass come back as soon as they have chosen their tokens, so a leader waits for them a moment; a caller who is alone never
// waits. In: items of BackendDecoder::forward; out: their statuses. Thread rule: run() from any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>

#include "model/backend.hpp"

namespace rag::core {

struct BatchLimits {
    std::size_t requests = 32;             // in one pass, at least 1
    std::size_t tokens = 2048;             // in one pass; a longer request computes alone
    std::chrono::microseconds wait{3000};  // for callers of the last pass
};

class StepBatcher {
  public:
    /// Throws kInvalidArgument for limits of 0 requests or tokens.
    StepBatcher(BackendDecoder& decoder, const BatchLimits& limits);
    StepBatcher(const StepBatcher&) = delete;
    StepBatcher& operator=(const StepBatcher&) = delete;

    /// Returns when the item has been computed, has failed, or its caller wanted to stop (also while it waits its turn).
    void run(DecoderItem& item);

    /// Callers that may come with a next step: sessions that are open. A leader waits for no more than these.
    void add_caller();
    void remove_caller();

    /// Passes computed so far, and steps in them, for statistics and tests.
    struct Counts {
        std::uint64_t passes = 0;
        std::uint64_t steps = 0;
    };
    Counts counts() const;

  private:
    struct Entry {
        DecoderItem* item;
        bool taken = false;
        bool done = false;
    };
    using Lock = std::unique_lock<std::mutex>;
    void lead(Lock& lock);
    void take();
    std::size_t expected() const;
    bool give_up(Entry& entry, Lock& lock);

    BackendDecoder& decoder_;
    const BatchLimits limits_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Entry*> queue_;
    bool running_ = false;
    std::size_t callers_ = 0;
    std::size_t likely_ = 0;    // steps of the last pass and those that waited when it ended
    std::vector<Entry*> pass_;  // the leader's; never more than limits_.requests, so that nothing is allocated on the way
    std::vector<DecoderItem> items_;
    Counts counts_;
};

}  // namespace rag::core
