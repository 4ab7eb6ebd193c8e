// A fixed set of worker threads for data-parallel loops. run() blocks until all parts are done; the calling thread works too.
// Thread rule: run() from any thread; calls are served one after another. A body may call run() of the same pool: that loop is
// then done by the body's own thread. After fork() the child's run() throws kInvalidState. The workers block all signals, so that
// the host's handlers run on the host's threads.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace rag::core {

class ThreadPool {
  public:
    static constexpr std::size_t kMaxThreads = 1024;
    /// threads 0: as many as the process may use (affinity and the cgroup's quota, see available_cpus). More than kMaxThreads is
    /// kInvalidArgument; where the system refuses a thread, the pool is smaller than asked for (see size()).
    explicit ThreadPool(std::size_t threads = 0);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    std::size_t size() const noexcept;
    /// Calls body(i) for i in [0, count), in any order, on the workers and on this thread. When a body throws, parts not yet
    /// begun are dropped, and the first exception is rethrown here after all begun parts have ended; the pool stays usable.
    void run(std::size_t count, const std::function<void(std::size_t)>& body);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// CPUs that this process may use: the smaller of its affinity mask and its cgroup quota rounded up; at least 1.
std::size_t available_cpus();

}  // namespace rag::core
