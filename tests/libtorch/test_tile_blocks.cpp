// Blocks of products by vectors and, where the processor has them, by matrix tiles, against plain sums: both kinds of numbers,
// wanted rows around the edges of what a way takes at once, factors and sums with gaps, sums that are added to.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "libtorch/kernels/tile_blocks.hpp"

using namespace rag::core::libtorch::kernels;

#if defined(RAG_TILES)

namespace {

float widen(std::uint16_t bits) {
    const std::uint32_t all = static_cast<std::uint32_t>(bits) << 16;
    float value = 0.0F;
    std::memcpy(&value, &all, sizeof value);
    return value;
}

// Factors as bytes, with gaps between rows, steps and tiles.
struct Factors {
    static constexpr std::size_t kLeftRow = 192;
    static constexpr std::size_t kRightStep = 3 * kTileBytes;
    std::int64_t steps;
    std::vector<std::byte> left;
    std::vector<std::byte> right;

    Factors(std::int64_t count, TileNumbers numbers, unsigned seed)
        : steps(count),
          left(32 * kLeftRow + static_cast<std::size_t>(count) * 64),
          right(static_cast<std::size_t>(count) * kRightStep) {
        std::mt19937 generator(seed);
        for (std::vector<std::byte>* part : {&left, &right}) {
            for (std::size_t i = 0; i + 1 < part->size(); i += 2) {
                // bfloat16 between 2^-3 and 2^1, of both signs; as bytes anything.
                const auto drawn = static_cast<std::uint32_t>(generator());
                const std::uint32_t bits = numbers == TileNumbers::kInt8 ? drawn : (drawn & 0x81FFU) | 0x3E00U;
                (*part)[i] = static_cast<std::byte>(bits & 0xFFU);
                (*part)[i + 1] = static_cast<std::byte>(bits >> 8 & 0xFFU);
            }
        }
    }

    BlockFactors view() const {
        return {{left.data(), left.data() + 16 * kLeftRow},    kLeftRow,   64,
                {right.data(), right.data() + 2 * kTileBytes}, kRightStep, steps};
    }

    double sum(TileNumbers numbers, std::int64_t row, std::int64_t column) const {
        double total = 0.0;
        for (std::int64_t step = 0; step < steps; ++step) {
            const std::byte* a = left.data() + static_cast<std::size_t>(row) * kLeftRow + step * 64;
            const std::byte* b =
                right.data() + static_cast<std::size_t>(step) * kRightStep + (column / 16) * 2 * 1024 + column % 16 * 4;
            for (std::int64_t k = 0; k < 64; ++k) {
                const std::byte* at = b + k / 4 * 64 + k % 4;
                if (numbers == TileNumbers::kInt8) {
                    total +=
                        static_cast<double>(static_cast<std::uint8_t>(a[k])) * static_cast<double>(static_cast<std::int8_t>(*at));
                } else if (k % 2 == 0) {
                    std::uint16_t x = 0;
                    std::uint16_t y = 0;
                    std::memcpy(&x, a + k, 2);
                    std::memcpy(&y, at, 2);
                    total += static_cast<double>(widen(x)) * static_cast<double>(widen(y));
                }
            }
        }
        return total;
    }
};

template <TileNumbers N>
void check(TileWay way, std::int64_t steps, const BlockRows& rows, bool add) {
    using Sum = std::conditional_t<N == TileNumbers::kInt8, std::int32_t, float>;
    constexpr std::int64_t kStride = 40;
    const Factors factors(steps, N, static_cast<unsigned>(steps + rows.half[0] * 17 + rows.half[1]));
    std::vector<Sum> sums(32 * kStride, Sum{5});
    {
        const TileUse use(way);
        multiply_block<N>(use.way(), factors.view(), rows, add, sums_at(sums.data(), kStride));
    }
    for (std::int64_t row = 0; row < 32; ++row) {
        for (std::int64_t column = 0; column < kStride; ++column) {
            const auto got = static_cast<double>(sums[static_cast<std::size_t>(row * kStride + column)]);
            INFO("row " << row << " column " << column << ", " << steps << " steps");
            if (column >= 32) {
                REQUIRE(got == 5.0);
            } else if (row % 16 < rows.half[row / 16]) {
                const double expected = factors.sum(N, row, column) + (add ? 5.0 : 0.0);
                REQUIRE(std::fabs(got - expected) <= (N == TileNumbers::kInt8 ? 0.0 : 2e-4 * static_cast<double>(steps + 1)));
            }
        }
    }
}

void check_all(TileWay way) {
    for (const std::int64_t steps : {1, 2, 7}) {
        for (const bool add : {false, true}) {
            for (std::int64_t count = 1; count <= 32; ++count) {
                check<TileNumbers::kInt8>(way, steps, BlockRows::first(count), add);
                check<TileNumbers::kBFloat16>(way, steps, BlockRows::first(count), add);
            }
            check<TileNumbers::kInt8>(way, steps, {{3, 3}}, add);
            check<TileNumbers::kInt8>(way, steps, {{13, 13}}, add);
        }
    }
}

}  // namespace

TEST_CASE("blocks of products by vectors equal plain sums") {
    if (!tiles_available()) {
        WARN("not run: the processor has no AVX512-VNNI and -BF16");
        return;
    }
    check_all(TileWay::kVectors);
}

TEST_CASE("blocks of products by matrix tiles equal plain sums") {
    if (tile_way() != TileWay::kMatrix) {
        WARN("not run: the processor has no AMX tiles, or Linux does not let this process use them");
        return;
    }
    check_all(TileWay::kMatrix);
}

#endif
