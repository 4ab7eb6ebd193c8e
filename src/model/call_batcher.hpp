// Calls of concurrent callers of one model, computed together. A caller that finds nothing running leads: it takes the calls that
// wait, first come, first served, and computes them in one pass, while the next ones gather. Callers that took part in the last
// pass come back soon, so a leader waits a moment for as many as are under way; a caller who is alone never waits.
// In: calls with their sizes; out: their statuses. Thread rule: run() from any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "model/backend.hpp"

namespace rag::core {

struct BatchLimits {
    std::size_t requests = 32;             // in one pass, at least 1
    std::size_t tokens = 2048;             // in one pass; a longer request computes alone
    std::chrono::microseconds wait{3000};  // for callers of the last pass
};

/// What a caller wants computed; the pass knows the rest of it.
struct BatchedCall {
    std::size_t tokens = 0;
    std::int64_t kind = 0;  // calls of one kind may share a pass
    HostCall stop;          // asked while the call waits its turn
    BackendStatus status;
};

class CallBatcher {
  public:
    /// Computes calls of one kind on the leader's thread and sets their statuses; must not throw.
    using Compute = std::function<void(std::span<BatchedCall* const> calls)>;
    /// Throws kInvalidArgument for limits of 0 requests or tokens.
    CallBatcher(Compute compute, const BatchLimits& limits);
    CallBatcher(const CallBatcher&) = delete;
    CallBatcher& operator=(const CallBatcher&) = delete;

    /// Returns when the call has been computed, has failed, or its caller wanted to stop (also while it waits its turn).
    void run(BatchedCall& call);

    /// Callers that may come with a next call. A leader waits for no more than these.
    void add_caller();
    void remove_caller();

    /// Passes computed so far, and calls in them, for statistics and tests.
    struct Counts {
        std::uint64_t passes = 0;
        std::uint64_t calls = 0;
    };
    Counts counts() const;

  private:
    struct Entry {
        BatchedCall* call;
        bool taken = false;
        bool done = false;
        std::condition_variable changed = {};  // done, or first in the queue with nothing running
    };
    using Lock = std::unique_lock<std::mutex>;
    void lead(Lock& lock);
    void take();
    std::size_t expected() const;
    bool give_up(Entry& entry, Lock& lock);
    /// With the lock held: the first in the queue may lead.
    void wake_first();

    const Compute compute_;
    const BatchLimits limits_;
    mutable std::mutex mutex_;
    std::condition_variable gathered_;  // for a leader that waits: a call came, or a caller went
    std::deque<Entry*> queue_;
    bool running_ = false;
    std::size_t callers_ = 0;
    std::size_t likely_ = 0;    // calls of the last pass and those that waited when it ended
    std::vector<Entry*> pass_;  // the leader's; never more than limits_.requests, so that nothing is allocated on the way
    std::vector<BatchedCall*> calls_;
    Counts counts_;
};

}  // namespace rag::core
