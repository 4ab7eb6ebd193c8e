// Kernels of this processor against their scalar twins, and the codes of int8 rows.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <string>

#include "index/vector/codes.hpp"
#include "index/vector/kernels.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

/// Equal within 1e-5 of the sum of magnitudes (the scale that rounding works on; the sum itself may be near zero).
void check_close(float fast, float slow, const float* a, const float* b, std::size_t n) {
    double scale = 1e-30;
    for (std::size_t i = 0; i < n; ++i) scale += std::abs(static_cast<double>(a[i]) * static_cast<double>(b[i]));
    CHECK(std::abs(fast - slow) <= 1e-5 * scale);
}

}  // namespace

TEST_CASE("kernels equal their scalar twins") {
    const Kernels& fast = kernels();
    const Kernels& slow = scalar_kernels();
    REQUIRE(std::string(fast.target) != "");
    REQUIRE(std::string(slow.target) == "scalar");
    for (const std::size_t n : {16U, 32U, 48U, 64U, 80U, 112U, 384U, 400U, 768U, 1024U, 4096U}) {
        const auto a = rag::test::random_vectors(1, n, n);
        const auto b = rag::test::random_vectors(5, n, n + 1);
        for (std::size_t row = 0; row < 5; ++row) {
            const float* other = b.data() + row * n;
            check_close(fast.dot(a.data(), other, n), slow.dot(a.data(), other, n), a.data(), other, n);
            CHECK(fast.squared_l2(a.data(), other, n) == Approx(slow.squared_l2(a.data(), other, n)).epsilon(1e-5));
            const PairShape shape{n};
            const PairRow left{a.data(), 0, 0};
            const PairRow right{other, 0, 0};
            CHECK(fast.pair_dot(&left, &right, &shape) == -fast.dot(a.data(), other, n));
            CHECK(fast.pair_squared_l2(&left, &right, &shape) == fast.squared_l2(a.data(), other, n));
        }
    }
}

TEST_CASE("row kernels give the values of the pair kernels") {
    constexpr std::size_t kLength = 48;
    const auto query = rag::test::random_vectors(1, kLength, 1);
    const auto base = rag::test::random_vectors(9, kLength, 2);
    const std::vector<std::uint32_t> rows{8, 0, 3, 3, 5};
    std::vector<float> listed(rows.size());
    std::vector<float> ordered(9);
    for (const bool l2 : {false, true}) {
        const auto each = l2 ? kernels().squared_l2 : kernels().dot;
        const auto many = l2 ? kernels().squared_l2_rows : kernels().dot_rows;
        many(query.data(), base.data(), rows.data(), rows.size(), kLength, listed.data());
        many(query.data(), base.data(), nullptr, 9, kLength, ordered.data());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            CHECK(listed[i] == each(query.data(), base.data() + rows[i] * kLength, kLength));
        }
        for (std::size_t i = 0; i < 9; ++i) CHECK(ordered[i] == each(query.data(), base.data() + i * kLength, kLength));
    }
}

TEST_CASE("int8 dot products are exact, also at the ends of the range") {
    std::mt19937 random(7);
    for (const std::size_t n : {64U, 128U, 192U, 448U, 65536U}) {
        for (int round = 0; round < 4; ++round) {
            std::vector<std::int8_t> a(n);
            std::vector<std::int8_t> b(n);
            for (std::size_t i = 0; i < n; ++i) {
                a[i] = round == 0 ? std::int8_t{127} : static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
                b[i] = round == 0 ? std::int8_t{-127} : static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
            }
            const std::int32_t expected = scalar_kernels().dot_i8(a.data(), b.data(), n);
            CHECK(kernels().dot_i8(a.data(), b.data(), n) == expected);
            const std::uint32_t zero = 0;
            std::int32_t out = 0;
            kernels().dot_i8_rows(a.data(), b.data(), &zero, 1, n, &out);
            CHECK(out == expected);
        }
    }
}

TEST_CASE("int8 pair distances equal their scalar twins") {
    constexpr std::size_t kDimension = 100;
    const std::size_t stride = padded_codes(kDimension);
    const auto vectors = rag::test::random_vectors(2, kDimension, 3);
    std::vector<std::int8_t> codes(2 * stride);
    PairRow rows[2];
    for (const std::size_t row : {0U, 1U}) {
        std::vector<float> padded(padded_floats(kDimension));
        std::copy_n(vectors.data() + row * kDimension, kDimension, padded.data());
        const CodeMeta meta = encode_row(padded.data(), kDimension, codes.data() + row * stride);
        rows[row] = {codes.data() + row * stride, meta.scale, meta.squared_length};
    }
    const PairShape shape{stride};
    const Kernels& fast = kernels();
    const Kernels& slow = scalar_kernels();
    CHECK(fast.pair_dot_i8(rows, rows + 1, &shape) == Approx(slow.pair_dot_i8(rows, rows + 1, &shape)).epsilon(1e-6));
    CHECK(fast.pair_squared_l2_i8(rows, rows + 1, &shape) ==
          Approx(slow.pair_squared_l2_i8(rows, rows + 1, &shape)).epsilon(1e-6));
    CHECK(fast.pair_squared_l2_i8(rows, rows + 1, &shape) ==
          Approx(scalar_kernels().squared_l2(vectors.data(), vectors.data() + kDimension, kDimension)).epsilon(0.02));
}

TEST_CASE("codes are within half a step of the values, zeros and denormals included") {
    for (const float factor : {0.0F, 1e-42F, 1e-30F, 1.0F, 1e18F}) {
        auto values = rag::test::random_vectors(1, 70, 5);
        for (float& value : values) value *= factor;
        values.resize(padded_floats(70));
        std::vector<std::int8_t> codes(padded_codes(70), 1);
        const CodeMeta meta = encode_row(values.data(), 70, codes.data());
        for (std::size_t i = 0; i < 70; ++i) {
            if (factor < 1e-35F) continue;
            CHECK(std::abs(static_cast<float>(codes[i]) * meta.scale - values[i]) <= 0.5001F * meta.scale);
        }
        for (std::size_t i = 70; i < codes.size(); ++i) CHECK(codes[i] == 0);
    }
}

TEST_CASE("codes are the same on every processor, and what is told of them fits") {
    for (const float factor : {0.0F, 1e-42F, 1e-20F, 1.0F, 1e18F}) {
        for (const std::size_t length : {16U, 64U, 384U, 1040U}) {
            auto values = rag::test::random_vectors(1, length, length);
            for (float& value : values) value *= factor;
            values[length / 2] = 127.0F * factor;  // steps of 1: many values lie half between two codes
            for (std::size_t i = 0; i < length; i += 3) values[i] = std::round(4 * values[i] / 2) / 2;
            std::vector<std::int8_t> fast(length);
            std::vector<std::int8_t> slow(length);
            const CodeSums quick = kernels().encode(values.data(), length, fast.data());
            const CodeSums exact = scalar_kernels().encode(values.data(), length, slow.data());
            CHECK(fast == slow);
            CHECK(quick.scale == exact.scale);
            CHECK(quick.squared_length == Approx(exact.squared_length).epsilon(1e-5));
            CHECK(quick.squared_error == Approx(exact.squared_error).epsilon(1e-4).margin(1e-6));
        }
    }
}
