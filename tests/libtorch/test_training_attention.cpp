// Attention of short texts on the way forward and back against plain loops in double precision: lengths and head sizes around a
// vector register, shared keys, windows, causal rows, float32 and bfloat16, rows that lie further apart than the heads.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <random>

#include "aligned_bytes.hpp"
#include "libtorch/kernels/training_tiles.hpp"

using namespace rag::core::libtorch::kernels;

namespace {

float rounded(float value, NumberType type) {
    if (type == NumberType::kFloat32) {
        return value;
    }
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) & 0xFFFF0000U;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// [length, heads, head_dim] with room behind each row, in one of the two types.
struct Rows {
    Rows(NumberType kind, std::int64_t length, std::int64_t columns, std::uint64_t seed)
        : type(kind), step(columns + 5), wide(static_cast<std::size_t>(length * step)), narrow(wide.size()) {
        std::mt19937_64 generator(seed);
        for (std::size_t i = 0; i < wide.size(); ++i) {
            wide[i] = rounded(static_cast<float>(static_cast<double>(generator() >> 11) * 0x1p-51 - 2.0), type);
            std::uint32_t bits = 0;
            std::memcpy(&bits, &wide[i], sizeof bits);
            narrow[i] = static_cast<std::uint16_t>(bits >> 16U);
        }
    }
    double value(std::int64_t i, std::int64_t c) const {
        const auto at = static_cast<std::size_t>(i * step + c);
        if (type == NumberType::kFloat32) {
            return static_cast<double>(wide[at]);
        }
        const std::uint32_t bits = static_cast<std::uint32_t>(narrow[at]) << 16U;
        float found = 0.0F;
        std::memcpy(&found, &bits, sizeof found);
        return static_cast<double>(found);
    }
    void* data() { return type == NumberType::kFloat32 ? static_cast<void*>(wide.data()) : narrow.data(); }
    ConstNarrow in() { return {data(), type}; }
    Narrow out() { return {data(), type}; }

    NumberType type;
    std::int64_t step;
    std::vector<float> wide;
    std::vector<std::uint16_t> narrow;
};

// Matrices of doubles, [rows][columns].
using Matrix = std::vector<std::vector<double>>;
Matrix zeros(std::int64_t rows, std::int64_t columns) {
    return Matrix(static_cast<std::size_t>(rows), std::vector<double>(static_cast<std::size_t>(columns)));
}

struct Expected {
    Matrix out, to_q, to_k, to_v;
};

Matrix weights_of(const ShortText& text, const Rows& q, const Rows& k, std::int64_t head) {
    Matrix weights = zeros(text.length, text.length);
    for (std::int64_t i = 0; i < text.length; ++i) {
        double sum = 0.0;
        auto& row = weights[static_cast<std::size_t>(i)];
        for (std::int64_t j = 0; j < text.length; ++j) {
            if ((text.before >= 0 && i - j > text.before) || (text.after >= 0 && j - i > text.after)) {
                continue;
            }
            double score = 0.0;
            for (std::int64_t c = 0; c < text.head_dim; ++c) {
                score += q.value(i, head * text.head_dim + c) * k.value(j, c);
            }
            row[static_cast<std::size_t>(j)] = std::exp(score * static_cast<double>(text.scale));
            sum += row[static_cast<std::size_t>(j)];
        }
        for (double& weight : row) {
            weight /= sum;
        }
    }
    return weights;
}

Expected expect(const ShortText& text, const Rows& gradient, const Rows& q, const Rows& k, const Rows& v) {
    const std::int64_t n = text.length, dim = text.head_dim;
    Expected e = {zeros(n, text.shared_by * dim), zeros(n, text.shared_by * dim), zeros(n, dim), zeros(n, dim)};
    for (std::int64_t head = 0; head < text.shared_by; ++head) {
        const Matrix weights = weights_of(text, q, k, head);
        for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
            std::vector<double> of_weight(static_cast<std::size_t>(n));
            double mean = 0.0;
            for (std::size_t j = 0; j < of_weight.size(); ++j) {
                for (std::int64_t c = 0; c < dim; ++c) {
                    const auto at = static_cast<std::size_t>(head * dim + c);
                    const double back = gradient.value(static_cast<std::int64_t>(i), head * dim + c);
                    e.out[i][at] += weights[i][j] * v.value(static_cast<std::int64_t>(j), c);
                    e.to_v[j][static_cast<std::size_t>(c)] += weights[i][j] * back;
                    of_weight[j] += back * v.value(static_cast<std::int64_t>(j), c);
                }
                mean += weights[i][j] * of_weight[j];
            }
            for (std::size_t j = 0; j < of_weight.size(); ++j) {
                const double score = weights[i][j] * (of_weight[j] - mean) * static_cast<double>(text.scale);
                for (std::int64_t c = 0; c < dim; ++c) {
                    const auto at = static_cast<std::size_t>(head * dim + c);
                    e.to_q[i][at] += score * k.value(static_cast<std::int64_t>(j), c);
                    e.to_k[j][static_cast<std::size_t>(c)] += score * q.value(static_cast<std::int64_t>(i), head * dim + c);
                }
            }
        }
    }
    return e;
}

