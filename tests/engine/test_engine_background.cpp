// The engine's own thread: adding does not wait for graphs, nothing is lost when it is stopped in the middle of one, and a reader
// beside it keeps finding everything.
#include <nlohmann/json.hpp>
#include <thread>

#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

// More than the rows after which the tail is sealed.
constexpr std::uint32_t kMany = 17'000;

nlohmann::json vector_stats(const Engine& engine) {
    return nlohmann::json::parse(engine.stats()).at("vector");
}

void add_many(Engine& engine, std::uint32_t from, std::uint32_t to) {
    for (std::uint32_t n = from; n < to; n += 1000) add_numbered(engine, n, std::min(to, n + 1000));
}

}  // namespace

TEST_CASE("closing in the middle of a graph loses nothing, and the next opening builds it") {
    TemporaryFolder folder;
    {
        auto engine = open_engine(folder / "kb");
        add_many(*engine, 0, kMany);
        CHECK(vector_stats(*engine).at("chunks") == kMany);
        for (const std::uint32_t n : {0U, 5'000U, kMany - 1}) CHECK(found_everywhere(*engine, n));
    }
    auto engine = open_engine(folder / "kb");
    CHECK(engine->count() == kMany);
    CHECK(found_everywhere(*engine, 16'400));
    for (int i = 0; i < 60'000 && vector_stats(*engine).at("segments") == 0; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK(vector_stats(*engine).at("segments") == 1);
    for (std::uint32_t n = 0; n < kMany; n += 500) CHECK(found_everywhere(*engine, n));
    CHECK(engine->verify().ok);
}

TEST_CASE("adding, replacing and deleting while graphs are built, with a reader in another engine") {
    TemporaryFolder folder;
    auto writer = open_engine(folder / "kb");
    add_many(*writer, 0, kMany);
    auto reader = open_engine(folder / "kb", true);
    std::vector<std::string> gone;
    std::vector<Document> changed;
    for (std::uint32_t n = 0; n < kMany; n += 20) gone.push_back("doc" + std::to_string(n));
    for (std::uint32_t n = 1; n < kMany; n += 20) {
        changed.push_back(numbered(n));
        changed.back().title = "changed";
    }
    CHECK(remove(*writer, gone) == gone.size());
    upsert(*writer, changed);
    add_many(*writer, kMany, kMany + 500);
    for (const Engine* engine : {writer.get(), reader.get()}) {
        CHECK(engine->count() == kMany + 500 - gone.size());
        for (std::uint32_t n = 1; n < kMany + 500; n += 700) CHECK(found_everywhere(*engine, n));
        CHECK(search_text(*engine, "marker20").empty());
        CHECK(search_vector(*engine, vector_of(20), 1).front().document_id != "doc20");
    }
    writer->compact();
    CHECK(vector_stats(*writer).at("segments") == 1);
    CHECK(vector_stats(*writer).at("removed") == 0);
    CHECK(writer->verify().ok);
    CHECK(reader->verify().ok);
}

TEST_CASE("a reader maps the file that a writer has written meanwhile") {
    TemporaryFolder folder;
    add_numbered(*open_engine(folder / "kb"), 0, 1);
    const auto reader = open_engine(folder / "kb", true);
    REQUIRE(search_vector(*reader, vector_of(0)).front().document_id == "doc0");
    {
        const auto writer = open_engine(folder / "kb");
        add_many(*writer, 1, 20'000);
        while (vector_stats(*writer).at("segments") == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    // A graph of its own would take seconds, and would be asked for by this search only.
    REQUIRE(search_vector(*reader, vector_of(15'000)).front().document_id == "doc15000");
    CHECK(vector_stats(*reader).at("segments") == 1);
    CHECK(vector_stats(*reader).at("chunks") == 20'000);
    {
        const auto writer = open_engine(folder / "kb");
        add_numbered(*writer, 20'000, 20'100);
        remove(*writer, {"doc15000"});
    }
    CHECK(search_vector(*reader, vector_of(20'050)).front().document_id == "doc20050");
    CHECK(search_vector(*reader, vector_of(15'000)).front().document_id != "doc15000");
    CHECK(vector_stats(*reader).at("chunks") == 20'099);
}
