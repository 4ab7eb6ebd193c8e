// What a search can ask of BM25 through an engine: operators, highlights, settings that the base keeps. And how chunks are cut
// goes with the base, too.
#include <nlohmann/json.hpp>
#include <set>

#include "core/log.hpp"
#include "engine/bm25_settings.hpp"
#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

std::vector<Document> library() {
    return {{"a", "The quick brown fox jumps over the lazy dog", "", "", vector_of(1)},
            {"b", "A brown dog and a quick fox", "", "", vector_of(2)},
            {"c", "Foxes are foxy", "", "", vector_of(3)},
            {"d", "\u9ad8\u8840\u538b\u60a3\u8005\u5e94\u8be5\u591a\u8fd0\u52a8", "", "", vector_of(4)},
            {"e", "\u8840\u538b\u8ba1", "", "", vector_of(5)}};
}

std::unique_ptr<Engine> open_with(const std::optional<std::filesystem::path>& path, const std::optional<Bm25Options>& bm25,
                                  bool read_only = false) {
    EngineOptions options;
    options.path = path;
    options.bm25 = bm25;
    options.read_only = read_only;
    return Engine::open(options);
}

Bm25Options with_positions() {
    Bm25Options options;
    options.positions = true;
    return options;
}

std::set<std::string> found(const Engine& engine, std::string_view text, SearchMode mode, Bm25Syntax syntax) {
    const auto vector = vector_of(3);
    Query query;
    query.text = text;
    query.mode = mode;
    query.syntax = syntax;
    if (mode == SearchMode::kHybrid) query.vector = vector;
    std::set<std::string> ids;
    for (const Hit& hit : engine.search(query)) ids.insert(hit.document_id);
    return ids;
}

nlohmann::json stats_of(const Engine& engine) {
    return nlohmann::json::parse(engine.stats());
}

}  // namespace

TEST_CASE("operators say which chunks may be hits, in bm25 and hybrid searches") {
    auto engine = open_with({}, with_positions());
    add(*engine, library());
    using Set = std::set<std::string>;
    for (const SearchMode mode : {SearchMode::kBm25, SearchMode::kHybrid}) {
        INFO(static_cast<int>(mode));
        const auto asked = [&](std::string_view text) { return found(*engine, text, mode, Bm25Syntax::kLanguage); };
        CHECK(asked("fox") == Set{"a", "b", "c"});
        CHECK(asked("fox -dog") == Set{"c"});
        CHECK(asked("+fox +quick") == Set{"a", "b"});
        CHECK(asked("\"brown fox\"") == Set{"a"});
        CHECK(asked("\"brown dog\" OR jum*") == Set{"a", "b"});
        CHECK(asked("\u8840\u538b") == Set{"d", "e"});
        CHECK(asked("\"\u9ad8\u8840\u538b\"") == Set{"d"});
        CHECK(asked("nothing").empty());
        CHECK(failure_of([&] { asked("(fox"); }).code == Code::kInvalidArgument);
    }
    // A plain query is never read so: quotes and signs are nothing, and a vector brings in what no word finds.
    CHECK(found(*engine, "\"brown fox\" -dog", SearchMode::kBm25, Bm25Syntax::kPlain) == Set{"a", "b", "c"});
    CHECK(found(*engine, "(fox", SearchMode::kBm25, Bm25Syntax::kPlain) == Set{"a", "b", "c"});
    CHECK(found(*engine, "fox -dog", SearchMode::kHybrid, Bm25Syntax::kPlain).size() == 5);

    const auto vector = vector_of(1);
    Query query;
    query.vector = vector;
    query.syntax = Bm25Syntax::kLanguage;
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidArgument);
    query.text = "fox";
    query.mode = SearchMode::kVector;
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidArgument);
    query.syntax = static_cast<Bm25Syntax>(7);
    query.mode = SearchMode::kBm25;
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidArgument);
    // In a batch the wrong one is named.
    query.syntax = Bm25Syntax::kLanguage;
    Query wrong = query;
    wrong.text = "(fox";
    const Query both[] = {query, wrong};
    CHECK(failure_of([&] { engine->search(both, {}); }).text.starts_with("query 1:"));
}

