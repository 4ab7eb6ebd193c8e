// SHA-256 (FIPS 180-4), for the files of a model: what publishers give beside a download. Against an attacker too, as far as
// whoever gave the sum is trusted; for librag's own files core/checksum.hpp is quicker. Thread rule: one object, one thread at a
// time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace rag::core {

class Sha256 {
  public:
    void add(std::span<const std::byte> bytes);
    /// 64 hexadecimal digits in lower case; nothing may be added afterwards.
    std::string finish();

  private:
    void take_block(const std::byte* block);
    std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                           0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::byte, 64> pending_{};
    std::uint64_t total_ = 0;  // bytes
};

}  // namespace rag::core
