// The row kernels against plain loops.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "libtorch/kernels/matvec.hpp"
#include "libtorch/kernels/rows.hpp"

using namespace rag::core::libtorch::kernels;

namespace {

std::vector<float> values(std::size_t count, unsigned seed, float shift = 0.0F) {
    std::mt19937 generator(seed);
    std::vector<float> out(count);
    for (float& value : out) {
        value = static_cast<float>(generator() % 4001) / 1000.0F - 2.0F + shift;
    }
    return out;
}

}  // namespace

TEST_CASE("quantised rows are within half a step") {
    for (const std::size_t columns : {1U, 3U, 16U, 17U, 100U, 384U, 1536U}) {
        for (const float shift : {0.0F, 2.5F, -2.5F}) {
            const std::vector<float> x = values(columns, 5, shift);
            std::vector<std::uint8_t> bytes(columns);
            float scale = 0.0F;
            float zero = -1.0F;
            quantize_row(x.data(), static_cast<std::int64_t>(columns), bytes.data(), &scale, &zero);
            CHECK(zero == std::nearbyint(zero));
            CHECK(zero >= 0.0F);
            CHECK(zero <= 255.0F);
            for (std::size_t c = 0; c < columns; ++c) {
                CHECK(std::fabs(scale * (static_cast<float>(bytes[c]) - zero) - x[c]) <= scale * 1.01F);
            }
        }
    }
}

TEST_CASE("a row of zeros stays zero") {
    const std::vector<float> x(20, 0.0F);
    std::vector<std::uint8_t> bytes(20, 9);
    float scale = 0.0F;
    float zero = 5.0F;
    quantize_row(x.data(), 20, bytes.data(), &scale, &zero);
    CHECK(scale == 1.0F);
    CHECK(zero == 0.0F);
    CHECK(bytes == std::vector<std::uint8_t>(20, 0));
}

TEST_CASE("dequantised sums") {
    for (const std::size_t columns : {1U, 15U, 16U, 33U, 400U}) {
        const std::vector<float> raw = values(columns, 1);
        const std::vector<float> sums = values(columns, 2);
        const std::vector<float> bias = values(columns, 3);
        std::vector<float> out(columns);
        dequantize_row(raw.data(), static_cast<std::int64_t>(columns), 0.25F, 17.0F, sums.data(), bias.data(), out.data());
        for (std::size_t c = 0; c < columns; ++c) {
            CHECK(out[c] == Approx(0.25 * (raw[c] - 17.0 * sums[c]) + bias[c]).margin(1e-5));
        }
    }
}

TEST_CASE("RMSNorm and SwiGLU rows") {
    for (const std::size_t columns : {1U, 15U, 16U, 33U, 576U}) {
        const std::vector<float> x = values(columns, 31);
        const std::vector<float> weight = values(columns, 32);
        std::vector<float> out(columns);
        const auto count = static_cast<std::int64_t>(columns);
        rms_norm_row(x.data(), weight.data(), count, 1e-3F, out.data());
        double squares = 0.0;
        for (const float value : x) {
            squares += static_cast<double>(value) * value;
        }
        const double root = std::sqrt(squares / static_cast<double>(columns) + 1e-3);
        for (std::size_t c = 0; c < columns; ++c) {
            CHECK(out[c] == Approx(weight[c] * x[c] / root).margin(1e-5));
        }
        std::vector<float> gate = x;
        gate[0] = -200.0F;
        silu_multiply_row(gate.data(), weight.data(), count, out.data());
        for (std::size_t c = 0; c < columns; ++c) {
            CHECK(out[c] == Approx(gate[c] / (1.0 + std::exp(-static_cast<double>(gate[c]))) * weight[c]).margin(1e-5));
        }
    }
}

TEST_CASE("a sum and its LayerNorm") {
    for (const std::size_t columns : {1U, 15U, 16U, 33U, 384U, 1000U}) {
        for (const bool biased : {false, true}) {
            const std::vector<float> before = values(columns, 13, 1.5F);
            const std::vector<float> add = values(columns, 14);
            const std::vector<float> weight = values(columns, 15, 2.0F);
            const std::vector<float> bias = values(columns, 16);
            std::vector<float> x = before;
            add_layer_norm_row(x.data(), add.data(), weight.data(), biased ? bias.data() : nullptr,
                               static_cast<std::int64_t>(columns), 1e-5F);
            double mean = 0.0;
            for (std::size_t c = 0; c < columns; ++c) {
                mean += static_cast<double>(before[c] + add[c]) / static_cast<double>(columns);
            }
            double variance = 0.0;
            for (std::size_t c = 0; c < columns; ++c) {
                const double apart = static_cast<double>(before[c] + add[c]) - mean;
                variance += apart * apart / static_cast<double>(columns);
            }
            for (std::size_t c = 0; c < columns; ++c) {
                const double normed = (static_cast<double>(before[c] + add[c]) - mean) / std::sqrt(variance + 1e-5);
                const double expected = normed * static_cast<double>(weight[c]) + (biased ? static_cast<double>(bias[c]) : 0.0);
                CHECK(std::fabs(static_cast<double>(x[c]) - expected) < 1e-4);
            }
        }
    }
}

TEST_CASE("a matrix times a few rows") {
    for (const std::int64_t inputs : {1, 15, 16, 33, 64, 100}) {
        const std::int64_t outputs = 9;
        const std::vector<float> weight = values(static_cast<std::size_t>(outputs * inputs), 11);
        std::vector<std::uint16_t> narrow;  // bfloat16 is the upper half of float32
        std::vector<float> rounded;
        for (const float value : weight) {
            std::uint32_t bits = 0;
            std::memcpy(&bits, &value, 4);
            bits &= 0xFFFF0000U;
            narrow.push_back(static_cast<std::uint16_t>(bits >> 16));
            rounded.push_back(0.0F);
            std::memcpy(&rounded.back(), &bits, 4);
        }
        const std::vector<float> bias = values(static_cast<std::size_t>(outputs), 12);
        for (std::int64_t rows = 1; rows <= kMatvecRows; ++rows) {
            const std::vector<float> x = values(static_cast<std::size_t>(rows * inputs), 13);
            std::vector<float> out(static_cast<std::size_t>(rows * outputs), NAN);
            std::vector<float> out16 = out;
            multiply_rows(NumberType::kFloat32, weight.data(), inputs, 0, 4, x.data(), rows, bias.data(), out.data(), outputs);
            multiply_rows(NumberType::kFloat32, weight.data(), inputs, 4, 9, x.data(), rows, bias.data(), out.data(), outputs);
            multiply_rows(NumberType::kBFloat16, narrow.data(), inputs, 0, 9, x.data(), rows, nullptr, out16.data(), outputs);
            for (std::int64_t i = 0; i < rows * outputs; ++i) {
                double sum = 0.0;
                double sum16 = 0.0;
                for (std::int64_t k = 0; k < inputs; ++k) {
                    const double factor = x[static_cast<std::size_t>(i / outputs * inputs + k)];
                    sum += factor * weight[static_cast<std::size_t>(i % outputs * inputs + k)];
                    sum16 += factor * rounded[static_cast<std::size_t>(i % outputs * inputs + k)];
                }
                CHECK(out[static_cast<std::size_t>(i)] == Approx(sum + bias[static_cast<std::size_t>(i % outputs)]).margin(1e-4));
                CHECK(out16[static_cast<std::size_t>(i)] == Approx(sum16).margin(1e-4));
            }
        }
    }
}
