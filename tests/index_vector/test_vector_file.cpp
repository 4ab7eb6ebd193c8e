// Files: what is saved comes back and answers the same; every kind of damage is named; newer versions are refused; 10,000 rows
// open in milliseconds.
#include "index/vector/vector_file.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "index/vector/vector_index.hpp"
#include "test_files.hpp"
#include "vectors.hpp"

using namespace rag::core;
using Catch::Matchers::Contains;

namespace {

std::unique_ptr<VectorIndex> make_index(VectorType type, std::size_t sealed = 700, std::size_t tail = 40) {
    VectorIndexOptions options;
    options.dimension = 20;
    options.metric = Metric::kL2;
    options.type = type;
    auto index = std::make_unique<VectorIndex>(options);
    index->add(rag::test::consecutive_ids(sealed), rag::test::random_vectors(sealed, 20, 1));
    if (sealed > 0) index->seal();
    index->add(rag::test::consecutive_ids(tail, 5000), rag::test::random_vectors(tail, 20, 2));
    if (sealed > 0) index->remove(std::vector<std::int64_t>{3, 5, 5001});
    index->set_sequence(0x1122334455667788);
    return index;
}

std::unique_ptr<VectorIndex> parse(const std::vector<std::byte>& bytes) {
    auto kept = std::make_shared<std::vector<std::byte>>(bytes);
    return VectorIndex::parse(*kept, kept, "test.vec");
}

std::string refused(const std::vector<std::byte>& bytes, Code code = Code::kCorrupt) {
    try {
        parse(bytes);
    } catch (const Error& error) {
        CHECK(error.code() == code);
        CHECK_THAT(error.what(), Contains("test.vec"));
        return error.what();
    }
    return {};
}

/// The file with checksums that fit its changed body.
std::vector<std::byte> with_new_sums(std::vector<std::byte> bytes, std::size_t body_bytes) {
    bytes.resize(body_bytes);
    const auto end = vector_file_end(bytes);
    bytes.insert(bytes.end(), end.begin(), end.end());
    return bytes;
}

std::size_t body_bytes_of(const std::vector<std::byte>& bytes) {
    std::uint64_t body = 0;
    std::memcpy(&body, bytes.data() + bytes.size() - 32, sizeof(body));
    return body;
}

}  // namespace

TEST_CASE("a saved index comes back the same") {
    const rag::test::TemporaryFolder folder;
    for (const VectorType type : {VectorType::kFloat32, VectorType::kInt8}) {
        for (const auto& [sealed, tail] : {std::pair<std::size_t, std::size_t>{700, 40}, {0, 40}, {700, 0}, {0, 0}, {1, 0}}) {
            const auto index = make_index(type, sealed, tail);
            index->save(folder / "a");
            const auto again = VectorIndex::load(folder / "a", index->options());
            CHECK(again->sequence() == 0x1122334455667788);
            CHECK(again->ids() == index->ids());
            CHECK(again->serialize() == index->serialize());
            std::string why;
            CHECK(again->verify(why));
            const auto query = rag::test::random_vectors(1, 20, 9);
            const auto before = index->search(query, 25, 60);
            const auto after = again->search(query, 25, 60);
            REQUIRE(before.size() == after.size());
            for (std::size_t i = 0; i < before.size(); ++i) {
                CHECK(before[i].id == after[i].id);
                CHECK(before[i].score == after[i].score);
            }
            // A loaded index goes on living: its mapped rows are sealed, merged and removed like any others.
            again->add(rag::test::consecutive_ids(30, 9000), rag::test::random_vectors(30, 20, 3));
            again->save(folder / "a");
            again->compact();
            CHECK(again->size() == index->size() + 30);
            CHECK(again->verify(why));
            CHECK(VectorIndex::load(folder / "a")->size() == again->size());
        }
    }
}

TEST_CASE("an index of another shape is refused by name") {
    const rag::test::TemporaryFolder folder;
    const auto index = make_index(VectorType::kFloat32);
    index->save(folder / "a");
    auto expected = index->options();
    expected.dimension = 21;
    CHECK_THROWS_WITH(VectorIndex::load(folder / "a", expected), Contains("dimension 20") && Contains("21"));
    expected = index->options();
    expected.metric = Metric::kCosine;
    CHECK_THROWS_AS(VectorIndex::load(folder / "a", expected), Error);
    CHECK_THROWS_WITH(VectorIndex::load(folder / "nothing"), Contains("nothing"));
}

TEST_CASE("a newer version is refused naming both") {
    auto bytes = make_index(VectorType::kFloat32)->serialize();
    const std::uint32_t newer = kVectorFileVersion + 1;
    std::memcpy(bytes.data() + 8, &newer, sizeof(newer));
    const std::string text = refused(bytes, Code::kVersion);
    CHECK_THAT(text, Contains("version 3") && Contains("up to 2"));
}

