// The bounds-checked reader at its edges: exact ends, sizes near 2^64, alignment; after a refusal it has not moved.
#include "core/byte_reader.hpp"

#include <array>
#include <limits>

#include "core/checksum.hpp"
#include "expect_error.hpp"

using namespace rag::core;
using rag::test::expect_error;

namespace {

const std::array<std::byte, 12> kBytes = {std::byte{1},   std::byte{2},   std::byte{3},  std::byte{4},
                                          std::byte{'a'}, std::byte{'b'}, std::byte{0},  std::byte{0},
                                          std::byte{255}, std::byte{9},   std::byte{10}, std::byte{11}};

}  // namespace

TEST_CASE("values are little-endian and need no alignment") {
    ByteReader reader(kBytes, "file.bin");
    CHECK(reader.read<std::uint8_t>() == 1);
    CHECK(reader.read<std::uint16_t>() == 0x0302);
    CHECK(reader.read<std::uint8_t>() == 4);
    CHECK(reader.take_text(2) == "ab");
    CHECK(reader.offset() == 6);
    reader.align(8);
    CHECK(reader.offset() == 8);
    reader.align(8);
    CHECK(reader.offset() == 8);
    CHECK(reader.read<std::int32_t>() == 0x0b0a09ff);
    CHECK(reader.remaining() == 0);
    CHECK(reader.take(0).empty());
    reader.align(4);
}

TEST_CASE("past the end is an error that names file and offset, and moves nothing") {
    ByteReader reader(kBytes, "file.bin");
    reader.skip(10);
    for (const std::uint64_t size : {std::uint64_t{3}, std::uint64_t{1} << 32, std::numeric_limits<std::uint64_t>::max(),
                                     std::numeric_limits<std::uint64_t>::max() - 9}) {
        expect_error(Code::kCorrupt, {"file.bin", "offset 10", "2 are left of 12", std::to_string(size)},
                     [&] { reader.take(size); });
        CHECK(reader.offset() == 10);
    }
    expect_error(Code::kCorrupt, {"file.bin"}, [&] { reader.read<std::uint32_t>(); });
    expect_error(Code::kCorrupt, {"file.bin"}, [&] { reader.align(8); });
    CHECK(reader.read<std::uint16_t>() == 0x0b0a);
}

TEST_CASE("no bytes at all") {
    ByteReader reader({}, "empty");
    CHECK(reader.remaining() == 0);
    CHECK(reader.take_text(0).empty());
    expect_error(Code::kCorrupt, {"empty", "1 bytes"}, [&] { reader.read<char>(); });
}

TEST_CASE("products of sizes are checked") {
    CHECK(checked_multiply(0, std::numeric_limits<std::uint64_t>::max(), "x") == 0);
    CHECK(checked_multiply(std::numeric_limits<std::uint64_t>::max(), 1, "x") == std::numeric_limits<std::uint64_t>::max());
    CHECK(checked_multiply(1ULL << 32, (1ULL << 32) - 1, "x") == 0xFFFFFFFF00000000ULL);
    expect_error(Code::kCorrupt, {"the tensor", "4294967296"}, [] { checked_multiply(1ULL << 32, 1ULL << 32, "the tensor"); });
}

TEST_CASE("checksums are XXH3's, and see every bit") {
    // Test vectors of XXH3_64bits: the empty input, with seed 0.
    CHECK(checksum64({}) == 0x2D06800538D394C2ULL);
    std::array<std::byte, 12> changed = kBytes;
    const std::uint64_t base = checksum64(kBytes);
    CHECK(base == checksum64(changed));
    CHECK(base != checksum64(kBytes, 1));
    for (std::size_t bit = 0; bit < 8 * changed.size(); ++bit) {
        changed[bit / 8] ^= std::byte{1} << (bit % 8);
        CHECK(base != checksum64(changed));
        changed[bit / 8] ^= std::byte{1} << (bit % 8);
    }
}
