// GGUF's blocks against what the reference implementation (the Python package gguf) reads in the same bytes, to the last bit:
// random bytes, and scales that are zero, subnormal, huge, infinite and NaN. The fixture is made by make_tiny_models.py.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "../support/test_files.hpp"
#include "formats/safetensors.hpp"
#include "libtorch/kernels/ggml_blocks.hpp"

using namespace rag::core::libtorch::kernels;

namespace {

struct Reader {
    const char* name;
    void (*read)(const std::byte*, float*);
    std::int64_t values;
};
constexpr Reader kReaders[] = {{"Q8_0", read_q8_0, kSmallBlock}, {"Q4_0", read_q4_0, kSmallBlock},
                               {"Q4_1", read_q4_1, kSmallBlock}, {"Q5_0", read_q5_0, kSmallBlock},
                               {"Q5_1", read_q5_1, kSmallBlock}, {"Q2_K", read_q2_k, kLargeBlock},
                               {"Q3_K", read_q3_k, kLargeBlock}, {"Q4_K", read_q4_k, kLargeBlock},
                               {"Q5_K", read_q5_k, kLargeBlock}, {"Q6_K", read_q6_k, kLargeBlock}};

bool same(float a, float b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

}  // namespace

TEST_CASE("blocks hold the values that the reference reads in them") {
    const auto path = rag::test::fixture("blocks.safetensors");
    RAG_NEEDS(path);
    const auto file = rag::core::SafetensorsFile::open(path.path);
    for (const Reader& reader : kReaders) {
        for (const char* kind : {"tame", "wild"}) {
            const std::string stem = std::string(reader.name) + "." + kind;
            INFO(stem);
            const auto* blocks = file->find(stem + ".blocks");
            const auto* values = file->find(stem + ".values");
            REQUIRE(blocks != nullptr);
            REQUIRE(values != nullptr);
            const auto count = static_cast<std::size_t>(blocks->shape[0]);
            const auto size = static_cast<std::size_t>(blocks->shape[1]);
            const auto width = static_cast<std::size_t>(reader.values);
            REQUIRE(values->bytes.size() == count * width * sizeof(float));
            std::vector<float> expected(count * width);
            std::memcpy(expected.data(), values->bytes.data(), values->bytes.size());
            std::vector<float> found(width);
            std::size_t wrong = 0;
            for (std::size_t b = 0; b < count; ++b) {
                reader.read(blocks->bytes.data() + b * size, found.data());
                for (std::size_t i = 0; i < width; ++i) wrong += same(found[i], expected[b * width + i]) ? 0 : 1;
            }
            CHECK(wrong == 0);
        }
    }
}

TEST_CASE("half precision is widened exactly") {
    CHECK(half_to_float(0x3C00) == 1.0F);
    CHECK(half_to_float(0xC000) == -2.0F);
    CHECK(half_to_float(0x7BFF) == 65504.0F);
    CHECK(half_to_float(0x0001) == std::ldexp(1.0F, -24));
    CHECK(half_to_float(0x83FF) == -std::ldexp(1023.0F, -24));
    CHECK(std::signbit(half_to_float(0x8000)));
    CHECK(std::isinf(half_to_float(0xFC00)));
    CHECK(std::isnan(half_to_float(0x7C01)));
}
