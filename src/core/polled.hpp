// Progress on the calling thread, whatever the work does. Models poll once a layer and from threads of their own, a graph reports
// rows: run_polled does the work on a helper thread, while the calling thread asks the caller's function every 50 ms, or more
// often where the work itself looks seldom. So callbacks come from the thread that called (where a host can look for its
// signals), and never less often than promised.
#pragma once

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "core/cancel.hpp"

namespace rag::core {

/// Calls work(inner), where `inner` is what the work reports to. Throws what the work throws; a caller that stops makes the work
/// throw Stopped. If the caller's own function throws, the work is stopped and that exception goes on.
template <typename Work>
void run_polled(const Progress& progress, const Work& work, std::chrono::milliseconds interval = std::chrono::milliseconds(50)) {
    if (!progress) {
        work(Progress());
        return;
    }
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> total{0};
    std::atomic<bool> stop{false};
    const Progress inner = [&](std::uint64_t now, std::uint64_t of) {
        done = now;
        total = of;
        return !stop.load();
    };
    std::future<void> result = std::async(std::launch::async, [&] { work(inner); });
    try {
        while (result.wait_for(interval) != std::future_status::ready) {
            if (!stop && !progress(done, total)) stop = true;
        }
    } catch (...) {
        stop = true;
        result.wait();
        throw;
    }
    result.get();
    // The last word: bars end full, and a call that was quicker than one interval is reported too.
    if (!progress(total, total)) throw Stopped();
}

}  // namespace rag::core
