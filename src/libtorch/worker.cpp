#include "libtorch/worker.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

// From the OpenMP runtime that LibTorch brings. Unlike at::set_num_threads it sets the count of the calling thread only.
extern "C" void omp_set_num_threads(int count);

namespace rag::core::libtorch {

Worker::Worker(std::uint32_t threads) : threads_(std::max(threads, 1U)), process_(getpid()) {
    // The host's signal handlers are to run on the host's threads.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        thread_ = std::thread([this] { loop(); });
    } catch (...) {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Worker::~Worker() {
    if (getpid() != process_) {
        thread_.detach();  // a forked child: there is no thread to wait for
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        quit_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

BackendStatus Worker::run(const std::function<void()>& job) noexcept {
    if (getpid() != process_) {
        return guarded(
            [] { fail(Code::kInvalidState, "the model was loaded before fork(); load it again in the child process"); });
    }
    const std::lock_guard turn(turn_);
    std::unique_lock lock(mutex_);
    job_ = &job;
    done_ = false;
    changed_.notify_all();
    changed_.wait(lock, [this] { return done_; });
    return std::move(status_);
}

void Worker::loop() noexcept {
    pthread_setname_np(pthread_self(), "rag-model");
    // The first calls make LibTorch set this thread's count from its global one, once for the copy of the inline flag in this
    // library and once for the copy in libtorch_cpu; ours goes on top.
    at::internal::lazy_init_num_threads();
    at::get_num_threads();
    omp_set_num_threads(static_cast<int>(threads_));
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return quit_ || job_ != nullptr; });
        if (quit_) {
            return;
        }
        const std::function<void()>* job = job_;
        lock.unlock();
        BackendStatus status = guarded([job] {
            const c10::InferenceMode inference;
            (*job)();
        });
        lock.lock();
        job_ = nullptr;
        status_ = std::move(status);
        done_ = true;
        changed_.notify_all();
    }
}

}  // namespace rag::core::libtorch
