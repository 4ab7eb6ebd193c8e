// Loads and comparisons of a few bytes without a call into the C library: words are short, and they are hashed and compared
// millions of times. Results are those of memcpy and memcmp; nothing is read beyond the bytes given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rag::core {

template <typename T>
T load_bytes(const char* at) noexcept {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

/// The first `size` < 8 bytes as a little-endian number.
inline std::uint64_t load_short(const char* at, std::size_t size) noexcept {
    if (size >= 4) {
        return load_bytes<std::uint32_t>(at) | std::uint64_t{load_bytes<std::uint32_t>(at + size - 4)} << (8 * (size - 4));
    }
    if (size >= 2) {
        return load_bytes<std::uint16_t>(at) | std::uint64_t{load_bytes<std::uint8_t>(at + size - 1)} << (8 * (size - 1));
    }
    return size == 0 ? 0 : load_bytes<std::uint8_t>(at);
}

inline bool equal_bytes(const char* a, const char* b, std::size_t size) noexcept {
    if (size < 8) return load_short(a, size) == load_short(b, size);
    std::size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        if (load_bytes<std::uint64_t>(a + at) != load_bytes<std::uint64_t>(b + at)) return false;
    }
    return load_bytes<std::uint64_t>(a + size - 8) == load_bytes<std::uint64_t>(b + size - 8);
}

}  // namespace rag::core
