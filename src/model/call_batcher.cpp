#include "model/call_batcher.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace rag::core {
namespace {

/// How often a caller that waits its turn is asked whether it still wants to.
constexpr std::chrono::milliseconds kPoll{20};

bool wants_to_stop(const HostCall& call) {
    return call.stop != nullptr && call.stop(call.context);
}

}  // namespace

CallBatcher::CallBatcher(Compute compute, const BatchLimits& limits) : compute_(std::move(compute)), limits_(limits) {
    if (limits.requests == 0 || limits.tokens == 0 || limits.wait.count() < 0)
        fail(Code::kInvalidArgument, "batches of at most {} requests and {} tokens after {} microseconds", limits.requests,
             limits.tokens, limits.wait.count());
    pass_.reserve(limits.requests);
    calls_.reserve(limits.requests);
}

void CallBatcher::add_caller() {
    const std::lock_guard lock(mutex_);
    ++callers_;
}

void CallBatcher::remove_caller() {
    {
        const std::lock_guard lock(mutex_);
        --callers_;
    }
    gathered_.notify_one();  // a leader may be waiting for it
}

CallBatcher::Counts CallBatcher::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

void CallBatcher::run(BatchedCall& call) {
    Entry entry{&call};
    Lock lock(mutex_);
    queue_.push_back(&entry);
    gathered_.notify_one();
    while (!entry.done) {
        // The first in the queue leads, so that whoever came first never waits for later ones.
        if (!running_ && !entry.taken && queue_.front() == &entry) {
            lead(lock);
        } else if (call.stop.stop == nullptr) {
            entry.changed.wait(lock);
        } else {
            entry.changed.wait_for(lock, kPoll);
            if (!entry.taken && !entry.done && give_up(entry, lock)) return;
        }
    }
}

/// Whether a caller whose call nobody has begun wants to stop; it leaves the queue then.
bool CallBatcher::give_up(Entry& entry, Lock& lock) {
    // The host's function may take its time, or wait for another caller.
    lock.unlock();
    const bool stop = wants_to_stop(entry.call->stop);
    lock.lock();
    if (!stop || entry.taken || entry.done) return false;
    queue_.erase(std::find(queue_.begin(), queue_.end(), &entry));
    entry.call->status = {static_cast<std::int32_t>(Code::kStopped), "stopped"};
    wake_first();  // it may be another one now
    return true;
}

/// How many calls are likely to come within a moment.
std::size_t CallBatcher::expected() const {
    return std::min({likely_, callers_, limits_.requests});
}

void CallBatcher::lead(Lock& lock) {
    running_ = true;
    const auto until = std::chrono::steady_clock::now() + limits_.wait;
    while (queue_.size() < expected() && gathered_.wait_until(lock, until) != std::cv_status::timeout) {
    }
    take();
    ++counts_.passes;
    counts_.calls += pass_.size();
    lock.unlock();
    calls_.clear();
    for (const Entry* entry : pass_) calls_.push_back(entry->call);
    compute_(calls_);
    lock.lock();
    // Each caller sleeps on a condition of its own: woken all at once, those whose turn it is not would only take the lock from
    // those whose it is. A caller is gone as soon as it has the lock again, so it is woken before the lock is given back.
    for (Entry* entry : pass_) {
        entry->done = true;
        entry->changed.notify_one();
    }
    likely_ = pass_.size() + queue_.size();
    running_ = false;
    wake_first();
}

void CallBatcher::wake_first() {
    if (!queue_.empty()) queue_.front()->changed.notify_one();
}

/// The calls of the next pass: the first, and those of its kind behind it that fit beside it.
void CallBatcher::take() {
    pass_.clear();
    std::size_t tokens = 0;
    for (auto at = queue_.begin(); at != queue_.end() && pass_.size() < limits_.requests;) {
        Entry& entry = **at;
        const BatchedCall& call = *entry.call;
        if (!pass_.empty() && (call.kind != pass_.front()->call->kind || tokens + call.tokens > limits_.tokens)) {
            ++at;
            continue;
        }
        tokens += call.tokens;
        entry.taken = true;
        pass_.push_back(&entry);
        at = queue_.erase(at);
    }
}

}  // namespace rag::core
