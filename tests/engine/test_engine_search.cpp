// Searching: modes, filters, fusion, explanations, and the errors of queries.
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "engine_fixtures.hpp"
#include "search/metadata_filter.hpp"

using namespace rag::core;
using namespace rag::test;
using Catch::Contains;
using Json = nlohmann::json;

TEST_CASE("the mode follows from what there is") {
    auto engine = open_engine();
    add_numbered(*engine, 0, 30);
    const auto vector = vector_of(3);
    Query query;
    query.text = "marker3";
    auto hits = engine->search(query);  // no vector, no embedder: bm25
    REQUIRE(hits.size() == 1);
    CHECK(std::isnan(hits[0].vector_score));
    CHECK(hits[0].score == hits[0].bm25_score);
    query.vector = vector;
    hits = engine->search(query);  // hybrid
    REQUIRE(hits.size() == 10);
    CHECK(hits[0].document_id == "doc3");
    CHECK(hits[0].score == Approx(1.0));
    CHECK(hits[0].vector_score == Approx(1.0));
    CHECK(hits[0].bm25_score > 0.0F);
    query.text = "";
    hits = engine->search(query);  // vector
    REQUIRE(hits.size() == 10);
    CHECK(std::isnan(hits[0].bm25_score));
    CHECK(hits[0].score == hits[0].vector_score);
    query.text = "marker3";
    query.mode = SearchMode::kVector;
    CHECK(engine->search(query).size() == 10);
    query.mode = SearchMode::kBm25;
    CHECK(engine->search(query).size() == 1);
}

TEST_CASE("bad queries are refused by name") {
    auto engine = open_engine();
    Query query;
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidArgument);
    query.text = "bad \xff";
    CHECK_THAT(failure_of([&] { engine->search(query); }).text, Contains("query") && Contains("UTF-8"));
    query.text = "anything";
    CHECK(engine->search(query).empty());  // an empty knowledge base has no hits, and is no error
    query.mode = SearchMode::kVector;
    CHECK(engine->search(query).empty());
    add_numbered(*engine, 0, 3, false);
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidState);
    query.vector = {};
    add_numbered(*engine, 3, 6);
    CHECK_THAT(failure_of([&] { engine->search(query); }).text, Contains("embedder"));
    const auto wrong = vector_of(1, 8);
    query.vector = wrong;
    CHECK_THAT(failure_of([&] { engine->search(query); }).text, Contains("8") && Contains("24"));
    auto broken = vector_of(1);
    broken[0] = std::numeric_limits<float>::quiet_NaN();
    query.vector = broken;
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidArgument);
    query.mode = static_cast<SearchMode>(9);
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidArgument);
    query = {};
    query.text = "text";
    query.where = R"({"a":{"$regex":"x"}})";
    CHECK_THAT(failure_of([&] { engine->search(query); }).text, Contains("$regex"));
    query.where = "";
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidArgument);
    query = {};
    query.mode = SearchMode::kHybrid;
    const auto right = vector_of(1);
    query.vector = right;
    CHECK_THAT(failure_of([&] { engine->search(query); }).text, Contains("needs a text"));
}

TEST_CASE("where narrows every mode, and finds all that it allows") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    add_numbered(*engine, 0, 300);
    const auto vector = vector_of(7);
    for (const SearchMode mode : {SearchMode::kBm25, SearchMode::kVector, SearchMode::kHybrid}) {
        Query query;
        query.mode = mode;
        query.text = "ordinary document marker7";
        query.vector = vector;
        query.k = 400;
        query.where = R"({"even":true,"n":{"$lt":100}})";
        auto hits = engine->search(query);
        CHECK(hits.size() == 50);
        for (const auto& hit : hits) {
            const auto metadata = Json::parse(hit.metadata);
            CHECK(metadata["even"] == true);
            CHECK(metadata["n"] < 100);
        }
        query.where = R"({"n":{"$in":[7]}})";
        hits = engine->search(query);
        REQUIRE(hits.size() == 1);
        CHECK(hits[0].document_id == "doc7");
        query.where = R"({"n":-1})";
        CHECK(engine->search(query).empty());
        query.where = "{}";
        CHECK(engine->search(query).size() == 300);
    }
    // The answer of a filter is kept, and a write makes it anew.
    Query query;
    query.text = "ordinary";
    query.k = 400;
    query.where = R"({"even":true})";
    CHECK(engine->search(query).size() == 150);
    add_numbered(*engine, 300, 302);
    CHECK(engine->search(query).size() == 151);
    remove(*engine, {"doc0"});
    CHECK(engine->search(query).size() == 150);
    Document changed = numbered(2);
    changed.metadata = R"({"even":false})";
    upsert(*engine, {changed});
    CHECK(engine->search(query).size() == 149);
}

