#include "model/step_batcher.hpp"

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

StepBatcher::StepBatcher(BackendDecoder& decoder, const BatchLimits& limits) : decoder_(decoder), limits_(limits) {
    if (limits.requests == 0 || limits.tokens == 0 || limits.wait.count() < 0)
        fail(Code::kInvalidArgument, "batches of at most {} requests and {} tokens after {} microseconds", limits.requests,
             limits.tokens, limits.wait.count());
    pass_.reserve(limits.requests);
    items_.reserve(limits.requests);
}

void StepBatcher::add_caller() {
    const std::lock_guard lock(mutex_);
    ++callers_;
}

void StepBatcher::remove_caller() {
    {
        const std::lock_guard lock(mutex_);
        --callers_;
    }
    changed_.notify_all();  // a leader may be waiting for it
}

StepBatcher::Counts StepBatcher::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

void StepBatcher::run(DecoderItem& item) {
    Entry entry{&item};
    Lock lock(mutex_);
    queue_.push_back(&entry);
    changed_.notify_all();
    while (!entry.done) {
        // The first in the queue leads, so that whoever came first never waits for later ones.
        if (!running_ && !entry.taken && queue_.front() == &entry) {
            lead(lock);
        } else if (item.call.stop == nullptr) {
            changed_.wait(lock);
        } else {
            changed_.wait_for(lock, kPoll);
            if (!entry.taken && !entry.done && give_up(entry, lock)) return;
        }
    }
}

/// Whether a caller whose step nobody has begun wants to stop; its step leaves the queue then.
bool StepBatcher::give_up(Entry& entry, Lock& lock) {
    // The host's function may take its time, or wait for another caller.
    lock.unlock();
    const bool stop = wants_to_stop(entry.item->call);
    lock.lock();
    if (!stop || entry.taken || entry.done) return false;
    queue_.erase(std::find(queue_.begin(), queue_.end(), &entry));
    entry.item->status = {static_cast<std::int32_t>(Code::kStopped), "stopped"};
    changed_.notify_all();  // another one may be first now
    return true;
}

/// How many steps are likely to come within a moment.
std::size_t StepBatcher::expected() const {
    return std::min({likely_, callers_, limits_.requests});
}

void StepBatcher::lead(Lock& lock) {
    running_ = true;
    const auto until = std::chrono::steady_clock::now() + limits_.wait;
    while (queue_.size() < expected() && changed_.wait_until(lock, until) != std::cv_status::timeout) {
    }
    take();
    ++counts_.passes;
    counts_.steps += pass_.size();
    lock.unlock();
    items_.clear();
    for (const Entry* entry : pass_) items_.push_back(*entry->item);
    const BackendStatus status = decoder_.forward(items_);
    for (std::size_t i = 0; i < pass_.size(); ++i) {
        if (status.ok()) {
            pass_[i]->item->status = std::move(items_[i].status);
        } else {
            pass_[i]->item->status = status;
        }
    }
    lock.lock();
    for (Entry* entry : pass_) entry->done = true;
    likely_ = pass_.size() + queue_.size();
    running_ = false;
    changed_.notify_all();
}

/// The steps of the next pass: the first, and those behind it that fit beside it.
void StepBatcher::take() {
    pass_.clear();
    std::size_t tokens = 0;
    for (auto at = queue_.begin(); at != queue_.end() && pass_.size() < limits_.requests;) {
        Entry& entry = **at;
        const std::size_t count = entry.item->ids.size();
        if (!pass_.empty() && tokens + count > limits_.tokens) {
            ++at;
            continue;
        }
        tokens += count;
        entry.taken = true;
        pass_.push_back(&entry);
        at = queue_.erase(at);
    }
}

}  // namespace rag::core
