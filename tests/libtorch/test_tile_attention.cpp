// The attention by tiles against its slow twin in float32: lengths around the edges of tiles and blocks, strides, shared
// keys, causal masks, windows, caps, stored kinds of keys, peaked softmax. Where the processor has no such tiles there is nothing
// to compare, and the test says so.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
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

struct Shape {
    std::int64_t positions = 0;
    std::int64_t past = 0;
    std::int64_t head_dim = 64;
    std::int64_t group = 1;
    std::int64_t before = kEveryKey;
    std::int64_t after = kEveryKey;
    float softcap = 0.0F;
    NumberType type = NumberType::kFloat32;
};

// Keys and values [count, 3 * head_dim] as a cache of that type holds them, the head in the middle.
struct Stored {
    std::vector<float> floats;
    std::vector<std::uint16_t> halves;
    std::vector<std::int8_t> bytes;
    std::vector<float> scales;

    Stored(std::vector<float> values, const Shape& shape) : floats(std::move(values)) {
        for (float& value : floats) {
            if (shape.type == NumberType::kBFloat16) {
                std::uint32_t bits = 0;
                std::memcpy(&bits, &value, 4);
                halves.push_back(static_cast<std::uint16_t>(bits >> 16));
            }
            bytes.push_back(static_cast<std::int8_t>(value * 20.0F));
        }
        const auto rows = floats.size() / static_cast<std::size_t>(3 * shape.head_dim);
        for (std::size_t j = 0; j < rows; ++j) scales.push_back(0.05F + 0.001F * static_cast<float>(j % 7));
    }
    const void* head(const Shape& shape) const {
        const auto at = static_cast<std::size_t>(shape.head_dim);
        if (shape.type == NumberType::kBFloat16) return halves.data() + at;
        if (shape.type == NumberType::kInt8) return bytes.data() + at;
        return floats.data() + at;
    }
};

// The largest difference between both ways.
float worst(const Shape& shape, float size) {
    const std::int64_t count = shape.past + shape.positions;
    const std::int64_t stride = 3 * shape.head_dim;
    const auto values = static_cast<std::size_t>(count * stride);
    const auto seed = static_cast<unsigned>(count);
    const Stored keys(random_rows(values, seed, size), shape);
    const Stored rows(random_rows(values, seed + 1, size), shape);
    const std::int64_t width = (shape.group + 2) * shape.head_dim;
    const auto queries = random_rows(static_cast<std::size_t>(shape.positions * width), seed + 2, size);
    std::vector<float> expected(queries.size(), 0.0F);
    std::vector<float> got(expected);
    AttentionHead head;
    head.queries = queries.data() + shape.head_dim;
    head.query_stride = head.out_stride = width;
    head.positions = shape.positions;
    head.group = shape.group;
    head.key_type = shape.type;
    head.keys = keys.head(shape);
    head.values = rows.head(shape);
    head.key_stride = stride;
    head.key_scales = keys.scales.data();
    head.value_scales = rows.scales.data();
    head.key_count = count;
    head.head_dim = shape.head_dim;
    head.past = shape.past;
    head.before = shape.before;
    head.after = shape.after;
    head.scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim));
    head.softcap = shape.softcap;
    head.out = expected.data() + shape.head_dim;
    AlignedBytes scratch(static_cast<std::size_t>(attention_scratch(shape.head_dim)) * sizeof(float));
    for (std::int64_t block = 0; block * attention_block_rows() < shape.positions * shape.group; ++block)
        attend_block(head, block, reinterpret_cast<float*>(scratch.data()));
    head.out = got.data() + shape.head_dim;
    if (shape.type == NumberType::kFloat32) head.key_scales = head.value_scales = nullptr;
    REQUIRE(fits_tiles(head));
    AlignedBytes packed(packed_keys_bytes(count, shape.head_dim));
    const std::int64_t groups = round_up(count, kTileKeys) / kTileKeys;
    pack_keys(head, groups / 2 * kTileKeys, (groups - groups / 2) * kTileKeys, packed.data());
    pack_keys(head, 0, groups / 2 * kTileKeys, packed.data());
    AlignedBytes tiles(tile_scratch(shape.head_dim));
    for (std::int64_t block = (shape.positions * shape.group - 1) / kTileBlockRows; block >= 0; --block)
        attend_tiles(head, packed.data(), block, tiles.data());
    float largest = 0.0F;
    for (std::size_t i = 0; i < got.size(); ++i) {
        REQUIRE(std::isfinite(got[i]));
        largest = std::max(largest, std::fabs(got[i] - expected[i]));
    }
    return largest;
}

bool no_tiles() {
    if (tiles_available()) return false;
    WARN("not run: the processor has neither AMX nor AVX512-VNNI and -BF16");
    return true;
}

}  // namespace

TEST_CASE("attention by tiles equals attention by vectors to bfloat16's digits") {
    if (no_tiles()) return;
    for (const std::int64_t head_dim : {32, 64, 96, 128}) {
        for (const std::int64_t tokens : {1, 2, 15, 16, 17, 31, 32, 33, 63, 100, 257, 512, 513, 1100}) {
            INFO(tokens << " tokens, " << head_dim << " dimensions");
            Shape shape;
            shape.positions = tokens;
            shape.head_dim = head_dim;
            CHECK(worst(shape, 1.0F) < 0.01F);
            CHECK(worst(shape, 4.0F) < 0.16F);  // one key has nearly all the weight: its score is off by 2^-8
        }
    }
}

TEST_CASE("attention by tiles: causal rows, shared keys, earlier keys, windows, caps and kinds of stored keys") {
    if (no_tiles()) return;
    for (const NumberType type : {NumberType::kFloat32, NumberType::kBFloat16, NumberType::kInt8}) {
        for (const std::int64_t positions : {1, 7, 32, 45, 530, 1060}) {
            for (const std::int64_t past : {0, 1, 63, 700}) {
                for (const std::int64_t before : {kEveryKey, std::int64_t{0}, std::int64_t{40}, std::int64_t{600}}) {
                    Shape shape;
                    shape.type = type;
                    shape.positions = positions;
                    shape.past = past;
                    shape.before = before;
                    shape.after = 0;
                    shape.group = 1 + (positions + past) % 4;
                    shape.softcap = before == 40 ? 1.5F : 0.0F;
                    INFO(static_cast<int>(type)
                         << ": " << positions << " behind " << past << ", window " << before << ", group " << shape.group);
                    CHECK(worst(shape, 1.0F) < 0.012F);
                }
            }
        }
    }
    Shape local;  // both ways, as encoders with windows have it
    local.positions = 777;
    local.before = local.after = 64;
    CHECK(worst(local, 1.0F) < 0.01F);
}

TEST_CASE("attention by tiles leaves to vectors what it does not compute") {
    AttentionHead head;
    head.head_dim = 64;
    CHECK(fits_tiles(head));
    head.key_type = NumberType::kFloat16;
    CHECK_FALSE(fits_tiles(head));
    head.key_type = NumberType::kBFloat16;
    head.head_dim = 80;
    CHECK_FALSE(fits_tiles(head));
    head.head_dim = 64;
    const float bias = 0.0F;
    head.distance_bias = &bias;
    CHECK_FALSE(fits_tiles(head));
}
