// The engine as a whole from outside: changes, backup, export, import, and callbacks that stop or throw on the way.
#include <rag/rag.hpp>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "test_files.hpp"

namespace fs = std::filesystem;

namespace {

void fill(rag::Engine& engine, int count = 50) {
    std::vector<rag::Document> documents;
    for (int i = 0; i < count; ++i) {
        documents.push_back(
            {"d" + std::to_string(i), "text about marker" + std::to_string(i), "", R"({"n":1})", {1.0F, float(i)}});
    }
    engine.add(documents);
}

}  // namespace

TEST_CASE("a copy follows the changes") {
    rag::Engine engine;
    CHECK(engine.changes().changes.empty());
    engine.add({{"a", "one", "", "", {}}, {"b", "two", "", "", {}}});
    engine.upsert({{"a", "changed", "", "", {}}});
    engine.remove({"b"});
    const auto all = engine.changes();
    REQUIRE(all.changes.size() == 2);
    CHECK(all.changes[0].kind == rag::ChangeKind::kUpdated);
    CHECK(all.changes[0].id == "a");
    CHECK(all.changes[0].sequence == 2);
    CHECK(all.changes[1].kind == rag::ChangeKind::kRemoved);
    CHECK(all.next == 3);
    CHECK(all.last == 3);
    CHECK(engine.changes(2).changes.size() == 1);
    CHECK_THROWS_AS(engine.changes(4), rag::Error);

    rag_changes* raw = nullptr;
    CHECK(rag_engine_changes(engine.handle(), UINT64_MAX, 0, &raw) == RAG_INVALID_ARGUMENT);
    CHECK(raw == nullptr);
    CHECK(rag_engine_changes(engine.handle(), 0, 0, nullptr) == RAG_INVALID_ARGUMENT);
    REQUIRE(rag_engine_changes(engine.handle(), 0, 1, &raw) == RAG_OK);
    CHECK(rag_changes_count(raw) == 1);
    CHECK(rag_changes_next(raw) == 2);
    rag_change change = RAG_CHANGE_INIT;
    CHECK(rag_changes_at(raw, 1, &change) == RAG_INVALID_ARGUMENT);
    CHECK(change.id.data == nullptr);
    rag_changes_free(raw);
    rag_changes_free(nullptr);
    CHECK(rag_changes_count(nullptr) == 0);
}