TEST_CASE("what explains a hit of operators sums to its score") {
    auto engine = open_with({}, with_positions());
    add(*engine, library());
    Query query;
    query.text = "+fox quick -lazy";
    query.mode = SearchMode::kBm25;
    query.syntax = Bm25Syntax::kLanguage;
    query.explain = true;
    const auto hits = engine->search(query);
    REQUIRE(hits.size() == 2);
    for (const Hit& hit : hits) {
        const auto json = nlohmann::json::parse(hit.explain);
        float sum = 0;
        for (const auto& term : json["bm25"]["terms"]) sum += term["score"].get<float>();
        CHECK(sum == Approx(hit.score));
    }
}

TEST_CASE("hits say where their text has what the query looks for") {
    auto engine = open_with({}, with_positions());
    add(*engine, library());
    const auto marked = [&](std::string_view text, SearchMode mode, Bm25Syntax syntax, bool highlight = true) {
        const auto vector = vector_of(1);
        Query query;
        query.text = text;
        query.mode = mode;
        query.syntax = syntax;
        query.highlight = highlight;
        query.k = 1;
        if (mode != SearchMode::kBm25) query.vector = vector;
        std::vector<std::string> out;
        for (const Hit& hit : engine->search(query)) {
            REQUIRE(hit.highlights.size() % 2 == 0);
            for (std::size_t i = 0; i < hit.highlights.size(); i += 2)
                out.push_back(hit.text.substr(hit.highlights[i], hit.highlights[i + 1] - hit.highlights[i]));
        }
        return out;
    };
    using List = std::vector<std::string>;
    CHECK(marked("brown jumping", SearchMode::kBm25, Bm25Syntax::kPlain) == List{"brown", "jumps"});
    CHECK(marked("\"brown fox\" jumps", SearchMode::kHybrid, Bm25Syntax::kLanguage) == List{"brown fox", "jumps"});
    CHECK(marked("quick", SearchMode::kVector, Bm25Syntax::kPlain) == List{"quick"});  // the vector finds, words are marked
    CHECK(marked("\u9ad8\u8840\u538b", SearchMode::kBm25, Bm25Syntax::kPlain) == List{"\u9ad8\u8840\u538b"});
    CHECK(marked("brown", SearchMode::kBm25, Bm25Syntax::kPlain, false).empty());
}

TEST_CASE("settings of BM25 belong to the base: kept, compared, and the index is built again where they change") {
    TemporaryFolder folder;
    const auto kb = folder / "kb";
    Bm25Options first = with_positions();
    first.k1 = 0.9;
    first.b = 0.4;
    first.variant = Bm25Variant::kPlus;
    first.k3 = std::numeric_limits<double>::infinity();
    {
        auto engine = open_with(kb, first);
        add(*engine, library());
        CHECK(search_text(*engine, "fox").size() == 3);
    }
    {
        auto engine = open_with(kb, std::nullopt);
        CHECK(stats_of(*engine)["bm25_settings"]["k1"] == 0.9);
        CHECK(stats_of(*engine)["bm25_settings"]["variant"] == 2);
        CHECK(found(*engine, "\"brown fox\"", SearchMode::kBm25, Bm25Syntax::kLanguage).size() == 1);
        // The same scores as an index with these settings gives.
        Bm25Index index(first);
        std::vector<std::string> texts;
        for (const Document& document : library()) texts.push_back(document.text);
        const std::vector<std::string_view> views(texts.begin(), texts.end());
        const std::vector<std::int64_t> ids{1, 2, 3, 4, 5};
        index.add(ids, views);
        const auto expected = index.search("quick fox", 3);
        const auto hits = search_text(*engine, "quick fox", 3);
        REQUIRE(hits.size() == expected.size());
        for (std::size_t i = 0; i < hits.size(); ++i) CHECK(hits[i].score == expected[i].score);
    }
    CHECK(open_with(kb, first, true)->count() == 5);  // equal ones may be given
    const auto refused = failure_of([&] { open_with(kb, Bm25Options{}, true); });
    CHECK(refused.code == Code::kInvalidArgument);
    CHECK(refused.text.find("0.9") != std::string::npos);
    CHECK(refused.text.find("1.2") != std::string::npos);
    CHECK(failure_of([&] { open_with(kb, Bm25Options{.k1 = -3}); }).code == Code::kInvalidArgument);
    {
        auto engine = open_with(kb, Bm25Options{});
        const auto failure = failure_of([&] { found(*engine, "\"brown fox\"", SearchMode::kBm25, Bm25Syntax::kLanguage); });
        CHECK(failure.code == Code::kInvalidArgument);
        CHECK(failure.text.find("positions") != std::string::npos);
        CHECK(engine->verify().ok);
    }
    CHECK(stats_of(*open_with(kb, std::nullopt, true))["bm25_settings"]["k1"] == 1.2);
}

