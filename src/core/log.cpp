#include "core/log.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr int kOff = 100;
std::atomic<int> g_minimum{kOff};
thread_local bool t_in_sink = false;

struct Sink {
    LogSink call;
    std::size_t running = 0;  // calls that have not returned; guarded by the mutex
};

struct State {
    std::mutex mutex;
    std::condition_variable returned;
    std::shared_ptr<Sink> sink;
};

// Leaked on purpose: threads may still log while the process runs its exit handlers.
State& state() {
    static auto* value = new State;
    return *value;
}

}  // namespace

void set_log_sink(LogSink new_sink, LogLevel minimum) {
    if (t_in_sink) fail(Code::kInvalidState, "a log sink cannot be set from inside a log sink");
    auto next = new_sink ? std::make_shared<Sink>(Sink{std::move(new_sink), 0}) : nullptr;
    std::unique_lock lock(state().mutex);
    g_minimum = next ? static_cast<int>(minimum) : kOff;
    const std::shared_ptr<Sink> old = std::exchange(state().sink, std::move(next));
    if (old) state().returned.wait(lock, [&] { return old->running == 0; });
}

bool log_enabled(LogLevel level) noexcept {
    return static_cast<int>(level) >= g_minimum.load(std::memory_order_relaxed);
}

void log_line(LogLevel level, std::string_view text) noexcept {
    if (t_in_sink) return;
    std::unique_lock lock(state().mutex);
    const std::shared_ptr<Sink> current = state().sink;
    if (!current || !log_enabled(level)) return;  // asked again: the sink may have changed since the caller looked
    ++current->running;
    lock.unlock();
    t_in_sink = true;
    try {
        current->call(level, text);
    } catch (...) {  // a host's sink that throws must not take librag down; there is nobody to tell
    }
    t_in_sink = false;
    lock.lock();
    if (--current->running == 0) state().returned.notify_all();
}

}  // namespace rag::core
