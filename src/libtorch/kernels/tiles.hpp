// The matrix tiles of x86 (AMX, Intel's Architecture Instruction Set Extensions, chapter 3): whether they may be used, and their
// shapes as all kernels here have them: eight tiles of 16 rows of 64 bytes, 0 to 3 for sums, 4 and 5 for left factors, 6 and 7
// for right factors. Functions marked RAG_TILES may run only where tiles_available(). Thread rule: any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>
#define RAG_TILES \
    __attribute__((target("amx-tile,amx-int8,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx512vnni,fma")))
#endif

namespace rag::core::libtorch::kernels {

inline constexpr std::int64_t kTileRows = 16;
inline constexpr std::int64_t kPairedRows = 32;    // rows and columns that two tiles hold
inline constexpr std::int64_t kTileRowBytes = 64;  // 64 bytes, 32 bfloat16 or 16 sums
inline constexpr std::size_t kTileBytes = 16 * 64;

/// Whether the processor has these tiles and Linux lets the process use them (it is asked once).
bool tiles_available();

inline std::int64_t round_up(std::int64_t value, std::int64_t to) {
    return (value + to - 1) / to * to;
}

#if defined(RAG_TILES)

/// On the calling thread, until _tile_release().
RAG_TILES inline void configure_tiles() {
    alignas(64) std::uint8_t config[64] = {};
    config[0] = 1;  // palette
    for (int tile = 0; tile < 8; ++tile) {
        config[16 + 2 * tile] = 64;
        config[48 + tile] = 16;
    }
    asm volatile("" ::"r"(config) : "memory");  // see memory_in_place(); this array has no other reader
    _tile_loadconfig(config);
}

/// GCC's intrinsics that load a tile do not say that they read memory: what was written before must be in place.
inline void memory_in_place() {
    asm volatile("" ::: "memory");
}

#endif

}  // namespace rag::core::libtorch::kernels