TEST_CASE("damaged settings of BM25 are refused by name") {
    Bm25Options options = with_positions();
    options.language = "german";
    options.delta = 0.25;
    CHECK(parse_bm25_settings(write_bm25_settings(options), "kb").language == Bm25Index(options).options().language);
    CHECK(parse_bm25_settings(write_bm25_settings(options), "kb") == Bm25Index(options).options());
    const std::string good = write_bm25_settings(options);
    for (const std::string& bad :
         {std::string(), std::string("{}"), std::string("[1]"), std::string("{\"k1\":1e999}"), good.substr(0, good.size() - 1),
          std::string(5000, '['), std::string(good).replace(good.find("0.25"), 4, "\"x\""),
          std::string(good).replace(good.find("german"), 6, "klingon")}) {
        INFO(bad.substr(0, 100));
        const auto failure = failure_of([&] { parse_bm25_settings(bad, "kb"); });
        CHECK(failure.code == Code::kCorrupt);
        CHECK(failure.text.find("BM25") != std::string::npos);
    }
}

TEST_CASE("an engine without settings of its own cuts as the base was cut") {
    TemporaryFolder folder;
    const auto kb = folder / "kb";
    Document document = numbered(1, false);
    for (int i = 0; i < 60; ++i) document.text += " Sentence number " + std::to_string(i) + " has some words.";
    const auto open_cut = [&](std::size_t tokens, std::size_t overlap, ChunkerKind chunker = ChunkerKind::kAuto) {
        EngineOptions options;
        options.path = kb;
        options.chunk_tokens = tokens;
        options.chunk_overlap = overlap;
        options.chunker = chunker;
        return Engine::open(options);
    };
    std::uint64_t chunks = 0;
    {
        auto engine = open_cut(30, 6);
        upsert(*engine, {document});
        chunks = get(*engine, document.id)->chunks;
        CHECK(chunks > 8);
    }
    {
        auto engine = open_engine(kb);
        CHECK(stats_of(*engine)["chunk_tokens"] == 30);
        CHECK(stats_of(*engine)["chunk_overlap"] == 6);
        const auto last = engine->changes(0, 100).last;
        upsert(*engine, {document});
        CHECK(engine->changes(0, 100).last == last);  // found unchanged
    }
    CHECK(stats_of(*open_engine(kb, true))["chunk_tokens"] == 30);
    {
        std::string told;
        set_log_sink([&](LogLevel, std::string_view line) { told += line; }, LogLevel::kWarning);
        auto engine = open_cut(100, 0);
        set_log_sink({}, LogLevel::kWarning);
        CHECK(told.find("30 words, 6 shared") != std::string::npos);
        CHECK(told.find("100 words, 0 shared") != std::string::npos);
        upsert(*engine, {document});
        CHECK(get(*engine, document.id)->chunks < chunks);
    }
    CHECK(stats_of(*open_engine(kb))["chunk_tokens"] == 100);
}
