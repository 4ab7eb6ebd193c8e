// The one place where C++ exceptions become a rag_status and a line of text. Every function of rag.h that can fail has its body
// inside guard(), so nothing ever crosses the C boundary. Thread rule: the last error is kept per thread.
#pragma once

#include <rag/rag.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.hpp"

namespace rag::capi {

/// Clears this thread's last error and stop value: each entry begins with it.
void begin_call() noexcept;
/// Keeps `text` as this thread's last error and gives `code` back. Line breaks become spaces.
rag_status set_error(rag_status code, std::string_view text) noexcept;
/// Turns the exception being handled into code and text.
rag_status report_current_exception() noexcept;
/// What the callback returned that stopped this thread's call.
void set_stop_value(int value) noexcept;

/// Runs `body` (which may return a rag_status, or nothing for RAG_OK) behind the barrier.
template <typename Body>
rag_status guard(Body&& body) noexcept {
    begin_call();
    try {
        if constexpr (std::is_void_v<decltype(body())>) {
            std::forward<Body>(body)();
            return RAG_OK;
        } else {
            return std::forward<Body>(body)();
        }
    } catch (...) {
        return report_current_exception();
    }
}

}  // namespace rag::capi
