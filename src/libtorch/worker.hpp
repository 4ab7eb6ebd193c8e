// The thread on which a model computes. LibTorch keeps its thread count per calling thread and OpenMP keeps a team for each of
// them, so every model has one thread of its own: the host's threads and its at::set_num_threads stay as they are, and calls from
// several threads are served one after another.
//
// Thread rule: run() from any thread. After fork the thread does not exist in the child: run() there is an error (kInvalidState).
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <thread>

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

class Worker {
  public:
    /// `threads`: how many the operators may use, the worker itself included; at least 1.
    explicit Worker(std::uint32_t threads);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Runs `job` on the worker in inference mode and waits for it; what it throws becomes the status.
    BackendStatus run(const std::function<void()>& job) noexcept;

    std::uint32_t threads() const noexcept { return threads_; }

  private:
    void loop() noexcept;

    const std::uint32_t threads_;
    const pid_t process_;
    std::mutex turn_;  // held by the caller whose job is served
    std::mutex mutex_;
    std::condition_variable changed_;
    const std::function<void()>* job_ = nullptr;
    BackendStatus status_;
    bool done_ = false;
    bool quit_ = false;
    std::thread thread_;
};

}  // namespace rag::core::libtorch
