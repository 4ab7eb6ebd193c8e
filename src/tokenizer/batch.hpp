// Threads for the batches of one tokenizer. A call takes a pool of its own, so that callers do not wait for each other; one idle
// pool is kept for the next call. Any thread; the child of a fork() makes a pool of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

#include "core/fork_guard.hpp"
#include "core/thread_pool.hpp"
#include "tokenizer/encode_options.hpp"

namespace rag::core {

class BatchRunner {
  public:
    BatchRunner() = default;
    ~BatchRunner() { delete idle_.load(); }
    BatchRunner(const BatchRunner&) = delete;
    BatchRunner& operator=(const BatchRunner&) = delete;

    /// Calls body(i) for i in [0, count), in any order. `bytes`: of all texts together; a small batch is not worth a thread.
    /// Throws what a body throws, or Stopped when batch.progress says so; bodies that have not begun are then dropped.
    void run(std::size_t count, std::size_t bytes, const BatchOptions& batch, const std::function<void(std::size_t)>& body);

  private:
    struct Pool {
        explicit Pool(std::size_t threads) : pool(threads), asked(threads) {}
        ForkGuard fork_guard;
        ThreadPool pool;
        std::size_t asked;
    };
    void run_on(std::size_t threads, std::size_t count, const std::function<void(std::size_t)>& body);

    std::atomic<Pool*> idle_{nullptr};
};

}  // namespace rag::core
