// Weights of four bits: what is written is read, the fast product and the fast unpacking against the plain reader, and how near
// rounding comes to a search over every scale.
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "libtorch/kernels/ggml_blocks.hpp"
#include "libtorch/kernels/int4.hpp"
#include "libtorch/kernels/int4_compensate.hpp"

using namespace rag::core::libtorch::kernels;

namespace {

std::vector<float> normal_values(std::size_t count, unsigned seed, float scale = 1.0F) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0F, scale);
    std::vector<float> out(count);
    for (float& value : out) value = normal(generator);
    return out;
}

/// Rounded and packed as quant/packed_int4.cpp does it.
std::vector<std::byte> pack(const std::vector<float>& weight, std::int64_t outputs, std::int64_t inputs) {
    std::vector<std::byte> out(static_cast<std::size_t>(int4_bytes(outputs, inputs)));
    const std::int64_t groups = int4_groups(inputs);
    for (std::int64_t n = 0; n < outputs; ++n) {
        for (std::int64_t g = 0; g < groups; ++g) {
            float values[kInt4Group] = {};
            for (std::int64_t k = 0; k < std::min(kInt4Group, inputs - g * kInt4Group); ++k) {
                values[k] = weight[static_cast<std::size_t>(n * inputs + g * kInt4Group + k)];
            }
            Int4Codes codes;
            REQUIRE(round_int4(values, nullptr, codes));
            write_int4(codes, n % kInt4PanelRows, out.data() + (n / kInt4PanelRows * groups + g) * kInt4TileBytes);
        }
    }
    return out;
}

/// Row n of a packed matrix, read the plain way: [groups * 32].
std::vector<float> plain_row(const std::vector<std::byte>& packed, std::int64_t n, std::int64_t groups) {
    std::vector<float> row(static_cast<std::size_t>(groups * kInt4Group));
    for (std::int64_t g = 0; g < groups; ++g) {
        const std::byte* tile = packed.data() + (n / kInt4PanelRows * groups + g) * kInt4TileBytes;
        read_int4(tile, n % kInt4PanelRows, row.data() + g * kInt4Group);
    }
    return row;
}

double error_of(const float* values, const Int4Codes& codes) {
    double sum = 0.0;
    for (std::int64_t k = 0; k < kInt4Group; ++k) {
        const double value = static_cast<double>(half_to_float(codes.scale)) * codes.codes[k] + half_to_float(codes.minimum);
        sum += (values[k] - value) * (values[k] - value);
    }
    return sum;
}

/// The error with codes 0 and 15 at the ends of the range: what plain rounding does.
double plain_error(const float* values) {
    const auto [low, high] = std::minmax_element(values, values + kInt4Group);
    const double step = (static_cast<double>(*high) - *low) / 15.0;
    double sum = 0.0;
    for (std::int64_t k = 0; k < kInt4Group; ++k) {
        const double rest = values[k] - (*low + step * std::nearbyint((values[k] - *low) / step));
        sum += rest * rest;
    }
    return sum;
}

}  // namespace

TEST_CASE("codes are read as they were written, each at its place") {
    std::mt19937 generator(3);
    std::vector<std::byte> tile(kInt4TileBytes, std::byte{0xFF});
    std::vector<Int4Codes> rows(kInt4PanelRows);
    for (std::int64_t row = 0; row < kInt4PanelRows; ++row) {
        Int4Codes& codes = rows[static_cast<std::size_t>(row)];
        codes.scale = static_cast<std::uint16_t>(0x3000 + generator() % 1024);
        codes.minimum = static_cast<std::uint16_t>(0xB000 + generator() % 1024);
        for (std::uint8_t& code : codes.codes) code = static_cast<std::uint8_t>(generator() % 16);
        write_int4(codes, row, tile.data());
    }
    for (std::int64_t row = 0; row < kInt4PanelRows; ++row) {
        const Int4Codes& codes = rows[static_cast<std::size_t>(row)];
        float values[kInt4Group];
        read_int4(tile.data(), row, values);
        for (std::int64_t k = 0; k < kInt4Group; ++k) {
            CHECK(values[k] == half_to_float(codes.scale) * static_cast<float>(codes.codes[k]) + half_to_float(codes.minimum));
        }
    }
}