TEST_CASE("a filtered search finds what reading every document finds, in every mode, in this and another process's engine") {
    TemporaryFolder folder;
    auto writer = open_engine(folder / "kb");
    std::mt19937 random(5);
    std::map<std::string, Document> all;
    std::unique_ptr<Engine> reader;
    const auto metadata = [&] {
        Json json{{"n", random() % 50}, {"tag", random() % 2 == 0 ? "a" : "b"}};
        if (random() % 3 == 0) json["list"] = Json::array({random() % 4, "x"});
        return json.dump();
    };
    const std::vector<std::string> filters = {
        R"({"n":7})", R"({"n":{"$gte":10,"$lt":40},"tag":"a"})", R"({"list":{"$contains":2}})",
        R"({"list":{"$exists":false},"$or":[{"n":{"$lt":3}},{"tag":{"$ne":"a"}}]})", R"({"$not":{"n":{"$in":[1,2,3]}}})"};
    for (std::uint32_t round = 0; round < 12; ++round) {
        std::vector<Document> changed;
        for (int i = 0; i < 40; ++i) {
            const auto n = static_cast<std::uint32_t>(random() % 200);
            Document document = numbered(n);
            if (std::any_of(changed.begin(), changed.end(), [&](const Document& d) { return d.id == document.id; })) continue;
            document.metadata = metadata();
            if (random() % 4 == 0) document.text += " and more of it";
            changed.push_back(document);
            all[document.id] = document;
        }
        upsert(*writer, changed);
        if (round % 3 == 2) {
            std::vector<std::string> gone;
            for (const auto& [id, document] : all) {
                if (random() % 5 == 0) gone.push_back(id);
            }
            for (const auto& id : gone) all.erase(id);
            remove(*writer, gone);
        }
        if (!reader) reader = open_engine(folder / "kb", true);
        for (const Engine* engine : {writer.get(), reader.get()}) {
            for (const std::string& where : filters) {
                const MetadataFilter filter(where);
                std::set<std::string> expected;
                for (const auto& [id, document] : all) {
                    if (filter.matches(document.metadata)) expected.insert(id);
                }
                for (const SearchMode mode : {SearchMode::kBm25, SearchMode::kVector, SearchMode::kHybrid}) {
                    const auto vector = vector_of(3);
                    Query query;
                    query.text = "the ordinary text of a document";
                    query.vector = vector;
                    query.mode = mode;
                    query.k = 500;
                    query.where = where;
                    std::set<std::string> found;
                    for (const auto& hit : engine->search(query)) found.insert(hit.document_id);
                    INFO(where << " round " << round);
                    REQUIRE(found == expected);
                }
            }
        }
    }
}

