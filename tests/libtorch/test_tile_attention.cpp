// The attention by matrix tiles against its slow twin in float32: lengths around the tiles' edges, strides, peaked softmax. Where
// the processor has no such tiles there is nothing to compare, and the test says so.
#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

#include "aligned_bytes.hpp"
#include "libtorch/kernels/attention.hpp"
#include "libtorch/kernels/tile_attention.hpp"

using namespace rag::core::libtorch::kernels;

namespace {

std::vector<float> random_rows(std::size_t count, unsigned seed, float scale) {
    std::mt19937 generator(seed);
    std::vector<float> out(count);
    for (float& value : out) value = scale * (static_cast<float>(generator() % 4001) / 2000.0F - 1.0F);
    return out;
}

// The largest difference between both ways; qkv rows of 3 * heads * head_dim with one head in the middle.
float worst(std::int64_t tokens, std::int64_t head_dim, float scale) {
    const std::int64_t stride = 9 * head_dim;
    const auto qkv = random_rows(static_cast<std::size_t>(tokens * stride), static_cast<unsigned>(tokens), scale);
    const auto width = static_cast<std::size_t>(3 * head_dim);
    std::vector<float> expected(static_cast<std::size_t>(tokens) * width, 0.0F);
    std::vector<float> got(expected);
    AttentionHead slow;
    slow.queries = qkv.data() + head_dim;
    slow.keys = qkv.data() + 4 * head_dim;
    slow.values = qkv.data() + 7 * head_dim;
    slow.query_stride = slow.key_stride = stride;
    slow.positions = slow.key_count = tokens;
    slow.head_dim = head_dim;
    slow.scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
    slow.out = expected.data() + head_dim;
    slow.out_stride = 3 * head_dim;
    AlignedBytes scratch(static_cast<std::size_t>(attention_scratch(head_dim)) * sizeof(float));
    for (std::int64_t block = 0; block * attention_block_rows() < tokens; ++block)
        attend_block(slow, block, reinterpret_cast<float*>(scratch.data()));
    TileHead fast;
    fast.queries = slow.queries;
    fast.keys = qkv.data() + 4 * head_dim;
    fast.values = qkv.data() + 7 * head_dim;
    fast.stride = stride;
    fast.tokens = tokens;
    fast.head_dim = head_dim;
    fast.scale = slow.scale;
    fast.out = got.data() + head_dim;
    fast.out_stride = 3 * head_dim;
    AlignedBytes tiles(tile_scratch(tokens, head_dim));
    attend_tiles(fast, tiles.data());
    float largest = 0.0F;
    for (std::size_t i = 0; i < got.size(); ++i) {
        REQUIRE(std::isfinite(got[i]));
        largest = std::max(largest, std::fabs(got[i] - expected[i]));
    }
    return largest;
}

}  // namespace

TEST_CASE("attention by tiles equals attention by vectors to bfloat16's digits") {
    if (!tiles_available()) {
        WARN("skipped: the processor has no AMX tiles, or Linux does not let this process use them");
        return;
    }
    for (const std::int64_t head_dim : {32, 64, 96, 128}) {
        for (const std::int64_t tokens : {1, 2, 15, 16, 17, 31, 32, 33, 63, 100, 257, 512}) {
            INFO(tokens << " tokens, " << head_dim << " dimensions");
            CHECK(worst(tokens, head_dim, 1.0F) < 0.01F);
            CHECK(worst(tokens, head_dim, 4.0F) < 0.16F);  // one key has nearly all the weight: its score is off by 2^-8
        }
    }
}
