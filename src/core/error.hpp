// The one way in which librag's internals report failure: they throw Error, which carries a code of the C ABI and one line of
// text that names the object and the values. The C binding turns it (and every other exception) into a rag_status. Nothing in
// src/ prints or aborts. Thread rule: Error is a value; there is no shared state.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace rag::core {

/// Codes of rag_status (rag/rag.h holds the same numbers; a test compares them).
enum class Code : std::int32_t {
    kOk = 0,
    kStopped = 1,           // a note, not an error: a callback or cancel asked to stop
    kInvalidArgument = -1,  // the caller's value is outside what the function takes
    kNotFound = -2,         // a file, id or name that does not exist
    kAlreadyExists = -3,    // an id that is there already
    kCorrupt = -4,          // stored data contradicts itself: truncated, wrong checksum, impossible sizes
    kIo = -5,               // the operating system refused to read or write
    kUnsupported = -6,      // well-formed, but librag does not know it: architecture, stage, element type
    kVersion = -7,          // written by a newer librag, or a library of another version
    kBusy = -8,             // another writer holds the knowledge base
    kReadOnly = -9,         // a write to something opened read-only
    kOutOfMemory = -10,
    kNoBackend = -11,     // librag_torch.so or LibTorch cannot be loaded
    kInvalidState = -12,  // closed, forked, or a feature whose model is missing
    kInternal = -13,      // a defect of librag
};

/// Thrown by everything in src/. `what()` is one line without the name of the function.
class Error : public std::runtime_error {
  public:
    Error(Code code, const std::string& text);
    Code code() const noexcept { return code_; }

  private:
    Code code_;
};

/// Throws Error with a formatted text: fail(Code::kNotFound, "no document {}", quote(id)).
template <typename... Args>
[[noreturn]] void fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
    throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

/// Untrusted text for an error message: in double quotes, control characters and invalid UTF-8 escaped, cut after
/// `limit` bytes with an ellipsis, so that a message stays one readable line whatever the input was.
std::string quote(std::string_view text, std::size_t limit = 120);

}  // namespace rag::core
