#include "libtorch/kernels/tiles.hpp"

#if defined(RAG_TILES)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace rag::core::libtorch::kernels {

#if defined(RAG_TILES)

namespace {

// Linux gives a process the tiles' registers when it asks.
bool permitted() {
    constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
    constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

TileWay find_way() {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    const bool vectors = __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vnni") != 0 &&
                         __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1U << 5)) != 0;  // AVX512-BF16 (CPUID 7.1, EAX)
    if (!vectors) {
        return TileWay::kNone;
    }
    constexpr unsigned kTileBits = (1U << 22) | (1U << 24) | (1U << 25);  // AMX-BF16, -TILE, -INT8 (CPUID 7.0, EDX)
    const bool matrix = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kTileBits) == kTileBits && permitted();
    return matrix ? TileWay::kMatrix : TileWay::kVectors;
}

}  // namespace

TileWay tile_way() {
    static const TileWay way = find_way();
    return way;
}

#else

TileWay tile_way() {
    return TileWay::kNone;
}

#endif

}  // namespace rag::core::libtorch::kernels
