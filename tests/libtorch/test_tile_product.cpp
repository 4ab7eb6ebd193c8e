// The products by tiles against plain loops over the same rounded numbers: sizes around the tiles' edges, both kinds of
// numbers, the functions behind the sums. Where the processor has no such tiles there is nothing to compare, and the test says
// so.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "aligned_bytes.hpp"
#include "libtorch/kernels/rows.hpp"
#include "libtorch/kernels/tile_product.hpp"

using namespace rag::core::libtorch::kernels;

namespace {

struct Case {
    std::int64_t rows;
    std::int64_t inputs;
    std::int64_t outputs;
};
constexpr Case kCases[] = {{1, 1, 1},    {2, 31, 33},  {15, 32, 32},  {16, 33, 16},  {17, 63, 31},  {31, 64, 64},
                           {32, 65, 65}, {33, 100, 1}, {48, 128, 48}, {49, 384, 96}, {70, 130, 100}};

std::vector<float> random_values(std::size_t count, unsigned seed, float reach) {
    std::mt19937 generator(seed);
    std::vector<float> out(count);
    for (float& value : out) value = reach * (static_cast<float>(generator() % 4001) / 2000.0F - 1.0F);
    return out;
}

float to_nearest_bfloat16(float value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7FFFU + ((bits >> 16) & 1U)) & 0xFFFF0000U;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

double activate(TileActivation activation, double x) {
    if (activation == TileActivation::kGelu) return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    return activation == TileActivation::kRelu ? std::max(x, 0.0) : x;
}

// What both ways of a case share.
struct Problem {
    explicit Problem(const Case& given)
        : sizes(given),
          x(random_values(static_cast<std::size_t>(given.rows * given.inputs), 1, 3.0F)),
          bias(random_values(static_cast<std::size_t>(round_up(given.outputs, kPairedRows)), 2, 1.0F)) {}

    // The kernel's answer, rows with a gap between them.
    std::vector<float> run(TileMatrix matrix, AlignedBytes& tiles, TileActivation activation) {
        matrix.outputs = sizes.outputs;
        matrix.inputs = sizes.inputs;
        matrix.tiles = tiles.data();
        matrix.bias = bias.data();
        AlignedBytes rows(static_cast<std::size_t>(round_up(sizes.rows, kPairedRows)) *
                          tile_row_bytes(matrix.numbers, sizes.inputs));
        scale.resize(static_cast<std::size_t>(sizes.rows));
        zero.resize(scale.size());
        const TileRowsIn in{rows.data(), scale.data(), zero.data()};
        for (std::int64_t row = 0; row < sizes.rows; ++row)
            load_tile_row(matrix.numbers, x.data() + row * sizes.inputs, sizes.inputs, row, in);
        const std::int64_t stride = sizes.outputs + 3;
        std::vector<float> out(static_cast<std::size_t>(sizes.rows * stride), 77.0F);
        multiply_tiles(matrix, in, sizes.rows, activation, out.data(), stride);
        return out;
    }

    // Every value within `share` of the sums' size of `expected(row, output)`, and nothing written between the rows.
    template <typename Expected>
    void compare(const std::vector<float>& got, double share, Expected expected) const {
        const std::int64_t stride = sizes.outputs + 3;
        for (std::int64_t row = 0; row < sizes.rows; ++row) {
            for (std::int64_t c = 0; c < stride; ++c) {
                const float value = got[static_cast<std::size_t>(row * stride + c)];
                if (c >= sizes.outputs) {
                    REQUIRE(value == 77.0F);
                } else {
                    INFO("row " << row << " output " << c);
                    REQUIRE(std::fabs(value - expected(row, c)) <= share * std::sqrt(static_cast<double>(sizes.inputs)));
                }
            }
        }
    }

    Case sizes;
    std::vector<float> x;
    std::vector<float> bias;
    std::vector<float> scale;
    std::vector<float> zero;
};

bool without_tiles() {
    if (tiles_available()) return false;
    WARN("not run: the processor has neither AMX nor AVX512-VNNI and -BF16");
    return true;
}

}  // namespace

