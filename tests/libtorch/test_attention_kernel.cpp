// The attention kernel against loops in double precision: lengths around the blocks, grouped heads, causal offsets, 16-bit keys.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "libtorch/kernels/attention.hpp"

using namespace rag::core::libtorch::kernels;

namespace {

struct Problem {
    std::int64_t positions, group, keys, head_dim, past;
    NumberType type = NumberType::kFloat32;
    std::int64_t before = kEveryKey, after = 0;
    float softcap = 0.0F;
};

// Texts: every position sees every key.
Problem text(std::int64_t length, std::int64_t head_dim) {
    return {length, 1, length, head_dim, 0, NumberType::kFloat32, kEveryKey, kEveryKey};
}

std::vector<float> values(std::size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::vector<float> out(count);
    for (float& value : out) {
        value = static_cast<float>(generator() % 4001) / 1000.0F - 2.0F;
    }
    return out;
}

// Rounded to 16 bits so that both sides see the same keys.
std::vector<std::uint16_t> to_bfloat16(std::vector<float>& floats) {
    std::vector<std::uint16_t> out;
    for (float& value : floats) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, &value, 4);
        bits &= 0xFFFF0000U;
        std::memcpy(&value, &bits, 4);
        out.push_back(static_cast<std::uint16_t>(bits >> 16));
    }
    return out;
}

// Bytes and a scale a row; the floats become what these say.
std::vector<std::int8_t> to_bytes(std::vector<float>& floats, std::int64_t columns, std::vector<float>& scales) {
    std::vector<std::int8_t> out;
    for (std::size_t i = 0; i < floats.size(); ++i) {
        if (i % static_cast<std::size_t>(columns) == 0) {
            scales.push_back(0.01F + 0.001F * static_cast<float>(scales.size() % 7));
        }
        out.push_back(static_cast<std::int8_t>(std::fmin(std::fmax(std::nearbyint(floats[i] / scales.back()), -127.0F), 127.0F)));
        floats[i] = scales.back() * static_cast<float>(out.back());
    }
    return out;
}

std::vector<float> naive(const Problem& p, const std::vector<float>& q, const std::vector<float>& k,
                         const std::vector<float>& v) {
    std::vector<float> out(q.size());
    for (std::int64_t row = 0; row < p.positions * p.group; ++row) {
        const std::int64_t own = p.past + row / p.group;
        const std::int64_t first = std::max<std::int64_t>(own - p.before, 0);
        const std::int64_t end = std::min(own + p.after + 1, p.keys);
        std::vector<double> weights;
        double total = 0.0;
        for (std::int64_t j = first; j < end; ++j) {
            double score = 0.0;
            for (std::int64_t c = 0; c < p.head_dim; ++c) {
                score += static_cast<double>(q[static_cast<std::size_t>(row * p.head_dim + c)]) *
                         k[static_cast<std::size_t>(j * p.head_dim + c)];
            }
            score /= std::sqrt(static_cast<double>(p.head_dim));
            if (p.softcap > 0.0F) {
                score = p.softcap * std::tanh(score / p.softcap);
            }
            weights.push_back(std::exp(score));
            total += weights.back();
        }
        for (std::int64_t c = 0; c < p.head_dim; ++c) {
            double sum = 0.0;
            for (std::int64_t j = first; j < end; ++j) {
                sum += weights[static_cast<std::size_t>(j - first)] * v[static_cast<std::size_t>(j * p.head_dim + c)];
            }
            out[static_cast<std::size_t>(row * p.head_dim + c)] = static_cast<float>(sum / total);
        }
    }
    return out;
}

