// Who gives way to whom. Times are not tested, only that pauses happen where they should, and are bounded.
#include <catch2/catch.hpp>
#include <chrono>
#include <ctime>
#include <memory>
#include <vector>

#include "core/courtesy.hpp"
#include "core/thread_pool.hpp"

using namespace rag::core;

namespace {

/// Computes for some milliseconds of the thread's time; returns the share of the wall time in which it did not compute.
double share_paused(Pace& pace) {
    const auto cpu_ms = [] {
        std::timespec now{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
    };
    const auto begin = std::chrono::steady_clock::now();
    const double first = cpu_ms();
    while (cpu_ms() - first < 40) pace.give_way();
    const double worked = cpu_ms() - first;
    return 1 - worked / std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

TEST_CASE("work pauses while searches need the cores") {
    Courtesy courtesy;
    std::vector<std::unique_ptr<Courtesy::Guest>> guests;
    for (std::size_t i = 0; i < available_cpus(); ++i) guests.push_back(std::make_unique<Courtesy::Guest>(courtesy));
    Pace pace(courtesy, 1);
    // Half, as long as it may run at all; on a busy machine more.
    CHECK(share_paused(pace) > 0.3);
    Pace patient(courtesy, 3);
    CHECK(share_paused(patient) > 0.6);  // three quarters
}

TEST_CASE("work that alone has the machine does not pause") {
    Courtesy courtesy;
    Pace pace(courtesy, 1);
    const auto sleeps_of = [&] {
        std::size_t sleeps = 0;
        for (int i = 0; i < 1000; ++i) {
            const auto begin = std::chrono::steady_clock::now();
            pace.give_way();
            sleeps += std::chrono::steady_clock::now() - begin > std::chrono::microseconds(200) ? 1U : 0U;
        }
        return sleeps;
    };
    // Other processes may take the core away now and then.
    CHECK(sleeps_of() < 100);
    {
        const Courtesy::Guest gone(courtesy);
    }
    CHECK(sleeps_of() < 100);
}