TEST_CASE("rounding clips and fits: never worse than plain rounding, a tenth better on bell-shaped weights") {
    double searched = 0.0;
    double plain = 0.0;
    for (unsigned seed = 0; seed < 400; ++seed) {
        const std::vector<float> values = normal_values(kInt4Group, seed, 0.05F);
        Int4Codes codes;
        REQUIRE(round_int4(values.data(), nullptr, codes));
        const double error = error_of(values.data(), codes);
        CHECK(error <= plain_error(values.data()) * 1.02);  // scale and minimum have eleven bits
        searched += error;
        plain += plain_error(values.data());
    }
    CHECK(searched < 0.9 * plain);
}

TEST_CASE("values of a grid come back exactly, and so do constants and zeros") {
    for (unsigned seed = 0; seed < 50; ++seed) {
        std::mt19937 generator(seed);
        float values[kInt4Group];
        for (float& value : values) value = 0.25F * static_cast<float>(generator() % 16) - 1.5F;
        values[3] = -1.5F;
        values[30] = 0.25F * 15.0F - 1.5F;
        Int4Codes codes;
        REQUIRE(round_int4(values, nullptr, codes));
        CHECK(error_of(values, codes) < 1e-9);
    }
    for (const float constant : {0.0F, 0.75F, -3.0F}) {
        const std::vector<float> values(kInt4Group, constant);
        Int4Codes codes;
        REQUIRE(round_int4(values.data(), nullptr, codes));
        CHECK(error_of(values.data(), codes) == 0.0);
    }
}

TEST_CASE("errors weigh as their importance says") {
    double heavy = 0.0;
    double equal = 0.0;
    for (unsigned seed = 0; seed < 100; ++seed) {
        const std::vector<float> values = normal_values(kInt4Group, seed);
        std::vector<float> importance(kInt4Group, 0.01F);
        for (std::size_t k = 0; k < 8; ++k) importance[k] = 10.0F;
        Int4Codes weighted;
        Int4Codes plain;
        REQUIRE(round_int4(values.data(), importance.data(), weighted));
        REQUIRE(round_int4(values.data(), nullptr, plain));
        for (std::size_t k = 0; k < 8; ++k) {
            const auto rest = [&](const Int4Codes& c) {
                return values[k] - (half_to_float(c.scale) * static_cast<float>(c.codes[k]) + half_to_float(c.minimum));
            };
            heavy += static_cast<double>(rest(weighted)) * rest(weighted);
            equal += static_cast<double>(rest(plain)) * rest(plain);
        }
    }
    CHECK(heavy < 0.9 * equal);
}

TEST_CASE("values beyond half precision are told") {
    for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 70000.0F}) {
        std::vector<float> values(kInt4Group, 1.0F);
        values[17] = bad;
        Int4Codes codes;
        CHECK_FALSE(round_int4(values.data(), nullptr, codes));
    }
}

