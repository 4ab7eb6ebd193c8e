// The exception barrier of librag_torch.so: inside, code throws BackendError (or LibTorch throws c10::Error); guarded() turns
// whatever arrives into a BackendStatus with one line of text. Nothing prints, nothing crosses. Codes are those of rag_status.
// Thread rule: no shared state.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "libtorch/torch_pch.hpp"
#include "model/backend.hpp"

namespace rag::core::libtorch {

/// The codes of rag_status that a backend reports (core/error.hpp holds the same numbers; a test compares them).
enum class Code : std::int32_t {
    kStopped = 1,
    kInvalidArgument = -1,
    kCorrupt = -4,
    kUnsupported = -6,
    kVersion = -7,
    kOutOfMemory = -10,
    kInvalidState = -12,
    kInternal = -13,
};

class BackendError : public std::exception {
  public:
    BackendError(Code code, std::string text) : code_(code), text_(std::move(text)) {}
    Code code() const noexcept { return code_; }
    const char* what() const noexcept override { return text_.c_str(); }

  private:
    Code code_;
    std::string text_;
};

/// Throws BackendError; the parts are written one after another.
template <typename... Parts>
[[noreturn]] void fail(Code code, const Parts&... parts) {
    throw BackendError(code, c10::str(parts...));
}

/// Untrusted text in double quotes, control and non-ASCII bytes escaped, cut after `limit` bytes.
std::string quote(std::string_view text, std::size_t limit = 120);

/// "[30522, 384]"
std::string shape_text(std::span<const std::int64_t> shape);

/// Ends the call with code 1 when the host asks to stop, with kInvalidState when the process ends; called once a layer.
void poll(const HostCall& call);

/// What the exception in flight becomes.
BackendStatus current_exception_status() noexcept;

template <typename Function>
BackendStatus guarded(Function&& function) noexcept {
    try {
        function();
        return {};
    } catch (...) {
        return current_exception_status();
    }
}

}  // namespace rag::core::libtorch
