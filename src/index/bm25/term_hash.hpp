// The hash of terms in segment files: part of the file format (version 1), never to be changed. Multiply-and-fold over 8-byte
// little-endian words; good enough for tables that are half empty, and a few nanoseconds for a word.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "text/small_bytes.hpp"

namespace rag::core {

static_assert(std::endian::native == std::endian::little, "segments are little-endian and are mapped, not parsed");

inline std::uint64_t hash_term(std::string_view term) noexcept {
    constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15ULL;
    constexpr std::uint64_t kSecond = 0xD6E8FEB86659FD93ULL;
    std::uint64_t hash = kFirst ^ (term.size() * kSecond);
    const char* at = term.data();
    std::size_t left = term.size();
    const auto mix = [&hash](std::uint64_t part) {
        hash = (hash ^ part) * kSecond;
        hash ^= hash >> 32;
    };
    for (; left >= 8; left -= 8, at += 8) mix(load_bytes<std::uint64_t>(at));
    if (left != 0) mix(load_short(at, left));
    hash *= kFirst;
    return hash ^ (hash >> 29);
}

}  // namespace rag::core
