// The background thread: it works when woken, stops promptly, begins again, survives exceptions and fork.
#include "core/background.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace rag::core;

namespace {

template <typename Condition>
bool comes_true(const Condition& condition) {
    for (int i = 0; i < 20'000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return condition();
}

/// A step that never ends by itself.
bool work_for_ever(const Progress& progress) {
    while (true) {
        report(progress, 0, 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

}  // namespace

TEST_CASE("a step is repeated until it has nothing left, and again at the next wake") {
    std::atomic<int> left{5};
    std::atomic<int> steps{0};
    Background background("work", [&](const Progress&) {
        ++steps;
        return --left > 0;
    });
    CHECK(steps == 0);
    background.wake();
    CHECK(comes_true([&] { return left == 0; }));
    left = 2;
    background.wake();
    CHECK(comes_true([&] { return left == 0; }));
    background.stop();
    CHECK(steps == 7);
}

TEST_CASE("stop ends a step at its poll, and what was not done is done by the next thread") {
    std::atomic<int> begun{0};
    Background background("work", [&](const Progress& progress) {
        ++begun;
        return begun == 1 ? work_for_ever(progress) : false;
    });
    background.stop();
    background.wake();
    REQUIRE(comes_true([&] { return begun == 1; }));
    background.stop();
    background.stop();
    CHECK(begun == 1);
    background.wake();
    CHECK(comes_true([&] { return begun == 2; }));
}

TEST_CASE("destruction ends a step, and an exception in one is no end of the thread") {
    std::atomic<int> begun{0};
    {
        Background background("work", [&](const Progress& progress) -> bool {
            if (++begun == 1) throw std::runtime_error("no");
            return work_for_ever(progress);
        });
        background.wake();
        REQUIRE(comes_true([&] { return begun == 1; }));
        background.wake();
        REQUIRE(comes_true([&] { return begun == 2; }));
    }
    CHECK(begun == 2);
}

TEST_CASE("wake and stop from many threads") {
    std::atomic<int> inside{0};
    std::atomic<bool> overlapped{false};
    Background background("work", [&](const Progress& progress) {
        if (++inside > 1) overlapped = true;
        std::this_thread::sleep_for(std::chrono::microseconds(200));
        --inside;
        report(progress, 0, 0);
        return false;
    });
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 200; ++i) {
                background.wake();
                if (i % 10 == t) background.stop();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK_FALSE(overlapped);
}

TEST_CASE("in the child of a fork nothing begins and nothing hangs") {
    Background* background = new Background("work", work_for_ever);
    background->wake();
    const pid_t child = ::fork();
    if (child == 0) {
        background->wake();
        background->stop();
        ::_exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    delete background;
}