float worst(const Problem& p) {
    const auto q = values(static_cast<std::size_t>(p.positions * p.group * p.head_dim), 1);
    auto k = values(static_cast<std::size_t>(p.keys * p.head_dim), 2);
    auto v = values(static_cast<std::size_t>(p.keys * p.head_dim), 3);
    std::vector<std::uint16_t> k16;
    std::vector<std::uint16_t> v16;
    AttentionHead head;
    head.keys = k.data();
    head.values = v.data();
    if (p.type == NumberType::kBFloat16) {
        k16 = to_bfloat16(k);
        v16 = to_bfloat16(v);
        head.keys = k16.data();
        head.values = v16.data();
    }
    std::vector<std::int8_t> k8;
    std::vector<std::int8_t> v8;
    std::vector<float> key_scales;
    std::vector<float> value_scales;
    if (p.type == NumberType::kInt8) {
        k8 = to_bytes(k, p.head_dim, key_scales);
        v8 = to_bytes(v, p.head_dim, value_scales);
        head.keys = k8.data();
        head.values = v8.data();
        head.key_scales = key_scales.data();
        head.value_scales = value_scales.data();
    }
    std::vector<float> out(q.size(), NAN);
    head.queries = q.data();
    head.query_stride = head.out_stride = p.group * p.head_dim;
    head.positions = p.positions;
    head.group = p.group;
    head.key_type = p.type;
    head.key_stride = p.head_dim;
    head.key_count = p.keys;
    head.head_dim = p.head_dim;
    head.past = p.past;
    head.before = p.before;
    head.after = p.after;
    head.scale = 1.0F / std::sqrt(static_cast<float>(p.head_dim));
    head.softcap = p.softcap;
    head.out = out.data();
    std::vector<float> memory(static_cast<std::size_t>(attention_scratch(p.head_dim)) + 16);
    auto* aligned = reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) / 64 * 64);
    const std::int64_t rows = attention_block_rows();
    for (std::int64_t block = 0; block * rows < p.positions * p.group; ++block) {
        attend_block(head, block, aligned);
    }
    const std::vector<float> expected = naive(p, q, k, v);
    float largest = 0.0F;
    for (std::size_t i = 0; i < out.size(); ++i) {
        REQUIRE(std::isfinite(out[i]));
        largest = std::max(largest, std::fabs(out[i] - expected[i]));
    }
    return largest;
}

}  // namespace

TEST_CASE("attention over all keys") {
    for (const std::int64_t length : {1, 2, 7, 31, 32, 33, 127, 128, 129, 257}) {
        for (const std::int64_t head_dim : {1, 12, 32, 64, 80}) {
            INFO(length << " tokens, head_dim " << head_dim);
            CHECK(worst(text(length, head_dim)) < 2e-6F);
        }
    }
}

TEST_CASE("causal attention behind a cache, grouped heads") {
    for (const std::int64_t past : {0, 1, 100, 127, 128, 300}) {
        for (const std::int64_t rows : {1, 5, 40, 140}) {
            for (const std::int64_t group : {1, 3}) {
                INFO("past " << past << ", rows " << rows << ", group " << group);
                CHECK(worst({rows, group, past + rows, 64, past}) < 2e-6F);
            }
        }
    }
}

TEST_CASE("keys and values of 16 bits") {
    for (const std::int64_t head_dim : {8, 20, 64}) {
        CHECK(worst({9, 3, 209, head_dim, 200, NumberType::kBFloat16}) < 2e-6F);
    }
}

TEST_CASE("keys and values of bytes, a few rows and many") {
    for (const std::int64_t head_dim : {8, 20, 64}) {
        for (const std::int64_t rows : {1, 2, 9, 60}) {
            CHECK(worst({rows, 3, 200 + rows, head_dim, 200, NumberType::kInt8}) < 4e-6F);
            CHECK(worst({rows, 1, 300 + rows, head_dim, 300, NumberType::kInt8, 100, 0, 5.0F}) < 4e-6F);
        }
    }
}

TEST_CASE("windows before and around a position") {
    for (const std::int64_t before : {0, 1, 16, 127, 128, 200}) {
        for (const std::int64_t past : {0, 5, 128, 400}) {
            for (const std::int64_t rows : {1, 5, 40, 140}) {
                INFO("window " << before << ", past " << past << ", rows " << rows);
                CHECK(worst({rows, 3, past + rows, 64, past, NumberType::kFloat32, before, 0}) < 2e-6F);
                CHECK(worst({rows, 1, past + rows, 20, past, NumberType::kBFloat16, before, 3}) < 2e-6F);
            }
        }
    }
    for (const std::int64_t length : {1, 63, 129, 300}) {
        CHECK(worst({length, 1, length, 64, 0, NumberType::kFloat32, 64, 64}) < 2e-6F);
    }
}

TEST_CASE("capped scores") {
    for (const float cap : {0.5F, 3.0F, 50.0F}) {
        INFO("cap " << cap);
        CHECK(worst({1, 3, 301, 64, 300, NumberType::kFloat32, kEveryKey, 0, cap}) < 2e-6F);
        CHECK(worst({40, 1, 140, 64, 100, NumberType::kFloat32, 30, 0, cap}) < 2e-6F);
        CHECK(worst({7, 1, 107, 12, 100, NumberType::kBFloat16, kEveryKey, 0, cap}) < 2e-6F);
    }
}
