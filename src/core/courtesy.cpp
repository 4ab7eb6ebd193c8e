#include "core/courtesy.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <thread>

#include "core/thread_pool.hpp"

namespace rag::core {
namespace {

// Less is not worth a switch of threads, more is felt by the searches.
constexpr double kLeastWorkMs = 0.25;
constexpr double kLongestPauseMs = 2;

double cpu_ms() noexcept {
    std::timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace

Courtesy::Courtesy() : cores_(available_cpus()) {}

void Pace::give_way() noexcept {
    if (!courtesy_.crowded()) {
        counting_ = false;
        return;
    }
    const double now = cpu_ms();
    if (!counting_) {
        counting_ = true;
        worked_to_ms_ = now;
        return;
    }
    const double worked = now - worked_to_ms_;
    if (worked < kLeastWorkMs) return;
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(std::min(patience_ * worked, kLongestPauseMs)));
    worked_to_ms_ = cpu_ms();
}

}  // namespace rag::core