TEST_CASE("products of bytes by tiles equal plain sums") {
    if (without_tiles()) return;
    for (const Case& sizes : kCases) {
        for (const TileActivation activation : {TileActivation::kNone, TileActivation::kGelu, TileActivation::kRelu}) {
            INFO(sizes.rows << " rows, " << sizes.inputs << " inputs, " << sizes.outputs << " outputs");
            Problem problem(sizes);
            const auto count = static_cast<std::size_t>(sizes.outputs * sizes.inputs);
            std::mt19937 generator(3);
            std::vector<std::int8_t> weights(count);
            for (auto& weight : weights) weight = static_cast<std::int8_t>(static_cast<int>(generator() % 255U) - 127);
            const std::vector<float> scale = random_values(problem.bias.size(), 4, 0.01F);
            std::vector<float> sums(problem.bias.size(), 0.0F);
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t output = i / static_cast<std::size_t>(sizes.inputs);
                sums[output] += scale[output] * static_cast<float>(weights[i]);
            }
            AlignedBytes tiles(tile_matrix_bytes(TileNumbers::kInt8, sizes.outputs, sizes.inputs));
            pack_tiles(weights.data(), sizes.outputs, sizes.inputs, tiles.data());
            TileMatrix matrix;
            matrix.scale = scale.data();
            matrix.column_sums = sums.data();
            const std::vector<float> got = problem.run(matrix, tiles, activation);
            std::vector<std::uint8_t> bytes(static_cast<std::size_t>(sizes.inputs));
            problem.compare(got, 1e-4, [&](std::int64_t row, std::int64_t output) {
                float row_scale = 0.0F;
                float row_zero = 0.0F;
                quantize_row(problem.x.data() + row * sizes.inputs, sizes.inputs, bytes.data(), &row_scale, &row_zero);
                double sum = 0.0;
                for (std::size_t k = 0; k < bytes.size(); ++k)
                    sum += (static_cast<double>(bytes[k]) - static_cast<double>(row_zero)) *
                           static_cast<double>(weights[static_cast<std::size_t>(output) * bytes.size() + k]);
                const auto at = static_cast<std::size_t>(output);
                return activate(activation, sum * static_cast<double>(row_scale) * static_cast<double>(scale[at]) +
                                                static_cast<double>(problem.bias[at]));
            });
        }
    }
}

TEST_CASE("products of bfloat16 by tiles equal plain sums") {
    if (without_tiles()) return;
    for (const Case& sizes : kCases) {
        for (const TileActivation activation : {TileActivation::kNone, TileActivation::kGelu, TileActivation::kRelu}) {
            INFO(sizes.rows << " rows, " << sizes.inputs << " inputs, " << sizes.outputs << " outputs");
            Problem problem(sizes);
            const std::vector<float> weights = random_values(static_cast<std::size_t>(sizes.outputs * sizes.inputs), 5, 0.3F);
            AlignedBytes tiles(tile_matrix_bytes(TileNumbers::kBFloat16, sizes.outputs, sizes.inputs));
            pack_tiles(weights.data(), sizes.outputs, sizes.inputs, tiles.data());
            TileMatrix matrix;
            matrix.numbers = TileNumbers::kBFloat16;
            const std::vector<float> got = problem.run(matrix, tiles, activation);
            problem.compare(got, 1e-4, [&](std::int64_t row, std::int64_t output) {
                double sum = static_cast<double>(problem.bias[static_cast<std::size_t>(output)]);
                for (std::int64_t k = 0; k < sizes.inputs; ++k)
                    sum += static_cast<double>(to_nearest_bfloat16(problem.x[static_cast<std::size_t>(row * sizes.inputs + k)])) *
                           static_cast<double>(to_nearest_bfloat16(weights[static_cast<std::size_t>(output * sizes.inputs + k)]));
                return activate(activation, sum);
            });
        }
    }
}

