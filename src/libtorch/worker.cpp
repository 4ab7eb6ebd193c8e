#include "libtorch/worker.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <bit>

#include "libtorch/process_end.hpp"

// From the OpenMP runtime that LibTorch brings. Unlike at::set_num_threads it sets the count of the calling thread only.
extern "C" void omp_set_num_threads(int count);

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kWorkOfOneThread = std::int64_t{1} << 24;  // a fraction of a millisecond

// Whether job number `count` of a worker may have made LibTorch set up something for the first time: of few jobs each, later ever
// fewer.
bool may_be_new(std::uint64_t count) {
    return count <= 16 || std::has_single_bit(count);
}

}  // namespace

Worker::Worker(std::uint32_t threads) : threads_(std::max(threads, 1U)), process_(getpid()), shared_(std::make_unique<Shared>()) {
    // The host's signal handlers are to run on the host's threads.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        shared_->thread = std::thread([&shared = *shared_, count = threads_] { loop(shared, count); });
    } catch (...) {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Worker::~Worker() {
    if (getpid() != process_) {
        static_cast<void>(shared_.release());
        return;
    }
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->quit = true;
    }
    shared_->changed.notify_all();
    shared_->thread.join();
}

void Worker::size_team(std::int64_t multiply_adds) const noexcept {
    omp_set_num_threads(multiply_adds < kWorkOfOneThread ? 1 : static_cast<int>(threads_));
}

BackendStatus Worker::run(const std::function<void()>& job) noexcept {
    if (getpid() != process_) {
        return guarded(
            [] { fail(Code::kInvalidState, "the model was loaded before fork(); load it again in the child process"); });
    }
    Shared& shared = *shared_;
    const std::lock_guard turn(shared.turn);
    std::unique_lock lock(shared.mutex);
    shared.job = &job;
    shared.done = false;
    shared.changed.notify_all();
    shared.changed.wait(lock, [&shared] { return shared.done; });
    return std::move(shared.status);
}

void Worker::loop(Shared& shared, std::uint32_t threads) noexcept {
    pthread_setname_np(pthread_self(), "rag-model");
    // The first calls make LibTorch set this thread's count from its global one, once for the copy of the inline flag in this
    // library and once for the copy in libtorch_cpu; ours goes on top. When the process ends, jobs say so too.
    static_cast<void>(guarded([threads] {
        const RunningJob running;
        at::internal::lazy_init_num_threads();
        at::get_num_threads();
        omp_set_num_threads(static_cast<int>(threads));
    }));
    std::uint64_t jobs = 0;
    std::unique_lock lock(shared.mutex);
    for (;;) {
        shared.changed.wait(lock, [&shared] { return shared.quit || shared.job != nullptr; });
        if (shared.quit) {
            return;
        }
        const std::function<void()>* job = shared.job;
        lock.unlock();
        BackendStatus status = guarded([job, count = ++jobs] {
            const RunningJob running;
            const c10::InferenceMode inference;
            (*job)();
            if (may_be_new(count)) {
                end_computing_at_exit();
            }
        });
        lock.lock();
        shared.job = nullptr;
        shared.status = std::move(status);
        shared.done = true;
        shared.changed.notify_all();
    }
}

}  // namespace rag::core::libtorch
