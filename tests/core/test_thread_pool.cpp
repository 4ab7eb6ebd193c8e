// The thread pool under load, nesting, exceptions, fork and shutdown; `make tsan` runs the same.
#include "core/thread_pool.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "expect_error.hpp"

using namespace rag::core;
using rag::test::expect_error;

TEST_CASE("every part is done exactly once, for every shape of work") {
    for (const std::size_t threads : {1, 2, 3, 8}) {
        ThreadPool pool(threads);
        CHECK(pool.size() == threads);
        for (const std::size_t count : {0, 1, 2, 7, 64, 1000}) {
            std::vector<std::atomic<int>> done(count);
            pool.run(count, [&](std::size_t i) { ++done[i]; });
            for (const auto& times : done) REQUIRE(times == 1);
        }
    }
}

TEST_CASE("what bodies wrote is visible after run, without atomics") {
    ThreadPool pool(4);
    std::vector<std::size_t> values(1000);
    for (std::size_t round = 0; round < 300; ++round) {
        pool.run(values.size(), [&](std::size_t i) { values[i] = i + round; });
        REQUIRE(std::accumulate(values.begin(), values.end(), std::size_t{0}) == 499500 + 1000 * round);
    }
}

TEST_CASE("short jobs in a row do not lose a wake-up or reach into the next job") {
    ThreadPool pool(3);
    std::size_t total = 0;
    for (std::size_t round = 0; round < 20000; ++round) {
        std::atomic<std::size_t> sum{0};
        pool.run(2 + round % 3, [&](std::size_t i) { sum += i + 1; });
        total += sum;
    }
    CHECK(total == 6667 * 3 + 6667 * 6 + 6666 * 10);
}

TEST_CASE("calls from several threads are all served") {
    ThreadPool pool(3);
    std::atomic<std::size_t> sum{0};
    std::vector<std::thread> callers;
    for (int t = 0; t < 6; ++t) {
        callers.emplace_back([&] {
            for (int round = 0; round < 300; ++round) pool.run(10, [&](std::size_t i) { sum += i; });
        });
    }
    for (auto& caller : callers) caller.join();
    CHECK(sum == 6U * 300U * 45U);
}

TEST_CASE("a body may run a loop on the pool that it is part of, and on another one") {
    ThreadPool pool(3);
    ThreadPool other(2);
    std::atomic<std::size_t> sum{0};
    pool.run(8, [&](std::size_t) {
        pool.run(10, [&](std::size_t i) {
            sum += i;
            pool.run(2, [&](std::size_t j) { sum += 1000 * j; });
        });
        other.run(5, [&](std::size_t i) { sum += 1000000 * i; });
    });
    CHECK(sum == 8U * 45U + 8U * 10U * 1000U + 8U * 10U * 1000000U);
    pool.run(4, [&](std::size_t) { ++sum; });  // the outer loop uses the workers again
    CHECK(sum == 8U * 45U + 8U * 10U * 1000U + 8U * 10U * 1000000U + 4U);
}

TEST_CASE("the first exception comes out, the rest is dropped, the pool goes on") {
    ThreadPool pool(4);
    for (int round = 0; round < 200; ++round) {
        std::atomic<int> running{0};
        std::atomic<std::size_t> begun{0};
        try {
            pool.run(100000, [&](std::size_t i) {
                ++running;
                ++begun;
                if (i == 17) {
                    --running;
                    throw std::runtime_error("part 17");
                }
                --running;
            });
            FAIL("no exception");
        } catch (const std::runtime_error& error) {
            CHECK(error.what() == std::string("part 17"));
            REQUIRE(running == 0);  // no part is still at work with references into this frame
        }
        std::atomic<std::size_t> sum{0};
        pool.run(10, [&](std::size_t i) { sum += i; });
        REQUIRE(sum == 45);
    }
    // All parts throw at once; something that is no std::exception.
    CHECK_THROWS_AS(pool.run(50, [](std::size_t i) { throw i; }), std::size_t);
    ThreadPool single(1);
    CHECK_THROWS_AS(single.run(50, [](std::size_t i) { throw i; }), std::size_t);
}

TEST_CASE("the workers really work beside the caller") {
    ThreadPool pool(2);
    std::atomic<int> waiting{0};
    // Each of two parts waits until the other has begun: with one thread this would never end.
    pool.run(2, [&](std::size_t) {
        ++waiting;
        while (waiting < 2) std::this_thread::yield();
    });
    CHECK(waiting == 2);
}

TEST_CASE("pools come and go, also without work") {
    for (int round = 0; round < 100; ++round) {
        ThreadPool pool(1 + static_cast<std::size_t>(round) % 5);
        if (round % 2 == 0) pool.run(3, [](std::size_t) {});
    }
    CHECK(ThreadPool().size() == available_cpus());
    CHECK(available_cpus() >= 1);
}

TEST_CASE("absurd thread counts are refused before a thread is made") {
    expect_error(Code::kInvalidArgument, {"1025", "1024"}, [] { ThreadPool pool(1025); });
    expect_error(Code::kInvalidArgument, {}, [] { ThreadPool pool(~std::size_t{0}); });
}

TEST_CASE("workers leave the host's signals to the host's threads") {
    ThreadPool pool(3);
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> waiting{0};
    std::atomic<int> wrong{0};
    pool.run(3, [&](std::size_t) {
        ++waiting;
        while (waiting < 3) std::this_thread::yield();
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        const bool blocked = ::sigismember(&mask, SIGINT) == 1 && ::sigismember(&mask, SIGTERM) == 1;
        if (blocked == (std::this_thread::get_id() == caller)) ++wrong;
        if (::sigismember(&mask, SIGSEGV) == 1) ++wrong;
    });
    CHECK(wrong == 0);
}

#if !defined(__SANITIZE_THREAD__)  // TSan does not follow a fork of a process with threads
TEST_CASE("in the child of a fork the pool refuses to work, and goes away without hanging") {
    auto pool = std::make_unique<ThreadPool>(3);
    pool->run(10, [](std::size_t) {});
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        int result = 1;
        try {
            pool->run(10, [](std::size_t) {});
        } catch (const Error& error) {
            result = error.code() == Code::kInvalidState ? 0 : 2;
        }
        pool.reset();
        ThreadPool own(2);
        std::atomic<int> sum{0};
        own.run(10, [&](std::size_t) { ++sum; });
        ::_exit(sum == 10 ? result : 3);
    }
    int status = 0;
    for (int waited_ms = 0; ::waitpid(child, &status, WNOHANG) == 0; waited_ms += 10) {
        if (waited_ms > 10000) {
            ::kill(child, SIGKILL);
            ::waitpid(child, &status, 0);
            FAIL("the child hangs");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    pool->run(10, [](std::size_t) {});  // the parent is not touched
}
#endif