// The largest difference, and numbers behind the heads that changed.
void check(const Rows& found, const Rows& before, const Matrix& expected, double tolerance) {
    double worst = 0.0;
    bool untouched = true;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto columns = static_cast<std::int64_t>(expected[i].size());
        for (std::int64_t c = 0; c < found.step; ++c) {
            const double value = found.value(static_cast<std::int64_t>(i), c);
            if (c >= columns) {
                untouched = untouched && value == before.value(static_cast<std::int64_t>(i), c);
                continue;
            }
            const double wanted = expected[i][static_cast<std::size_t>(c)];
            worst = std::max(worst, std::abs(value - wanted) / (1.0 + std::abs(wanted)));
        }
    }
    CHECK(worst < tolerance);
    CHECK(untouched);
}

}  // namespace

TEST_CASE("attention of short texts is softmax and its derivative", "[kernels][training]") {
    const auto type = GENERATE(NumberType::kFloat32, NumberType::kBFloat16);
    const auto length =
        GENERATE(std::int64_t{1}, std::int64_t{2}, std::int64_t{15}, std::int64_t{16}, std::int64_t{33}, std::int64_t{70});
    const auto head_dim = GENERATE(std::int64_t{1}, std::int64_t{8}, std::int64_t{32}, std::int64_t{37});
    const auto window = GENERATE(std::pair<std::int64_t, std::int64_t>{-1, -1}, std::pair<std::int64_t, std::int64_t>{-1, 0},
                                 std::pair<std::int64_t, std::int64_t>{3, 0}, std::pair<std::int64_t, std::int64_t>{2, 5});
    const std::int64_t shared_by = length % 2 == 0 ? 3 : 1;
    CAPTURE(length, head_dim, window.first, window.second);
    Rows q(type, length, shared_by * head_dim, 1), k(type, length, head_dim, 2), v(type, length, head_dim, 3);
    Rows gradient(type, length, shared_by * head_dim, 4), out(type, length, shared_by * head_dim, 5);
    Rows to_q(type, length, shared_by * head_dim, 6), to_k(type, length, head_dim, 7), to_v(type, length, head_dim, 8);
    const Rows out_before = out, to_q_before = to_q, to_k_before = to_k, to_v_before = to_v;
    const ShortText text = {length, head_dim, shared_by, q.step, k.step, 0.4F, window.first, window.second};
    std::vector<float> scratch(static_cast<std::size_t>(short_attention_scratch(length, head_dim)), NAN);
    short_attention_forward(text, q.in(), k.in(), v.in(), out.out(), scratch.data());
    short_attention_backward(text, gradient.in(), q.in(), k.in(), v.in(), to_q.out(), to_k.out(), to_v.out(), scratch.data());
    const Expected expected = expect(text, gradient, q, k, v);
    const double tolerance = type == NumberType::kFloat32 ? 2e-5 : 8e-3;
    check(out, out_before, expected.out, tolerance);
    check(to_q, to_q_before, expected.to_q, tolerance);
    check(to_k, to_k_before, expected.to_k, tolerance);
    check(to_v, to_v_before, expected.to_v, tolerance);
}