TEST_CASE("every truncation and every flipped bit is noticed") {
    const auto bytes = make_index(VectorType::kInt8, 40, 3)->serialize();
    for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 50) {
        INFO("size " << size);
        CHECK(refused({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}) != "");
    }
    const std::size_t reserved = bytes.size() - 8;  // the last bytes of the footer are not looked at
    for (std::size_t at = 12; at < reserved; at += 7) {
        auto damaged = bytes;
        damaged[at] ^= std::byte{0x10};
        INFO("byte " << at);
        const std::string text = refused(damaged);
        CHECK(text != "");
        if (at < body_bytes_of(bytes)) CHECK_THAT(text, Contains("block 0 of 1"));
    }
}

TEST_CASE("a changed file with fitting checksums is safe: refused, or an index that can be searched") {
    for (const VectorType type : {VectorType::kFloat32, VectorType::kInt8}) {
        const auto bytes = make_index(type, 300, 10)->serialize();
        const std::size_t body = body_bytes_of(bytes);
        std::mt19937_64 random(5);
        std::size_t refusals = 0;
        for (int round = 0; round < 1500; ++round) {
            auto damaged = bytes;
            // Headers, links and levels are a small part of the bytes: aim at everything, and at the first 256 more often.
            const std::size_t at = (round % 3 == 0 ? 12 + random() % 244 : 12 + random() % (body - 12)) / 4 * 4;
            const std::uint32_t values[] = {0, 1, 0xFFFFFFFFU, 0x7FFFFFFFU, 0x7FC00000U, static_cast<std::uint32_t>(random())};
            std::memcpy(damaged.data() + at, &values[random() % 6], 4);
            try {
                const auto index = parse(with_new_sums(damaged, body));
                const auto query = rag::test::random_vectors(1, index->options().dimension, 3);
                CHECK(index->search(query, 10, 40).size() == std::min<std::size_t>(10, index->size()));
                std::string why;
                if (!index->verify(why)) CHECK(why != "");
            } catch (const Error& error) {
                CHECK((error.code() == Code::kCorrupt || error.code() == Code::kVersion));
                ++refusals;
            }
        }
        CHECK(refusals > 100);
    }
}

TEST_CASE("10,000 rows of 384 open in less than 20 ms") {
    const rag::test::TemporaryFolder folder;
    VectorIndexOptions options;
    options.dimension = 384;
    options.m = 8;
    options.ef_construction = 16;  // the quality of the graph is not asked here
    {
        VectorIndex index(options);
        index.add(rag::test::consecutive_ids(10000), rag::test::random_vectors(10000, 384, 1));
        index.save(folder / "a");
    }
    double best_ms = 1e9;
    for (int round = 0; round < 5; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        const auto index = VectorIndex::load(folder / "a");
        const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
        REQUIRE(index->size() == 10000);
        best_ms = std::min(best_ms, ms);
    }
    WARN("opened in " << best_ms << " ms");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(best_ms < 20);
#endif
}

namespace {

std::unique_ptr<VectorIndex> tiny_index(VectorType type, std::size_t sealed, std::size_t tail) {
    VectorIndexOptions options;
    options.dimension = 3;
    options.metric = type == VectorType::kInt8 ? Metric::kInnerProduct : Metric::kCosine;
    options.type = type;
    options.m = 2;
    options.ef_construction = 8;
    auto index = std::make_unique<VectorIndex>(options);
    index->add(rag::test::consecutive_ids(sealed), rag::test::random_vectors(sealed, 3, 1));
    index->seal();
    index->add(rag::test::consecutive_ids(tail, 100), rag::test::random_vectors(tail, 3, 2));
    index->remove(std::vector<std::int64_t>{1});
    index->set_sequence(42);
    return index;
}

std::filesystem::path source_folder() {
    const char* folder = std::getenv("RAG_SOURCE_DIR");
    return folder == nullptr ? std::filesystem::path() : std::filesystem::path(folder);
}

}  // namespace

