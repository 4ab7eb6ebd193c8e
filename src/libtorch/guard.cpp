#include "libtorch/guard.hpp"

#include <new>
#include <stdexcept>

#include "libtorch/process_end.hpp"

namespace rag::core::libtorch {
namespace {

// LibTorch's messages go on over many lines (operator lists, hints, back traces): only the first says what happened.
std::string first_line(std::string_view text) {
    const std::size_t end = text.find('\n');
    return std::string(text.substr(0, std::min(end, std::size_t{400})));
}

BackendStatus make_status(Code code, std::string text) {
    return {static_cast<std::int32_t>(code), std::move(text)};
}

}  // namespace

std::string quote(std::string_view text, std::size_t limit) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text.substr(0, limit)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7F || c == '"' || c == '\\') {
            out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
        } else {
            out += c;
        }
    }
    out += text.size() > limit ? "...\"" : "\"";
    return out;
}

std::string shape_text(std::span<const std::int64_t> shape) {
    std::string out = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) {
        out += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    }
    return out + "]";
}

void poll(const HostCall& call) {
    check_process_goes_on();
    if (call.stop != nullptr && call.stop(call.context)) {
        throw BackendError(Code::kStopped, "stopped");
    }
}

BackendStatus current_exception_status() noexcept {
    try {
        try {
            throw;
        } catch (const BackendError& error) {
            return make_status(error.code(), error.what());
        } catch (const c10::OutOfMemoryError& error) {
            return make_status(Code::kOutOfMemory, first_line(error.what_without_backtrace()));
        } catch (const c10::Error& error) {
            const std::string text = first_line(error.what_without_backtrace());
            // The CPU allocator reports exhaustion as a plain c10::Error.
            const bool memory =
                text.find("not enough memory") != std::string::npos || text.find("DefaultCPUAllocator") != std::string::npos;
            return make_status(memory ? Code::kOutOfMemory : Code::kInternal, "LibTorch: " + text);
        } catch (const std::bad_alloc&) {
            return make_status(Code::kOutOfMemory, "out of memory");
        } catch (const std::exception& error) {
            return make_status(Code::kInternal, first_line(error.what()));
        } catch (...) {
            return make_status(Code::kInternal, "an unknown exception");
        }
    } catch (...) {
        return {static_cast<std::int32_t>(Code::kOutOfMemory), {}};
    }
}

}  // namespace rag::core::libtorch
