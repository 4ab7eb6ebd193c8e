#include "libtorch/process_end.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace rag::core::libtorch {
namespace {

constexpr std::chrono::milliseconds kLongestWait{10'000};
constexpr std::chrono::milliseconds kLook{1};
// Each takes 32 bytes of the C library's list, for ever.
constexpr int kMostHandlers = 1 << 16;

// Trivially destroyed, because they are asked while static objects are.
std::atomic<bool> ends{false};
std::atomic<int> running{0};
std::atomic<int> handlers{0};
std::atomic<pid_t> process{0};
thread_local int own_jobs = 0;

}  // namespace

RunningJob::RunningJob() {
    // Counted first: end_computing() sets the flag and then looks at the count.
    ++running;
    ++own_jobs;
    try {
        check_process_goes_on();
    } catch (...) {
        --own_jobs;
        --running;
        throw;
    }
}

RunningJob::~RunningJob() {
    --own_jobs;
    --running;
}

void check_process_goes_on() {
    if (ends) {
        fail(Code::kInvalidState, "the process is ending, models compute no more");
    }
}

void end_computing() noexcept {
    const pid_t known = process;
    if (known != 0 && known != getpid()) {
        return;
    }
    ends = true;
    const auto until = std::chrono::steady_clock::now() + kLongestWait;
    // A callback may call exit() on a worker: that job is not waited for.
    while (running > own_jobs && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(kLook);
    }
}

void end_computing_at_exit() noexcept {
    process = getpid();
    if (!ends && handlers++ < kMostHandlers) {
        std::atexit([] { end_computing(); });
    }
}

}  // namespace rag::core::libtorch