TEST_CASE("the product of packed weights equals the product of their values") {
    for (const std::int64_t inputs : {1, 31, 32, 33, 96, 576}) {
        for (const std::int64_t outputs : {1, 15, 16, 17, 40}) {
            const std::int64_t groups = int4_groups(inputs);
            const auto packed = pack(normal_values(static_cast<std::size_t>(inputs * outputs), 1), outputs, inputs);
            for (std::int64_t rows = 1; rows <= kInt4Rows; ++rows) {
                const std::vector<float> x = normal_values(static_cast<std::size_t>(rows * inputs), 2);
                const std::vector<float> bias = normal_values(static_cast<std::size_t>(outputs), 3);
                std::vector<std::int16_t> numbers(static_cast<std::size_t>(rows * groups * kInt4Group), 77);
                std::vector<float> scales(static_cast<std::size_t>(rows * groups));
                std::vector<float> sums(static_cast<std::size_t>(rows * groups));
                for (std::int64_t r = 0; r < rows; ++r) {
                    quantize_int4_inputs(x.data() + r * inputs, inputs, numbers.data() + r * groups * kInt4Group,
                                         scales.data() + r * groups, sums.data() + r * groups);
                }
                const std::int64_t stride = outputs + 3;
                std::vector<float> out(static_cast<std::size_t>(rows * stride), 99.0F);
                for (std::int64_t p = 0; p < int4_panels(outputs); ++p) {
                    const std::int64_t first = p * kInt4PanelRows;
                    multiply_int4(packed.data() + p * groups * kInt4TileBytes,
                                  {numbers.data(), scales.data(), sums.data(), rows, groups},
                                  std::min(kInt4PanelRows, outputs - first), bias.data() + first, out.data() + first, stride);
                }
                for (std::int64_t n = 0; n < outputs; ++n) {
                    const std::vector<float> weight = plain_row(packed, n, groups);
                    for (std::int64_t r = 0; r < rows; ++r) {
                        double expected = bias[static_cast<std::size_t>(n)];
                        double size = 0.0;
                        for (std::int64_t k = 0; k < inputs; ++k) {
                            const double product = static_cast<double>(weight[static_cast<std::size_t>(k)]) *
                                                   x[static_cast<std::size_t>(r * inputs + k)];
                            expected += product;
                            size += std::fabs(product);
                        }
                        CHECK(std::fabs(out[static_cast<std::size_t>(r * stride + n)] - expected) <= 2e-4 * size + 1e-5);
                    }
                }
                for (std::int64_t r = 0; r < rows; ++r) CHECK(out[static_cast<std::size_t>(r * stride + outputs)] == 99.0F);
            }
        }
    }
}

TEST_CASE("a panel is unpacked to the nearest bfloat16") {
    for (const std::int64_t inputs : {32, 70, 320}) {
        const std::int64_t groups = int4_groups(inputs);
        const auto packed = pack(normal_values(static_cast<std::size_t>(inputs * 16), 4), 16, inputs);
        std::vector<std::uint16_t> out(static_cast<std::size_t>(kInt4PanelRows * groups * kInt4Group));
        unpack_int4(packed.data(), groups, out.data());
        for (std::int64_t n = 0; n < kInt4PanelRows; ++n) {
            const std::vector<float> row = plain_row(packed, n, groups);
            for (std::size_t k = 0; k < row.size(); ++k) {
                const auto bits = static_cast<std::uint32_t>(out[static_cast<std::size_t>(n) * row.size() + k]) << 16;
                // Half a step of eight bits, and a fused multiply-add may round once where the plain way rounds twice.
                CHECK(std::fabs(std::bit_cast<float>(bits) - row[k]) <= std::ldexp(std::fabs(row[k]), -8) * 1.001F + 1e-7F);
            }
        }
    }
}

