// The log sink under change: a sink is not called after it was replaced, may throw, and cannot call back into a deadlock.
#include "core/log.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "expect_error.hpp"

using namespace rag::core;

TEST_CASE("nothing is passed on without a sink, and only from the minimum on") {
    set_log_sink(nullptr, LogLevel::kDebug);
    CHECK_FALSE(log_enabled(LogLevel::kError));
    std::string seen;
    set_log_sink([&](LogLevel, std::string_view text) { seen += text; }, LogLevel::kWarning);
    CHECK_FALSE(log_enabled(LogLevel::kInfo));
    log(LogLevel::kInfo, "a{}", 1);
    log(LogLevel::kWarning, "b{}", 2);
    log_line(LogLevel::kInfo, "c");
    log_line(LogLevel::kError, "{}");
    set_log_sink(nullptr, LogLevel::kDebug);
    log(LogLevel::kError, "d");
    CHECK(seen == "b2{}");
}

TEST_CASE("a sink that throws, logs or sets a sink does no harm") {
    int calls = 0;
    set_log_sink([&](LogLevel, std::string_view) { ++calls, throw std::runtime_error("host"); }, LogLevel::kDebug);
    log(LogLevel::kError, "x");
    log(LogLevel::kError, "y");
    CHECK(calls == 2);
    bool refused = false;
    set_log_sink(
        [&](LogLevel, std::string_view) {
            ++calls;
            log(LogLevel::kError, "from inside");
            try {
                set_log_sink(nullptr, LogLevel::kDebug);
            } catch (const Error& error) {
                refused = error.code() == Code::kInvalidState;
            }
        },
        LogLevel::kDebug);
    log(LogLevel::kError, "z");
    CHECK(calls == 3);
    CHECK(refused);
    set_log_sink(nullptr, LogLevel::kDebug);
}

TEST_CASE("when set_log_sink returns, the old sink runs nowhere") {
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            while (!stop) log(LogLevel::kInfo, "message {}", 1);
        });
    }
    std::atomic<std::size_t> bad{0};
    std::atomic<std::size_t> seen{0};
    for (int round = 0; round < 200; ++round) {
        // What a host frees after it has taken its sink back.
        auto state = std::make_unique<std::atomic<bool>>(true);
        set_log_sink(
            [alive = state.get(), &bad, &seen](LogLevel, std::string_view) {
                if (!*alive) ++bad;
                ++seen;
                std::this_thread::yield();
                if (!*alive) ++bad;
            },
            LogLevel::kDebug);
        std::this_thread::yield();
        set_log_sink(nullptr, LogLevel::kDebug);
        *state = false;
    }
    stop = true;
    for (auto& thread : threads) thread.join();
    CHECK(bad == 0);
}