TEST_CASE("attention of training by tiles is softmax and its derivative", "[kernels][training]") {
    if (!tiles_available()) {
        WARN("not run: no tiles here");
        return;
    }
    const auto length = GENERATE(std::int64_t{1}, std::int64_t{2}, std::int64_t{31}, std::int64_t{32}, std::int64_t{33},
                                 std::int64_t{70}, std::int64_t{129});
    const auto head_dim = GENERATE(std::int64_t{32}, std::int64_t{64}, std::int64_t{96});
    const auto window = GENERATE(std::pair<std::int64_t, std::int64_t>{-1, -1}, std::pair<std::int64_t, std::int64_t>{-1, 0},
                                 std::pair<std::int64_t, std::int64_t>{40, 0}, std::pair<std::int64_t, std::int64_t>{3, 37});
    const std::int64_t shared_by = length % 2 == 0 ? 3 : 1;
    CAPTURE(length, head_dim, window.first, window.second);
    const auto type = NumberType::kBFloat16;
    Rows q(type, length, shared_by * head_dim, 1), k(type, length, head_dim, 2), v(type, length, head_dim, 3);
    Rows gradient(type, length, shared_by * head_dim, 4), out(type, length, shared_by * head_dim, 5);
    Rows to_q(type, length, shared_by * head_dim, 6), to_k(type, length, head_dim, 7), to_v(type, length, head_dim, 8);
    const Rows out_before = out, to_q_before = to_q, to_k_before = to_k, to_v_before = to_v;
    const ShortText text = {length, head_dim, shared_by, q.step, k.step, 0.1F, window.first, window.second};
    AlignedBytes scratch(training_tiles_scratch(length, head_dim));
    std::memset(scratch.data(), 0xFF, training_tiles_scratch(length, head_dim));  // of not-a-numbers
    tile_attention_forward(text, q.narrow.data(), k.narrow.data(), v.narrow.data(), out.narrow.data(), scratch.data());
    tile_attention_backward(text,
                            {gradient.narrow.data(), q.narrow.data(), k.narrow.data(), v.narrow.data(), to_q.narrow.data(),
                             to_k.narrow.data(), to_v.narrow.data()},
                            scratch.data());
    const Expected expected = expect(text, gradient, q, k, v);
    // Weights and gradients of scores are rounded to three digits before they are summed.
    check(out, out_before, expected.out, 8e-3);
    check(to_q, to_q_before, expected.to_q, 2.5e-2);
    check(to_k, to_k_before, expected.to_k, 2.5e-2);
    check(to_v, to_v_before, expected.to_v, 2.5e-2);
}

TEST_CASE("scores of a thousand leave no NaN", "[kernels][training]") {
    const std::int64_t length = 20, head_dim = 16;
    Rows q(NumberType::kFloat32, length, head_dim, 1), k(NumberType::kFloat32, length, head_dim, 2);
    Rows v(NumberType::kFloat32, length, head_dim, 3), out(NumberType::kFloat32, length, head_dim, 4);
    const ShortText text = {length, head_dim, 1, q.step, k.step, 500.0F, -1, 0};
    std::vector<float> scratch(static_cast<std::size_t>(short_attention_scratch(length, head_dim)), NAN);
    short_attention_forward(text, q.in(), k.in(), v.in(), out.out(), scratch.data());
    double sum = 0.0;
    for (std::int64_t i = 0; i < length; ++i) {
        for (std::int64_t c = 0; c < head_dim; ++c) {
            sum += std::abs(out.value(i, c));
        }
    }
    CHECK(std::isfinite(sum));
    CHECK(out.value(0, 0) == Approx(v.value(0, 0)));
}
