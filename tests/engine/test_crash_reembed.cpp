// kill -9 at random moments of re-embedding: after each, the knowledge base opens with the old embedder or with the new one,
// verify() is clean, and all that was acknowledged is found by that one's vectors. RAG_CRASH_ROUNDS: 30 by default.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "../model/model_files.hpp"
#include "engine_fixtures.hpp"
#include "reembed_documents.hpp"
#include "run_and_kill.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

struct Heard {
    int next = 0;
    int exchanges = 0;
};

/// What the victim said until it was killed, `delay_ms` after it said that the base is open.
void hear_and_kill(const std::vector<std::string>& arguments, int delay_ms, Heard& heard) {
    for (const std::string& line : run_and_kill(arguments, delay_ms, true)) {
        std::istringstream words(line);
        char what = 0;
        int from = 0, to = 0;
        words >> what >> from >> to;
        if (what == 'A') heard.next = to;
        if (what == 'E') ++heard.exchanges;
    }
}

/// A chunk of each document is found by its words, and lies where the embedder puts its text.
std::size_t not_found(const Engine& engine, const std::vector<Document>& documents) {
    std::size_t lost = 0;
    for (const auto& document : documents) {
        const auto stored = get(engine, document.id);
        if (!stored || stored->text != document.text || stored->chunks == 0) {
            ++lost;
            continue;
        }
        Query words;
        words.text = document.text;
        words.mode = SearchMode::kBm25;
        words.where = document.metadata;  // {"n": ...}, of this document alone
        const auto by_words = engine.search(words);
        Query query = words;
        query.text = by_words.empty() ? std::string_view("?") : std::string_view(by_words.front().text);
        query.mode = SearchMode::kVector;
        const auto hits = engine.search(query);
        // A title is embedded with the text: then it is near, but not the same.
        if (by_words.empty() || hits.empty() || (document.title.empty() && hits.front().score < 0.999F)) ++lost;
    }
    return lost;
}

}  // namespace

TEST_CASE("killed at any moment of a re-embedding, the base has the old vectors or the new ones") {
    const auto tiny = fixture("tiny_bert");
    RAG_NEEDS(tiny);
    TemporaryFolder folder;
    const auto other_model = copy_model(tiny, folder);
    edit(other_model / "sentence_bert_config.json", "24", "20");
    FakeBackend backend;
    const auto one = open_fake(tiny, backend);
    const auto other = open_fake(other_model, backend, 16);
    const char* wanted = std::getenv("RAG_CRASH_ROUNDS");
    const int rounds = wanted != nullptr ? std::atoi(wanted) : 30;
    std::mt19937 random(20261126);
    Heard heard;
    int of_other = 0, interrupted = 0;
    std::string base;
    for (int round = 0; round < rounds; ++round) {
        if (round % 10 == 0) {
            base = (folder / ("kb" + std::to_string(round))).string();
            heard.next = 0;
        }
        INFO("round " << round);
        hear_and_kill({CRASH_REEMBEDDER, base, tiny.path.string(), other_model.string(), std::to_string(heard.next),
                       std::to_string(random())},
                      static_cast<int>(random() % 300), heard);
        interrupted += std::filesystem::exists(std::filesystem::path(base) / "knowledge.stage") ? 1 : 0;
        auto engine = open_engine(base);
        const auto report = engine->verify();
        INFO(report.json);
        REQUIRE(report.ok);
        const auto made_by = nlohmann::json::parse(engine->stats())["vectors_made_by"];
        of_other += made_by == other->describe() ? 1 : 0;
        if (made_by.is_null()) continue;
        engine->set_embedder(made_by == other->describe() ? other : one);
        while (get(*engine, "p" + std::to_string(heard.next))) ++heard.next;  // not acknowledged, but there
        CHECK(engine->count() == static_cast<std::uint64_t>(heard.next));
        CHECK(not_found(*engine, reembed_prose(0, heard.next)) == 0);
        if (round % 10 != 9) continue;
        engine->reembed(made_by == other->describe() ? one : other);
        CHECK(not_found(*engine, reembed_prose(0, heard.next)) == 0);
        CHECK(engine->verify().ok);
    }
    CHECK(heard.exchanges > 0);
    CHECK(interrupted > 0);
    WARN(rounds << " kills, " << interrupted << " of them while vectors waited, " << of_other
                << " bases found with the other embedder, " << heard.exchanges << " exchanges");
}
