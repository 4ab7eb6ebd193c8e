// Arrays that go on from one another: what is shared, what is not, and that an index whose segments share is the same as one
// built where nothing could be shared.
#include <catch2/catch.hpp>

#include "index/vector/vector_index.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

constexpr std::size_t kLarge = std::size_t{3} << 20;  // floats: large enough to have room behind it

void fill(GrowingArray<float>& array, std::size_t from, std::size_t to, float value) {
    for (std::size_t i = from; i < to; i += 512) array.data()[i] = value;
}

}  // namespace

TEST_CASE("a longer array goes on where the shorter one ends") {
    GrowingArray<float> first(kLarge);
    fill(first, 0, kLarge, 1);
    GrowingArray<float> second(first, kLarge, 2 * kLarge);
    CHECK(second.kept() == kLarge);
    CHECK(second.data() == first.data());
    fill(second, kLarge, 2 * kLarge, 2);
    CHECK(first.data()[kLarge - 512] == 1);
    GrowingArray<float> third(second, 2 * kLarge, 3 * kLarge);
    CHECK(third.kept() == 2 * kLarge);
    first = GrowingArray<float>();
    second = GrowingArray<float>();
    CHECK(third.data()[0] == 1);
    CHECK(third.data()[2 * kLarge - 512] == 2);
}

TEST_CASE("an array that another one went on from, or without room, is not shared") {
    GrowingArray<float> base(kLarge);
    const GrowingArray<float> taken(base, kLarge, kLarge + 512);
    CHECK(taken.kept() == kLarge);
    // As after an attempt that failed: what it wrote behind the base may still be read by somebody.
    const GrowingArray<float> other(base, kLarge, kLarge + 1024);
    CHECK(other.kept() == 0);
    CHECK(other.data() != base.data());
    const GrowingArray<float> part(taken, kLarge, 2 * kLarge);
    CHECK(part.kept() == 0);
    const GrowingArray<float> huge(taken, kLarge + 512, 1000 * kLarge);
    CHECK(huge.kept() == 0);
    const GrowingArray<float> small(100);
    CHECK(GrowingArray<float>(small, 100, 101).kept() == 0);
    CHECK(GrowingArray<float>(GrowingArray<float>(), 0, 5).kept() == 0);
}

TEST_CASE("an index whose graph is extended in place is the one that is extended by copies") {
    constexpr std::size_t kDimension = 256;
    constexpr std::size_t kFirst = 20'000;  // codes of 5 MB, rows of 20
    constexpr std::size_t kMore = 700;
    const auto vectors = rag::test::clustered_vectors(kFirst + 2 * kMore, kDimension, 60, 5);
    const auto part = [&](std::size_t from, std::size_t count) {
        return std::span(vectors).subspan(from * kDimension, count * kDimension);
    };
    for (const VectorType type : {VectorType::kFloat32, VectorType::kInt8}) {
        VectorIndexOptions options;
        options.dimension = kDimension;
        options.type = type;
        options.m = 4;
        options.ef_construction = 8;
        options.background = true;
        options.tail_limit = 500;
        VectorIndex shared(options);
        shared.add(rag::test::consecutive_ids(kFirst), part(0, kFirst));
        shared.seal();
        // What comes out of a file is mapped, and has no room behind it.
        const auto bytes = shared.serialize();
        const auto copied = VectorIndex::parse(bytes, nullptr, "copied", options);
        for (std::size_t round = 0; round < 2; ++round) {
            const std::size_t from = kFirst + round * kMore;
            for (VectorIndex* index : {&shared, copied.get()}) {
                index->add(rag::test::consecutive_ids(kMore, static_cast<std::int64_t>(from)), part(from, kMore));
                index->remove(std::vector<std::int64_t>{static_cast<std::int64_t>(round), static_cast<std::int64_t>(from)});
                if (round == 1 && index == &shared) {  // an attempt that is stopped leaves nothing behind
                    std::size_t polls = 0;
                    CHECK_THROWS_AS(index->seal([&](std::uint64_t, std::uint64_t) { return ++polls < 400; }), Stopped);
                }
                index->seal();
                std::string why;
                CHECK(index->verify(why));
                CHECK(index->size() == from + kMore - 2 * (round + 1));
            }
        }
        CHECK(shared.serialize() == copied->serialize());
    }
}
