// What every C++ header of librag shares: errors as exceptions, texts, callbacks that may throw. Header-only C++17 over rag.h, so
// that it works with every compiler, whatever librag.so was built with.
//
// Objects (rag::Engine, rag::Tokenizer, ...) own one handle: they move, they do not copy, and a moved-from object may only be
// destroyed or assigned to. Their thread rules are the table in rag.h. Functions throw rag::Error unless they say otherwise.
#pragma once

#include <rag/rag.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace rag {

/// A failed call: what() is rag_error_message(), code() the status (RAG_NOT_FOUND, ...).
class Error : public std::runtime_error {
  public:
    Error(rag_status code, const std::string& text) : std::runtime_error(text), code_(code) {}
    rag_status code() const noexcept { return code_; }

  private:
    rag_status code_;
};

/// A progress callback returned false. What was acknowledged before stays.
class Stopped : public Error {
  public:
    Stopped() : Error(RAG_STOPPED, "stopped by the caller") {}
};

/// Work done and work in all (0: not known yet); return false to stop. It may throw: the call stops and the exception goes on to
/// the caller.
using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// Version of the loaded library, such as "0.1.0".
inline std::string version() {
    return rag_version();
}

namespace detail {

inline void check(rag_status status) {
    if (status < 0) throw Error(status, rag_error_message());
    if (status == RAG_STOPPED) throw Stopped();
}

inline rag_text text(std::string_view value) noexcept {
    return {value.data(), value.size()};
}
inline std::string_view view(rag_text value) noexcept {
    return value.data == nullptr ? std::string_view() : std::string_view(value.data, value.size);
}
inline std::string copy(rag_text value) {
    return std::string(view(value));
}

/// Owns a handle and frees it.
template <typename T, void (*Free)(T*)>
struct Deleter {
    void operator()(T* handle) const noexcept { Free(handle); }
};
template <typename T, void (*Free)(T*)>
using Handle = std::unique_ptr<T, Deleter<T, Free>>;

using StringHandle = Handle<rag_string, rag_string_free>;

/// The text of a rag_string that a call made.
inline std::string take(rag_string* string) {
    const StringHandle owner(string);
    return copy(rag_string_text(string));
}

/// Carries a C++ callback through C: exceptions are kept, the call is stopped, rethrow() throws them on.
class ProgressBridge {
  public:
    explicit ProgressBridge(const Progress& progress) : progress_(progress) {}
    rag_progress_fn function() const noexcept { return progress_ ? &ProgressBridge::call : nullptr; }
    void* data() noexcept { return this; }
    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

  private:
    static int call(std::uint64_t done, std::uint64_t total, void* user_data) noexcept {
        auto* self = static_cast<ProgressBridge*>(user_data);
        try {
            return self->progress_(done, total) ? 0 : 1;
        } catch (...) {
            self->error_ = std::current_exception();
            return 1;
        }
    }
    const Progress& progress_;
    std::exception_ptr error_;
};

}  // namespace detail
}  // namespace rag