TEST_CASE("compensated rounding keeps the products of inputs that go together, plain rounding less") {
    constexpr std::int64_t kInputs = 70;  // the last group is not whole
    constexpr std::int64_t kWidth = 96;
    constexpr std::size_t kRows = 400;
    // Inputs that are mixtures of a few hidden causes, as those of a language model are.
    const std::vector<float> causes = normal_values(kRows * 12, 5);
    const std::vector<float> mixing = normal_values(12 * kInputs, 6);
    const std::vector<float> noise = normal_values(kRows * kInputs, 7, 0.3F);
    std::vector<double> x(kRows * kInputs);
    for (std::size_t r = 0; r < kRows; ++r) {
        for (std::size_t k = 0; k < kInputs; ++k) {
            double sum = noise[r * kInputs + k];
            for (std::size_t c = 0; c < 12; ++c) sum += static_cast<double>(causes[r * 12 + c]) * mixing[c * kInputs + k];
            x[r * kInputs + k] = sum;
        }
    }
    // Second moments, damped; their inverse by Gauss-Jordan; its upper Cholesky factor from the last row up.
    const auto n = static_cast<std::size_t>(kInputs);
    std::vector<double> moments(n * n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            for (std::size_t r = 0; r < kRows; ++r) moments[i * n + j] += x[r * n + i] * x[r * n + j] / kRows;
        }
        moments[i * n + i] += 0.1;
    }
    std::vector<double> inverse(n * n, 0.0);
    for (std::size_t i = 0; i < n; ++i) inverse[i * n + i] = 1.0;
    std::vector<double> work = moments;
    for (std::size_t p = 0; p < n; ++p) {
        const double pivot = work[p * n + p];
        for (std::size_t j = 0; j < n; ++j) {
            work[p * n + j] /= pivot;
            inverse[p * n + j] /= pivot;
        }
        for (std::size_t i = 0; i < n; ++i) {
            const double factor = i == p ? 0.0 : work[i * n + p];
            for (std::size_t j = 0; j < n; ++j) {
                work[i * n + j] -= factor * work[p * n + j];
                inverse[i * n + j] -= factor * inverse[p * n + j];
            }
        }
    }
    // inverse = L L^T with L lower; the factor is L^T.
    std::vector<double> lower(n * n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double sum = inverse[i * n + j];
            for (std::size_t k = 0; k < j; ++k) sum -= lower[i * n + k] * lower[j * n + k];
            lower[i * n + j] = i == j ? std::sqrt(sum) : sum / lower[j * n + j];
        }
    }
    std::vector<float> factor(n * n);
    std::vector<float> importance(kWidth, 0.0F);
    for (std::size_t i = 0; i < n; ++i) {
        importance[i] = static_cast<float>(moments[i * n + i]);
        for (std::size_t j = 0; j < n; ++j) factor[i * n + j] = static_cast<float>(lower[j * n + i]);
    }
    double plain = 0.0;
    double compensated = 0.0;
    for (unsigned seed = 0; seed < 16; ++seed) {
        std::vector<float> weight = normal_values(kWidth, 100 + seed);
        std::fill(weight.begin() + kInputs, weight.end(), 0.0F);
        std::vector<Int4Codes> codes(3);
        std::vector<float> changed = weight;
        REQUIRE(compensate_int4(changed.data(), kInputs, factor.data(), importance.data(), codes.data()));
        const auto error = [&](auto&& codes_of) {
            double sum = 0.0;
            for (std::size_t r = 0; r < kRows; ++r) {
                double product = 0.0;
                for (std::size_t k = 0; k < n; ++k) {
                    const Int4Codes& c = codes_of(k / 32);
                    const double value = static_cast<double>(half_to_float(c.scale)) * c.codes[k % 32] + half_to_float(c.minimum);
                    product += x[r * n + k] * (weight[k] - value);
                }
                sum += product * product;
            }
            return sum;
        };
        compensated += error([&](std::size_t g) -> const Int4Codes& { return codes[g]; });
        std::vector<Int4Codes> rounded(3);
        for (std::size_t g = 0; g < 3; ++g) REQUIRE(round_int4(weight.data() + 32 * g, nullptr, rounded[g]));
        plain += error([&](std::size_t g) -> const Int4Codes& { return rounded[g]; });
    }
    CHECK(compensated < 0.5 * plain);
    std::vector<float> bad(kWidth, std::numeric_limits<float>::quiet_NaN());
    std::vector<Int4Codes> codes(3);
    CHECK_FALSE(compensate_int4(bad.data(), kInputs, factor.data(), importance.data(), codes.data()));
}
