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

    /// For jobs, on the worker: as many threads as `multiply_adds` of work are worth. Tiny work runs on the worker alone, because
    /// waking and joining a team costs more than the work, and very much more where other programs keep the processors busy.
    void size_team(std::int64_t multiply_adds) const noexcept;

    /// Runs `job` on the worker in inference mode and waits for it; what it throws becomes the status. kInvalidState when the
    /// process ends.
    BackendStatus run(const std::function<void()>& job) noexcept;

  private:
    // Apart from the Worker, because a forked child can neither join the thread nor destroy what it waits on.
    struct Shared {
        std::mutex turn;  // held by the caller whose job is served
        std::mutex mutex;
        std::condition_variable changed;
        const std::function<void()>* job = nullptr;
        BackendStatus status;
        bool done = false;
        bool quit = false;
        std::thread thread;
    };
    static void loop(Shared& shared, std::uint32_t threads) noexcept;

    const std::uint32_t threads_;
    const pid_t process_;
    std::unique_ptr<Shared> shared_;
};

}  // namespace rag::core::libtorch
