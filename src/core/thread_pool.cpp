#include "core/thread_pool.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/cpu_quota.hpp"
#include "core/error.hpp"
#include "core/fork_guard.hpp"
#include "core/signals_blocked.hpp"

namespace rag::core {
namespace {

/// The pool whose part this thread is in the middle of; null outside.
thread_local const void* t_inside = nullptr;

class Inside {
  public:
    explicit Inside(const void* pool) noexcept : before_(t_inside) { t_inside = pool; }
    ~Inside() { t_inside = before_; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

  private:
    const void* before_;
};

}  // namespace

std::size_t available_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::size_t count = std::max(1U, std::thread::hardware_concurrency());
    if (::sched_getaffinity(0, sizeof(set), &set) == 0) count = static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
    const std::size_t quota = cpu_quota();
    return quota == 0 ? count : std::max<std::size_t>(1, std::min(count, quota));
}

struct ThreadPool::State {
    struct Job {
        std::size_t count = 0;
        const std::function<void(std::size_t)>* body = nullptr;
        std::atomic<std::size_t> next{0};
        std::size_t working = 0;   // workers inside this job; guarded by mutex
        std::exception_ptr error;  // guarded by mutex
    };
    ForkGuard fork_guard;
    std::mutex run_mutex;  // one job at a time
    std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable finished;
    Job* job = nullptr;
    bool closing = false;
    std::vector<std::thread> threads;

    void work_on(Job& current) {
        const Inside inside(this);
        for (std::size_t i = current.next++; i < current.count; i = current.next++) {
            try {
                (*current.body)(i);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (!current.error) current.error = std::current_exception();
                current.next = current.count;  // the parts not yet begun are dropped
            }
        }
    }

    void loop() {
        std::unique_lock lock(mutex);
        while (true) {
            wake.wait(lock, [&] { return closing || (job != nullptr && job->next < job->count); });
            if (closing) return;
            Job& current = *job;
            ++current.working;
            lock.unlock();
            work_on(current);
            lock.lock();
            if (--current.working == 0) finished.notify_all();
        }
    }
};

ThreadPool::ThreadPool(std::size_t threads) : state_(std::make_unique<State>()) {
    if (threads == 0) threads = available_cpus();
    if (threads > kMaxThreads)
        fail(Code::kInvalidArgument, "{} threads are asked for, at most {} are made", threads, kMaxThreads);
    state_->threads.reserve(threads - 1);  // no exception once threads run
    const SignalsBlocked blocked;
    try {
        for (std::size_t i = 1; i < threads; ++i) state_->threads.emplace_back([state = state_.get()] { state->loop(); });
    } catch (const std::system_error&) {
        // Fewer threads than asked for is slower, not wrong.
    }
}

ThreadPool::~ThreadPool() {
    if (state_->fork_guard.in_child()) {
        // The threads exist in the parent alone: joining them, or destroying what they wait on, would hang.
        static_cast<void>(state_.release());
        return;
    }
    {
        const std::lock_guard lock(state_->mutex);
        state_->closing = true;
    }
    state_->wake.notify_all();
    for (auto& thread : state_->threads) thread.join();
}

std::size_t ThreadPool::size() const noexcept {
    return state_->threads.size() + 1;
}

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t)>& body) {
    state_->fork_guard.check("the thread pool");
    if (count == 0) return;
    if (count == 1 || state_->threads.empty() || t_inside == state_.get()) {
        for (std::size_t i = 0; i < count; ++i) body(i);
        return;
    }
    const std::lock_guard one_job(state_->run_mutex);
    State::Job job;
    job.count = count;
    job.body = &body;
    {
        const std::lock_guard lock(state_->mutex);
        state_->job = &job;
    }
    state_->wake.notify_all();
    state_->work_on(job);
    std::unique_lock lock(state_->mutex);
    state_->finished.wait(lock, [&] { return job.working == 0; });
    state_->job = nullptr;
    if (job.error) std::rethrow_exception(job.error);
}

}  // namespace rag::core
