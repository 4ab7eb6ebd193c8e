// Checksums of derived files: XXH3 (64 bits, xxHash specification 0.2.0) by block, so that damage is found and named before a
// byte of it is believed. Against accidents, not against an attacker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rag::core {

std::uint64_t checksum64(std::span<const std::byte> bytes, std::uint64_t seed = 0) noexcept;

}  // namespace rag::core