TEST_CASE("GELU behind a product follows the error function far out too") {
    if (without_tiles()) return;
    // One input of 1 and one weight of x: the product is x.
    for (int step = -480; step <= 480; ++step) {
        const float x = static_cast<float>(step) / 16.0F;
        Problem problem({1, 1, 1});
        problem.x = {1.0F};
        problem.bias.assign(problem.bias.size(), 0.0F);
        AlignedBytes tiles(tile_matrix_bytes(TileNumbers::kBFloat16, 1, 1));
        pack_tiles(&x, 1, 1, tiles.data());
        TileMatrix matrix;
        matrix.numbers = TileNumbers::kBFloat16;
        const float got = problem.run(matrix, tiles, TileActivation::kGelu)[0];
        INFO(x);
        const double exact = static_cast<double>(to_nearest_bfloat16(x));
        REQUIRE(std::fabs(static_cast<double>(got) - activate(TileActivation::kGelu, exact)) <= 5e-5 + 4e-6 * std::fabs(exact));
    }
}

TEST_CASE("rows of bytes lie in tiles as quantize_row makes them, zeros behind them") {
    if (without_tiles()) return;
    for (const std::int64_t columns : {1, 16, 48, 63, 64, 65, 100, 384, 1535, 1536}) {
        for (const float shift : {0.0F, 4.0F, -4.0F}) {
            const auto count = static_cast<std::size_t>(columns);
            std::vector<float> x = random_values(count, 9, 3.0F);
            for (float& value : x) value += shift;
            AlignedBytes tiles(static_cast<std::size_t>(kPairedRows) * tile_row_bytes(TileNumbers::kInt8, columns));
            std::vector<float> scale(kPairedRows);
            std::vector<float> zero(kPairedRows);
            constexpr std::int64_t kRow = 21;
            load_tile_row(TileNumbers::kInt8, x.data(), columns, kRow, {tiles.data(), scale.data(), zero.data()});
            std::vector<std::uint8_t> bytes(count);
            float row_scale = 0.0F;
            float row_zero = 0.0F;
            quantize_row(x.data(), columns, bytes.data(), &row_scale, &row_zero);
            INFO(columns << " columns, around " << shift);
            REQUIRE(scale[kRow] == row_scale);
            REQUIRE(zero[kRow] == row_zero);
            const std::size_t row_bytes = tile_row_bytes(TileNumbers::kInt8, columns);
            const std::byte* block = tiles.data() + kTileRows * row_bytes + (kRow - kTileRows) * kTileRowBytes;
            for (std::size_t c = 0; c < row_bytes; ++c) {
                const auto got = std::to_integer<int>(block[c / kTileRowBytes * kTileBytes + c % kTileRowBytes]);
                const int expected = c < count ? bytes[c] : 0;
                INFO("column " << c);
                REQUIRE(got == expected);
            }
        }
    }
}

TEST_CASE("what is not a number passes GELU as such, infinities as far as they go") {
    if (without_tiles()) return;
    for (const float x : {std::numeric_limits<float>::quiet_NaN(), INFINITY, -INFINITY}) {
        Problem problem({1, 1, 1});
        problem.x = {0.0F};
        problem.bias.assign(problem.bias.size(), x);
        AlignedBytes tiles(tile_matrix_bytes(TileNumbers::kBFloat16, 1, 1));
        const float weight = 1.0F;
        pack_tiles(&weight, 1, 1, tiles.data());
        TileMatrix matrix;
        matrix.numbers = TileNumbers::kBFloat16;
        const float got = problem.run(matrix, tiles, TileActivation::kGelu)[0];
        if (std::isnan(x)) {
            CHECK(std::isnan(got));
        } else if (x > 0.0F) {
            CHECK(got == x);
        } else {
            CHECK(std::fabs(got) <= 5e-5F);
        }
    }
}