// Run by hand when the format grows: RAG_SOURCE_DIR=. test_index_vector "[.corpus]". Old golden files stay.
TEST_CASE("write the golden file and the corpus of the fuzz target", "[.corpus]") {
    const auto corpus = source_folder() / "tests/fuzz/corpus/vector_file";
    std::filesystem::create_directories(corpus);
    const auto write = [](const std::filesystem::path& path, std::vector<std::byte> bytes, bool body_only) {
        if (body_only) bytes.resize(body_bytes_of(bytes));
        rag::test::write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    };
    write(corpus / "float_codes_body", tiny_index(VectorType::kFloat32, 24, 2)->serialize(), true);
    write(corpus / "int8_body", tiny_index(VectorType::kInt8, 24, 2)->serialize(), true);
    write(corpus / "tail_body", tiny_index(VectorType::kFloat32, 0, 3)->serialize(), true);
    write(corpus / "empty_body", tiny_index(VectorType::kFloat32, 0, 0)->serialize(), true);
    write(corpus / "whole", tiny_index(VectorType::kFloat32, 6, 1)->serialize(), false);
    write(source_folder() / "tests/index_vector/golden_v2.vec", tiny_index(VectorType::kFloat32, 24, 2)->serialize(), false);
}

TEST_CASE("the golden file of version 1 is read") {
    const auto path = source_folder() / "tests/index_vector/golden_v1.vec";
    REQUIRE(std::filesystem::exists(path));
    const auto index = VectorIndex::load(path);
    CHECK(index->sequence() == 42);
    CHECK(index->size() == 25);
    CHECK(index->options().metric == Metric::kInnerProduct);
    CHECK(index->options().type == VectorType::kInt8);
    std::string why;
    CHECK(index->verify(why));
    const auto hits = index->search(std::vector<float>{1, 0, 0}, 25);
    REQUIRE(hits.size() == 25);
    std::vector<float> out(3);
    for (const auto& hit : hits) {
        REQUIRE(index->get(hit.id, out));
        CHECK(hit.score == Approx(out[0]));
    }
}

TEST_CASE("the golden file of version 2, of floats with codes, is read") {
    const auto path = source_folder() / "tests/index_vector/golden_v2.vec";
    REQUIRE(std::filesystem::exists(path));
    const auto index = VectorIndex::load(path);
    CHECK(index->sequence() == 42);
    CHECK(index->size() == 25);
    CHECK(index->options().metric == Metric::kCosine);
    CHECK(index->options().type == VectorType::kFloat32);
    std::string why;
    CHECK(index->verify(why));
    CHECK(index->search(std::vector<float>{1, 0, 0}, 25).size() == 25);
}

TEST_CASE("a graph of floats of version 1, without codes, is read and gets them") {
    // The corpus of the fuzz target keeps it.
    const std::string text = rag::test::read_file(source_folder() / "tests/fuzz/corpus/vector_file/float_body");
    const auto raw = std::as_bytes(std::span(text));
    std::vector<std::byte> bytes(raw.begin(), raw.end());
    REQUIRE(bytes.size() > 12);
    CHECK(std::to_integer<int>(bytes[8]) == 1);
    const auto index = parse(with_new_sums(bytes, bytes.size()));
    CHECK(index->size() == 25);
    CHECK(index->stats().segments == 1);
    std::string why;
    CHECK(index->verify(why));
    const auto query = rag::test::random_vectors(1, 3, 7);
    CHECK(index->search(query, 25).size() == 25);
    CHECK(index->serialize().size() > bytes.size());
}

TEST_CASE("a file holds no dead rows of the tail, nor those of a graph that is mostly dead") {
    constexpr std::size_t kDimension = 64;
    VectorIndexOptions options;
    options.dimension = kDimension;
    options.background = true;  // nothing is rebuilt unless somebody asks
    options.type = VectorType::kInt8;
    options.tail_limit = 1000;
    const auto vectors = rag::test::random_vectors(3000, kDimension, 9);
    const auto part = [&](std::size_t first, std::size_t count) {
        return std::span(vectors).subspan(first * kDimension, count * kDimension);
    };
    VectorIndex index(options);
    index.add(rag::test::consecutive_ids(2000), part(0, 2000));
    index.seal();
    index.add(rag::test::consecutive_ids(1000, 2000), part(2000, 1000));
    std::vector<std::int64_t> gone;
    for (std::int64_t id = 0; id < 3000; ++id) {
        if (id % 10 != 0) gone.push_back(id);
    }
    index.remove(gone);
    const auto bytes = index.serialize();
    CHECK(bytes.size() < 400 * kDimension * sizeof(float));
    const auto again = VectorIndex::parse(bytes, nullptr, "a file");
    CHECK(again->size() == 300);
    CHECK(again->ids() == index.ids());
    CHECK(again->stats().dead == 0);
    std::string why;
    CHECK(again->verify(why));
    for (std::size_t row = 0; row < 3000; row += 50) {
        const auto expected = index.search(rag::test::row_of(vectors, kDimension, row), 5);
        const auto found = again->search(rag::test::row_of(vectors, kDimension, row), 5);
        REQUIRE(found.size() == expected.size());
        for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i].id == expected[i].id);
    }
}
