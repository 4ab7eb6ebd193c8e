// Status, errors, log and the texts that librag makes.
#include <cstring>
#include <memory>
#include <new>

#include "arguments.hpp"
#include "core/cancel.hpp"
#include "core/log.hpp"
#include "guard.hpp"
#include "handles.hpp"

namespace rag::capi {
namespace {

struct ThreadState {
    std::string error;
    int stop_value = 0;
};

// A thread that ends may still call rag_..._free from another thread_local's destructor; a plain thread_local is then gone, which
// is why the functions below never touch it after destruction: only entries that can fail do.
ThreadState& state() noexcept {
    thread_local ThreadState value;
    return value;
}

}  // namespace

void begin_call() noexcept {
    state().error.clear();
    state().stop_value = 0;
}

rag_status set_error(rag_status code, std::string_view text) noexcept {
    try {
        std::string& error = state().error;
        error.assign(text);
        for (char& c : error) {
            if (c == '\n' || c == '\r' || c == '\0') c = ' ';
        }
    } catch (...) {
        state().error.clear();  // no memory for the text; the code still tells
    }
    return code;
}

void set_stop_value(int value) noexcept {
    state().stop_value = value;
}

rag_status report_current_exception() noexcept {
    try {
        throw;
    } catch (const core::Stopped&) {
        return RAG_STOPPED;
    } catch (const core::Error& error) {
        return set_error(static_cast<rag_status>(error.code()), error.what());
    } catch (const std::bad_alloc&) {
        return set_error(RAG_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception& error) {
        return set_error(RAG_INTERNAL, error.what());
    } catch (...) {
        return set_error(RAG_INTERNAL, "an exception of unknown type");
    }
}

}  // namespace rag::capi

using rag::capi::guard;

extern "C" {

const char* rag_version(void) noexcept {
    return RAG_VERSION_TEXT;
}

const char* rag_status_name(rag_status status) noexcept {
    switch (status) {
        case RAG_OK:
            return "RAG_OK";
        case RAG_STOPPED:
            return "RAG_STOPPED";
        case RAG_INVALID_ARGUMENT:
            return "RAG_INVALID_ARGUMENT";
        case RAG_NOT_FOUND:
            return "RAG_NOT_FOUND";
        case RAG_ALREADY_EXISTS:
            return "RAG_ALREADY_EXISTS";
        case RAG_CORRUPT:
            return "RAG_CORRUPT";
        case RAG_IO:
            return "RAG_IO";
        case RAG_UNSUPPORTED:
            return "RAG_UNSUPPORTED";
        case RAG_VERSION_MISMATCH:
            return "RAG_VERSION_MISMATCH";
        case RAG_BUSY:
            return "RAG_BUSY";
        case RAG_READ_ONLY:
            return "RAG_READ_ONLY";
        case RAG_OUT_OF_MEMORY:
            return "RAG_OUT_OF_MEMORY";
        case RAG_NO_BACKEND:
            return "RAG_NO_BACKEND";
        case RAG_INVALID_STATE:
            return "RAG_INVALID_STATE";
        case RAG_INTERNAL:
            return "RAG_INTERNAL";
        default:
            return "unknown status";
    }
}

const char* rag_error_message(void) noexcept {
    return rag::capi::state().error.c_str();
}

int rag_stop_value(void) noexcept {
    return rag::capi::state().stop_value;
}

rag_status rag_log_set(rag_log_fn sink, int32_t minimum, void* user_data) noexcept {
    return guard([&] {
        if (minimum < RAG_LOG_DEBUG || minimum > RAG_LOG_ERROR) {
            rag::core::fail(rag::core::Code::kInvalidArgument, "log level is {}, it must be {} to {}", minimum,
                            static_cast<int>(RAG_LOG_DEBUG), static_cast<int>(RAG_LOG_ERROR));
        }
        if (sink == nullptr) {
            rag::core::set_log_sink(nullptr, rag::core::LogLevel::kError);
            return;
        }
        rag::core::set_log_sink(
            [sink, user_data](rag::core::LogLevel line_level, std::string_view line) {
                sink(static_cast<rag_log_level>(line_level), {line.data(), line.size()}, user_data);
            },
            static_cast<rag::core::LogLevel>(minimum));
    });
}

rag_text rag_string_text(const rag_string* string) noexcept {
    if (string == nullptr) return {nullptr, 0};
    return {string->text.c_str(), string->text.size()};
}
void rag_string_free(rag_string* string) noexcept {
    delete string;
}

size_t rag_strings_count(const rag_strings* strings) noexcept {
    return strings == nullptr ? 0 : strings->texts.size();
}
rag_text rag_strings_at(const rag_strings* strings, size_t index) noexcept {
    if (strings == nullptr || index >= strings->texts.size()) return {nullptr, 0};
    return {strings->texts[index].c_str(), strings->texts[index].size()};
}
void rag_strings_free(rag_strings* strings) noexcept {
    delete strings;
}

}  // extern "C"
