// A thread for work that nobody waits for: it begins with the first wake(), repeats a step while there is something to do, and
// sleeps. Thread rule: wake() and stop() from any thread; the step runs on the one thread of this. After fork() there is no such
// thread in the child: wake() does nothing there, and nothing is joined.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "core/cancel.hpp"
#include "core/fork_guard.hpp"

namespace rag::core {

class Background {
  public:
    /// Does one piece of work and returns whether there may be more. Polls `progress`, which throws Stopped in it at stop(). What
    /// else it throws is logged with `name`, and the next wake() tries again.
    using Step = std::function<bool(const Progress& progress)>;

    Background(const char* name, Step step);
    /// Stops.
    ~Background();
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    /// There may be work. Never waits. Where the system refuses a thread, the work is left undone until the next call.
    void wake() noexcept;
    /// Ends the step that runs, at its next poll, and the thread; a later wake() begins a new one. The caller must hold no lock
    /// that the step takes.
    void stop() noexcept;

  private:
    void loop(const std::atomic<bool>& stopping);
    const char* name_;
    const Step step_;
    ForkGuard fork_guard_;
    std::mutex running_;  // held during a step, also while a new thread has begun and the old one is ending
    std::mutex mutex_;    // guards what follows
    std::condition_variable changed_;
    bool work_ = false;
    std::thread thread_;
    std::shared_ptr<std::atomic<bool>> stopping_;  // of thread_
};

}  // namespace rag::core
