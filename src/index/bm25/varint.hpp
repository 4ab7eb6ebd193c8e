// Numbers of variable length (LEB128: seven bits a byte, the lowest first) in the lists of a segment. What is read is hostile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rag::core {

inline void put_varint(std::vector<std::uint8_t>& bytes, std::uint32_t value) {
    for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<std::uint8_t>(value | 0x80U));
    bytes.push_back(static_cast<std::uint8_t>(value));
}

/// Decodes one number; false at the end of the bytes or beyond 32 bits.
inline bool read_varint(std::span<const std::uint8_t> bytes, std::size_t& at, std::uint32_t& value) noexcept {
    if (at < bytes.size() && bytes[at] < 0x80) {
        value = bytes[at++];
        return true;
    }
    value = 0;
    for (unsigned shift = 0; shift < 35 && at < bytes.size(); shift += 7) {
        const std::uint8_t byte = bytes[at++];
        if (shift == 28 && byte > 0x0F) return false;
        value |= static_cast<std::uint32_t>(byte & 0x7FU) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

}  // namespace rag::core
