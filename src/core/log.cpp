#include "core/log.hpp"

#include <atomic>
#include <memory>
#include <mutex>

namespace rag::core {
namespace {

constexpr int kOff = 100;
std::atomic<int> g_minimum{kOff};

// Leaked on purpose: threads may still log while the process runs its exit handlers.
std::mutex& sink_mutex() {
    static auto* mutex = new std::mutex;
    return *mutex;
}
std::shared_ptr<const LogSink>& sink() {
    static auto* value = new std::shared_ptr<const LogSink>;
    return *value;
}

}  // namespace

void set_log_sink(LogSink new_sink, LogLevel minimum) {
    const std::lock_guard lock(sink_mutex());
    g_minimum = new_sink ? static_cast<int>(minimum) : kOff;
    sink() = new_sink ? std::make_shared<const LogSink>(std::move(new_sink)) : nullptr;
}

bool log_enabled(LogLevel level) noexcept {
    return static_cast<int>(level) >= g_minimum.load(std::memory_order_relaxed);
}

void log_line(LogLevel level, std::string_view text) noexcept {
    std::shared_ptr<const LogSink> current;
    {
        const std::lock_guard lock(sink_mutex());
        current = sink();
    }
    if (!current) return;
    try {
        (*current)(level, text);
    } catch (...) {  // a host's sink that throws must not take librag down; there is nobody to tell
    }
}

}  // namespace rag::core
