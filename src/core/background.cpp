#include "core/background.hpp"

#include <exception>

#include "core/log.hpp"
#include "core/signals_blocked.hpp"

namespace rag::core {

Background::Background(const char* name, Step step) : name_(name), step_(std::move(step)) {}

Background::~Background() {
    stop();
    // In the child of a fork the handle names a thread that is not there.
    if (thread_.joinable()) thread_.detach();
}

void Background::wake() noexcept {
    if (fork_guard_.in_child()) return;
    try {
        const std::lock_guard lock(mutex_);
        work_ = true;
        if (!thread_.joinable()) {
            const SignalsBlocked blocked;
            stopping_ = std::make_shared<std::atomic<bool>>(false);
            thread_ = std::thread([this, stopping = stopping_] { loop(*stopping); });
        }
    } catch (const std::exception& error) {
        log(LogLevel::kWarning, "no thread for {}: {}", name_, error.what());
    }
    changed_.notify_all();
}

void Background::stop() noexcept {
    if (fork_guard_.in_child()) return;
    std::thread ending;
    {
        const std::lock_guard lock(mutex_);
        if (!thread_.joinable()) return;
        *stopping_ = true;
        ending = std::move(thread_);
    }
    changed_.notify_all();
    ending.join();
}

void Background::loop(const std::atomic<bool>& stopping) {
    const Progress progress = [&](std::uint64_t, std::uint64_t) { return !stopping.load(std::memory_order_relaxed); };
    while (true) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return work_ || stopping; });
            if (stopping) return;
            work_ = false;
        }
        try {
            const std::lock_guard running(running_);
            while (!stopping && step_(progress)) {
            }
        } catch (const Stopped&) {
            // Not done yet: for the thread that comes after this one.
            const std::lock_guard lock(mutex_);
            work_ = true;
        } catch (const std::exception& error) {
            log(LogLevel::kWarning, "{}: {}", name_, error.what());
        }
    }
}

}  // namespace rag::core