TEST_CASE("hybrid joins both lists and scores each hit by both") {
    auto engine = open_engine();
    Document words_only{"words", "marsupial kangaroo pouch", "", "", vector_of(1)};
    Document vector_only{"vector", "nothing in common", "", "", vector_of(2)};
    Document both{"both", "kangaroo jumps far", "", "", vector_of(2)};
    both.vector[0] += 0.2F;
    Document none{"none", "plain", "", "", vector_of(3)};
    Document unembedded{"unembedded", "a kangaroo without a vector", "", "", {}};
    add(*engine, {words_only, vector_only, both, none, unembedded});
    Query query;
    query.text = "kangaroo";
    const auto vector = vector_of(2);
    query.vector = vector;
    query.explain = true;
    const auto hits = engine->search(query);
    REQUIRE(hits.size() == 5);
    CHECK(hits[0].document_id == "both");
    std::set<std::string> ids;
    for (std::size_t i = 0; i < hits.size(); ++i) {
        ids.insert(hits[i].document_id);
        if (i > 0) CHECK(hits[i].score <= hits[i - 1].score);
        const auto json = Json::parse(hits[i].explain);
        CHECK(json["mode"] == "hybrid");
        CHECK(json["score"].get<float>() == Approx(hits[i].score));
        CHECK(json["vector"]["part"].get<float>() + json["bm25"]["part"].get<float>() == Approx(hits[i].score));
        CHECK(json["fusion"]["vector_weight"].get<float>() == Approx(0.5));
        float terms = 0;
        for (const auto& term : json["bm25"]["terms"]) terms += term["score"].get<float>();
        CHECK(terms == Approx(hits[i].bm25_score));
        if (hits[i].document_id == "unembedded") {
            CHECK(std::isnan(hits[i].vector_score));
            CHECK(json["vector"]["score"].is_null());
        }
        if (hits[i].document_id == "vector") CHECK(hits[i].vector_score == Approx(1.0));
        if (hits[i].document_id == "words") {
            double product = 0;
            for (std::size_t d = 0; d < kDimension; ++d) product += vector_of(1)[d] * vector[d];
            CHECK(hits[i].vector_score == Approx(product).margin(1e-5));
        }
    }
    CHECK(ids.size() == 5);
    query.fusion.method = FusionMethod::kReciprocalRank;
    CHECK(Json::parse(engine->search(query)[0].explain)["fusion"]["method"] == "reciprocal rank");
    query.fusion = {};
    query.fusion.vector_weight = 0;
    const auto by_words = engine->search(query);
    CHECK(by_words.size() < 5);  // only what has a word of the query
    for (const Hit& hit : by_words) CHECK(hit.bm25_score > 0);
    query.text = "nobodyknowsthis";
    CHECK(engine->search(query).empty());
    query.fusion.vector_weight = 2;
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidArgument);
}

TEST_CASE("Chinese is found as English is") {
    auto engine = open_engine();
    add(*engine, {{"zh",
                   "\xe5\x8c\x97\xe4\xba\xac\xe6\x98\xaf\xe4\xb8\xad\xe5\x9b\xbd\xe7\x9a\x84\xe9\xa6\x96\xe9\x83\xbd\xe3\x80\x82",
                   "",
                   "",
                   {}},
                  {"en", "Paris is the capital of France.", "", "", {}}});
    const auto hits = search_text(*engine, "\xe4\xb8\xad\xe5\x9b\xbd\xe9\xa6\x96\xe9\x83\xbd");
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].document_id == "zh");
    CHECK(search_text(*engine, "capitals of france").front().document_id == "en");
}

TEST_CASE("every live row stays findable under churn") {
    // The recipe of chroma-core/chroma#7758: 4,000 inserts, delete half, upsert 30% of the rest, ask for each row by its vector.
    auto engine = open_engine();
    for (std::uint32_t n = 0; n < 4000; n += 500) add_numbered(*engine, n, n + 500);
    std::vector<std::string> gone;
    for (std::uint32_t n = 0; n < 4000; n += 2) gone.push_back("doc" + std::to_string(n));
    CHECK(remove(*engine, gone) == 2000);
    std::vector<Document> changed;
    for (std::uint32_t n = 1; n < 1200; n += 2) {
        Document document = numbered(n);
        document.vector = vector_of(n + 100000);
        changed.push_back(document);
    }
    upsert(*engine, changed);
    int lost = 0;
    for (std::uint32_t n = 1; n < 4000; n += 2) {
        const auto hits = search_vector(*engine, vector_of(n < 1200 ? n + 100000 : n), 1);
        lost += hits.size() == 1 && hits[0].document_id == "doc" + std::to_string(n) ? 0 : 1;
    }
    CHECK(lost == 0);
    CHECK(engine->verify().ok);
}
