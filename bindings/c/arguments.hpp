// Checks of what comes in through C: pointers, option structs of other versions, texts, callbacks. All throw
// Error(kInvalidArgument) naming the argument.
#pragma once

#include <rag/rag.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/cancel.hpp"
#include "core/error.hpp"
#include "core/utf8.hpp"
#include "guard.hpp"

namespace rag::capi {

using core::Code;
using core::fail;

template <typename T>
T& require(T* pointer, const char* name) {
    if (pointer == nullptr) fail(Code::kInvalidArgument, "{} is NULL", name);
    return *pointer;
}

/// An array of `count` elements; NULL only where count is 0.
template <typename T>
void require_array(const T* pointer, std::size_t count, const char* name) {
    if (pointer == nullptr && count != 0) fail(Code::kInvalidArgument, "{} is NULL and the count is {}", name, count);
}

/// A struct of the caller that begins with struct_size, as this version knows it. Shorter (an older caller): the rest is taken
/// from `defaults`. Longer (a newer caller): fine if the unknown tail is zero. `first_size`: the struct's size in the version
/// that brought it.
template <typename T>
T read_struct(const T* given, const T& defaults, const char* name, std::size_t first_size = sizeof(T)) {
    static_assert(std::is_trivially_copyable_v<T> && offsetof(T, struct_size) == 0);
    if (given == nullptr) return defaults;
    const std::uint32_t size = given->struct_size;
    if (size < first_size || size > (1U << 16)) {
        fail(Code::kInvalidArgument, "{}.struct_size is {}, this librag knows {}: set the struct with its INIT macro", name, size,
             sizeof(T));
    }
    T known = defaults;
    std::memcpy(&known, given, std::min<std::size_t>(size, sizeof(T)));
    const auto* bytes = reinterpret_cast<const unsigned char*>(given);
    for (std::size_t i = sizeof(T); i < size; ++i) {
        if (bytes[i] != 0) {
            fail(Code::kInvalidArgument, "{} sets a field at byte {} that this librag ({} bytes) does not know", name, i,
                 sizeof(T));
        }
    }
    return known;
}

/// Writes an out struct whose struct_size the caller has set: as much of it as the caller has room for.
template <typename T>
void write_struct(T* out, T value, const char* name, std::size_t first_size = sizeof(T)) {
    static_assert(std::is_trivially_copyable_v<T> && offsetof(T, struct_size) == 0);
    const std::uint32_t size = require(out, name).struct_size;
    if (size < first_size || size > (1U << 16)) {
        fail(Code::kInvalidArgument, "{}.struct_size is {}, this librag knows {}: set the struct with its INIT macro", name, size,
             sizeof(T));
    }
    std::memset(reinterpret_cast<unsigned char*>(out) + sizeof(size), 0, size - sizeof(size));
    value.struct_size = size;
    std::memcpy(out, &value, std::min<std::size_t>(size, sizeof(T)));
}

/// NULL with a size counts as given, so that what reads it can refuse it.
inline bool given(rag_text text) noexcept {
    return text.data != nullptr || text.size != 0;
}

/// A text's bytes, unchecked; a NULL with a size is refused.
inline std::string_view bytes_of(rag_text text, const char* name) {
    if (text.data == nullptr && text.size != 0) fail(Code::kInvalidArgument, "{} is NULL and its size is {}", name, text.size);
    return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

/// Well-formed UTF-8.
inline std::string_view text_of(rag_text text, const char* name) {
    const std::string_view view = bytes_of(text, name);
    core::require_utf8(view, name);
    return view;
}

/// Nothing where the text is not given.
inline std::optional<std::string> optional_name(rag_text text, const char* name) {
    if (!given(text)) return std::nullopt;
    return std::string(text_of(text, name));
}

inline std::filesystem::path path_of(rag_text text, const char* name) {
    const std::string_view view = bytes_of(text, name);
    if (view.empty()) fail(Code::kInvalidArgument, "{} is empty", name);
    if (view.find('\0') != std::string_view::npos)
        fail(Code::kInvalidArgument, "{} {} holds a NUL byte", name, core::quote(view));
    return {view};
}

inline std::vector<std::string_view> texts_of(const rag_text* texts, std::size_t count, const char* name) {
    require_array(texts, count, name);
    std::vector<std::string_view> views;
    views.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        const std::string_view view = bytes_of(texts[i], name);
        const std::size_t bad = core::find_invalid_utf8(view);
        if (bad != std::string_view::npos) {
            fail(Code::kInvalidArgument, "{}[{}] is not valid UTF-8: byte 0x{:02x} at offset {}", name, i,
                 static_cast<unsigned char>(view[bad]), bad);
        }
        views.push_back(view);
    }
    return views;
}

/// A C progress callback as the core's; its non-zero value is kept for rag_stop_value().
inline core::Progress progress_of(rag_progress_fn function, void* user_data) {
    if (function == nullptr) return nullptr;
    return [function, user_data](std::uint64_t done, std::uint64_t total) {
        const int value = function(done, total, user_data);
        if (value != 0) set_stop_value(value);
        return value == 0;
    };
}

}  // namespace rag::capi