TEST_CASE("backup, export and import give the same knowledge") {
    rag::test::TemporaryFolder folder;
    const std::string copy = folder / "copy", file = folder / "all.jsonl", imported = folder / "new";
    rag::Engine engine;
    fill(engine);
    engine.backup(copy);
    CHECK(engine.export_file(file) == 50);
    std::string lines;
    CHECK(engine.export_lines([&](std::string_view line) {
        lines += line;
        return true;
    }) == 50);
    std::ifstream stream(file);
    CHECK(lines == std::string((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>()));
    rag::Engine second(imported);
    CHECK(second.import_file(file, nullptr, 7) == 50);
    for (rag::Engine* other : {&second}) {
        CHECK(other->count() == 50);
        CHECK(other->verify());
        CHECK(other->get({"d7"})[0]->created_ms == engine.get({"d7"})[0]->created_ms);
    }
    CHECK(rag::Engine(copy).search("marker7").front().doc_id == "d7");
    second.compact();
    CHECK(second.verify());
}

TEST_CASE("links go with an export and show in the changes") {
    rag::test::TemporaryFolder folder;
    const std::string file = folder / "all.jsonl";
    rag::Engine engine;
    fill(engine, 3);
    const auto before = engine.changes().last;
    engine.link({{"d0", "d1#0", "see also", 2.0}, {"d2", "d0", "\xe5\x8f\x82\xe8\xa7\x81", 0.5}});
    CHECK(engine.changes(before).changes.size() == 3);
    engine.export_file(file);
    rag::Engine second;
    CHECK(second.import_file(file) == 3);
    const auto links = second.links();
    REQUIRE(links.size() == 2);
    CHECK(links[0].source == "d0");
    CHECK(links[0].target == "d1#0");
    CHECK(links[0].type == "see also");
    CHECK(links[0].weight == 2.0);
    CHECK(links[1].type == "\xe5\x8f\x82\xe8\xa7\x81");
}

TEST_CASE("saving an index tells its progress; stopped, the older file stays") {
    rag::test::TemporaryFolder folder;
    const std::string words = folder / "words", vectors = folder / "vectors";
    rag::Bm25Index bm25;
    rag::VectorIndexOptions options;
    options.dimension = 2;
    rag::VectorIndex near(options);
    bm25.add({1}, {"one"});
    const std::int64_t ids[] = {1, 2};
    const float unit[] = {1.0F, 0.0F, 0.0F, 1.0F};
    near.add(ids, unit, 1, 2);
    bm25.save(words);
    near.save(vectors);
    bm25.add({2}, {"two"});
    near.add(ids + 1, unit + 2, 1, 2);
    const rag::Progress stop = [](std::uint64_t, std::uint64_t) { return false; };
    const rag::Progress raise = [](std::uint64_t, std::uint64_t) -> bool { throw std::runtime_error("mine"); };
    CHECK_THROWS_AS(bm25.save(words, stop), rag::Stopped);
    CHECK_THROWS_AS(near.save(vectors, stop), rag::Stopped);
    CHECK_THROWS_WITH(bm25.save(words, raise), "mine");
    CHECK_THROWS_WITH(near.save(vectors, raise), "mine");
    CHECK(rag::Bm25Index::load(words).size() == 1);
    CHECK(rag::VectorIndex::load(vectors).size() == 1);
    std::uint64_t last = 0, all = 0;
    bm25.save(words, [&](std::uint64_t done, std::uint64_t total) {
        last = done;
        all = total;
        return true;
    });
    CHECK(last <= all);
    CHECK(all > 0);
    last = 0;
    near.save(vectors, [&](std::uint64_t done, std::uint64_t) {
        last = done;
        return true;
    });
    CHECK(last > 0);
    CHECK(rag::Bm25Index::load(words).size() == 2);
    CHECK(rag::VectorIndex::load(vectors).size() == 2);
    const auto value = [](uint64_t, uint64_t, void*) { return 42; };
    CHECK(rag_bm25_index_save(nullptr, {words.data(), words.size()}, value, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_vector_index_save(nullptr, {words.data(), words.size()}, value, nullptr) == RAG_INVALID_ARGUMENT);
}

TEST_CASE("callbacks that stop or throw end the call and leave nothing half done") {
    rag::test::TemporaryFolder folder;
    rag::Engine engine;
    fill(engine);
    const std::string copy = folder / "copy", file = folder / "all.jsonl";
    const rag::Progress stop = [](std::uint64_t, std::uint64_t) { return false; };
    const rag::Progress raise = [](std::uint64_t, std::uint64_t) -> bool { throw std::runtime_error("mine"); };
    CHECK_THROWS_AS(engine.backup(copy, stop), rag::Stopped);
    CHECK_THROWS_WITH(engine.backup(copy, raise), "mine");
    CHECK_THROWS_AS(engine.export_file(file, true, stop), rag::Stopped);
    CHECK_THROWS_WITH(engine.export_file(file, true, raise), "mine");
    CHECK(fs::is_empty(folder.path()));
    CHECK_THROWS_AS(engine.export_lines([](std::string_view) { return false; }), rag::Stopped);
    CHECK_THROWS_WITH(engine.export_lines([](std::string_view) -> bool { throw std::runtime_error("mine"); }), "mine");
    CHECK_THROWS_AS(engine.compact(stop), rag::Stopped);
    CHECK_THROWS_WITH(engine.verify(nullptr, raise), "mine");
    CHECK(engine.verify());
    engine.export_file(file);
    rag::Engine other;
    CHECK_THROWS_WITH(other.import_file(file, raise), "mine");
    CHECK(other.verify());

    CHECK(rag_engine_export(engine.handle(), {nullptr, 0}, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_engine_export(engine.handle(), {"", 0}, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    rag_export_options both = RAG_EXPORT_OPTIONS_INIT;
    both.line = [](rag_text, void*) { return 0; };
    CHECK(rag_engine_export(engine.handle(), {"x", 1}, &both, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("both are") != std::string::npos);
    CHECK(rag_engine_import(engine.handle(), {nullptr, 0}, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_engine_backup(engine.handle(), {nullptr, 0}, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
}
