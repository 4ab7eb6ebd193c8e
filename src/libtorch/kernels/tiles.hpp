// Products by tiles: 16 rows of 64 bytes, laid out as the matrix tiles of x86 are (AMX, Intel's Architecture Instruction Set
// Extensions, chapter 3). Where there is no AMX, dot products of vectors over the same layout stand in for it (AVX512-VNNI and
// AVX512-BF16). Which of them runs here, and what both share. Functions marked RAG_TILES may run only where tiles_available().
// Thread rule: any thread.
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

enum class TileWay { kNone, kVectors, kMatrix };
/// The fastest that the processor has and Linux lets the process use (it is asked once).
TileWay tile_way();

inline bool tiles_available() {
    return tile_way() != TileWay::kNone;
}

inline std::int64_t round_up(std::int64_t value, std::int64_t to) {
    return (value + to - 1) / to * to;
}

}  // namespace rag::core::libtorch::kernels
