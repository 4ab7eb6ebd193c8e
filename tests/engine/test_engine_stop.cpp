// A search asks its caller, on the caller's thread, whether to go on: in everything that takes longer with longer texts and
// queries. What the caller does when it is asked, searching and writing too, is as harmless as between two searches. No clocks:
// how often it is asked is counted against the bytes.
#include <set>
#include <thread>

#include "core/cancel.hpp"
#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

constexpr std::size_t kTextBytes = std::size_t{3} << 20;
constexpr int kTexts = 4;

/// Words of four letters, each some hundred times.
std::string long_text(unsigned seed, std::size_t bytes) {
    std::mt19937 random(seed);
    std::string text;
    while (text.size() < bytes) {
        for (int i = 0; i < 4; ++i) text += static_cast<char>('a' + random() % 8);
        text += random() % 20 == 0 ? ".\n" : " ";
    }
    return text;
}

std::unique_ptr<Engine> open_long(const std::optional<std::filesystem::path>& path = {}) {
    EngineOptions options;
    options.path = path;
    options.bm25 = Bm25Options();
    options.bm25->positions = true;
    auto engine = Engine::open(options);
    std::vector<Document> documents;
    for (int i = 0; i < kTexts; ++i) {
        documents.push_back({"long" + std::to_string(i), long_text(static_cast<unsigned>(i), kTextBytes), "", "",
                             vector_of(static_cast<std::uint32_t>(i))});
    }
    add(*engine, documents);
    return engine;
}

struct Asked {
    const char* name;
    std::size_t least;  // times that the caller is asked
    std::string text;
    std::function<void(Query&)> change;
};

std::vector<Asked> all_asked() {
    const std::string words = "abcd dcba aaaa bbbb hhhh";
    return {
        {"highlights", kTexts * kTextBytes / 5 / 8192, words, [](Query& query) { query.highlight = true; }},
        {"explain", kTexts, words, [](Query& query) { query.explain = true; }},
        {"likeness by words", kTexts * kTextBytes / 5 / 131072, words, [](Query& query) { query.diversity = 0.5F; }},
        {"a long query", 20, long_text(9, kMaxQueryBytes - 8), [](Query&) {}},
        {"a long query, explained", kTexts * 20, long_text(9, kMaxQueryBytes - 8), [](Query& query) { query.explain = true; }},
        {"phrases", kTexts, "\"abcd dcba\" aaaa", [](Query& query) { query.syntax = Bm25Syntax::kLanguage; }},
        {"groups", 2, words, [](Query& query) { query.group_hits = 1; }},
    };
}

std::vector<std::string> ids_of(const std::vector<Hit>& hits) {
    std::vector<std::string> out;
    for (const Hit& hit : hits)
        out.push_back(hit.id + std::to_string(hit.score) + std::to_string(hit.highlights.size()) + hit.explain);
    return out;
}

}  // namespace

TEST_CASE("a search over long texts asks whether to go on, and stops when told so") {
    const auto engine = open_long();
    for (const Asked& asked : all_asked()) {
        INFO(asked.name);
        Query query;
        query.text = asked.text;
        query.mode = SearchMode::kBm25;
        asked.change(query);
        const auto expected = ids_of(engine->search(query));
        std::size_t times = 0;
        const auto caller = std::this_thread::get_id();
        CHECK(ids_of(engine->search(query, [&](std::uint64_t, std::uint64_t) {
                  ++times;
                  return std::this_thread::get_id() == caller;
              })) == expected);
        // A text or query of more than 64 KiB may be searched by a helper thread, beside which the caller is asked by the clock:
        // a slow search more often than the next one.
        const bool by_clock = asked.text.size() > 65536;
        if (!by_clock) CHECK(times >= asked.least);
        for (const std::size_t enough : {std::size_t{0}, by_clock ? 0 : times / 2}) {
            std::size_t left = enough;
            CHECK(failure_of([&] { engine->search(query, [&](std::uint64_t, std::uint64_t) { return left-- > 0; }); }).code ==
                  Code::kStopped);
        }
        CHECK(ids_of(engine->search(query)) == expected);
    }
}

TEST_CASE("the caller that is asked may search and write, in memory and in a folder") {
    TemporaryFolder folder;
    for (const auto& path : {std::optional<std::filesystem::path>(), std::optional(folder / "kb")}) {
        const auto engine = open_long(path);
        for (const Asked& asked : all_asked()) {
            if (asked.text.size() > 65536) continue;
            INFO(asked.name);
            Query query;
            query.text = asked.text;
            query.mode = SearchMode::kBm25;
            query.k = kTexts;
            asked.change(query);
            const auto expected = ids_of(engine->search(query));
            std::set<std::string> inside;
            std::size_t times = 0;
            const auto found = ids_of(engine->search(query, [&](std::uint64_t, std::uint64_t) {
                if (++times % 16 != 1) return true;
                Query other;
                other.text = "bcde edcb";
                other.mode = SearchMode::kBm25;
                for (const Hit& hit : engine->search(other)) inside.insert(hit.document_id);
                // Words that the outer search does not look for.
                Document small{"small", "zzz " + std::to_string(times), "", "", vector_of(77)};
                upsert(*engine, {small});
                return true;
            }));
            CHECK(times > 0);
            CHECK(inside.size() == kTexts);
            if (asked.text.find("explain") == std::string::npos && !query.explain) CHECK(found.size() == expected.size());
            remove(*engine, {"small"});
            CHECK(ids_of(engine->search(query)) == expected);
        }
        CHECK(engine->verify().ok);
    }
}

TEST_CASE("a batch says which queries are done while one of them takes long") {
    const auto engine = open_long();
    std::vector<Query> queries(3);
    for (Query& query : queries) {
        query.text = "abcd dcba";
        query.mode = SearchMode::kBm25;
        query.highlight = true;
    }
    std::uint64_t last = 0;
    SearchBatchOptions options;
    options.threads = 1;
    options.progress = [&](std::uint64_t done, std::uint64_t total) {
        CHECK(total == 3);
        CHECK(done >= last);
        last = done;
        return true;
    };
    CHECK(engine->search(queries, options).size() == 3);
    CHECK(last == 3);
    options.progress = [](std::uint64_t, std::uint64_t) { return false; };
    CHECK(failure_of([&] { engine->search(queries, options); }).code == Code::kStopped);
}
