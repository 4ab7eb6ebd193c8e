// A fixed set of worker threads for data-parallel loops. run() blocks until all parts are done; the calling thread works too;
// calls from several threads are served one after another in parts. The first exception of a part is rethrown by run().
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace rag::core {

class ThreadPool {
  public:
    /// threads 0: as many as the process may use (affinity and the cgroup's quota, see available_cpus).
    explicit ThreadPool(std::size_t threads = 0);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    std::size_t size() const noexcept;
    /// Calls body(i) for i in [0, count), in any order, on the workers and on this thread.
    void run(std::size_t count, const std::function<void(std::size_t)>& body);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// CPUs that this process may use: the smaller of its affinity mask and its cgroup quota rounded up; at least 1.
std::size_t available_cpus();

}  // namespace rag::core
