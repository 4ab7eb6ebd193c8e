// The log sink. librag never prints: messages go to the function that the host set (rag_log_set), or nowhere.
// Thread rule: every function from any thread; the sink is called from any thread, by several at once, and must not call back
// into librag: a message logged from inside a sink is dropped, and setting a sink there is kInvalidState.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string_view>
#include <utility>

namespace rag::core {

enum class LogLevel : int { kDebug = 0, kInfo = 1, kWarning = 2, kError = 3 };
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Replaces the sink; an empty one silences librag. When it returns, the old sink is not running in any thread and never will
/// again, so that the host may free what it uses. (A host must not hold a lock here that its sink takes.)
void set_log_sink(LogSink sink, LogLevel minimum);
bool log_enabled(LogLevel level) noexcept;
void log_line(LogLevel level, std::string_view text) noexcept;

template <typename... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
    if (log_enabled(level)) log_line(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace rag::core
