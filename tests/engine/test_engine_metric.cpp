// The metric of a knowledge base: chosen before the first vector, kept, refused when another is asked for, carried by exports and
// backups; and that every score of it is what two vectors say by themselves. The comparison with numpy is in
// tests/python/test_metric.py.
#include <sqlite3.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "engine_fixtures.hpp"
#include "store/store.hpp"

using namespace rag::core;
using namespace rag::test;
using Catch::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr Metric kMetrics[] = {Metric::kCosine, Metric::kInnerProduct, Metric::kL2};

std::unique_ptr<Engine> open_with(const std::optional<fs::path>& path, std::optional<Metric> metric, bool read_only = false) {
    EngineOptions options;
    options.path = path;
    options.metric = metric;
    options.read_only = read_only;
    return Engine::open(options);
}

/// Of lengths from 0.1 to 10, so that the metrics disagree.
std::vector<float> long_vector(std::uint32_t n) {
    auto vector = vector_of(n);
    const float length = std::pow(10.0F, static_cast<float>(n % 21) / 10.0F - 1.0F);
    for (float& value : vector) value *= length;
    return vector;
}

void add_long(Engine& engine, std::uint32_t from, std::uint32_t to) {
    std::vector<Document> documents;
    for (std::uint32_t n = from; n < to; ++n) {
        documents.push_back(numbered(n));
        documents.back().vector = long_vector(n);
    }
    add(engine, documents);
}

double score_of(Metric metric, const std::vector<float>& a, const std::vector<float>& b) {
    double product = 0;
    double aa = 0;
    double bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        product += static_cast<double>(a[i]) * b[i];
        aa += static_cast<double>(a[i]) * a[i];
        bb += static_cast<double>(b[i]) * b[i];
    }
    if (metric == Metric::kInnerProduct) return product;
    return metric == Metric::kL2 ? 2 * product - aa - bb : product / std::sqrt(aa * bb);
}

std::uint32_t number_of(const Hit& hit) {
    return static_cast<std::uint32_t>(std::stoul(hit.document_id.substr(3)));
}

std::string metric_in(const Engine& engine) {
    return Json::parse(engine.stats())["metric"];
}

std::int64_t format_of(const fs::path& folder) {
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open((folder / "knowledge.sqlite3").c_str(), &handle) == SQLITE_OK);
    std::int64_t value = -1;
    sqlite3_exec(
        handle, "PRAGMA user_version",
        [](void* out, int, char** columns, char**) {
            *static_cast<std::int64_t*>(out) = std::strtoll(columns[0], nullptr, 10);
            return 0;
        },
        &value, nullptr);
    sqlite3_close(handle);
    return value;
}

std::string content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("each metric gives its own scores, by vector and in a hybrid search, also for what only words find") {
    for (const Metric metric : kMetrics) {
        auto engine = open_with({}, metric);
        add_long(*engine, 0, 400);
        const auto asked = long_vector(1007);
        for (const SearchMode mode : {SearchMode::kVector, SearchMode::kHybrid}) {
            Query query;
            query.text = "marker7 marker9";
            query.vector = asked;
            query.mode = mode;
            query.k = 120;
            query.candidates = 100;
            query.explain = true;
            const auto hits = engine->search(query);
            REQUIRE(hits.size() >= 100);
            for (const Hit& hit : hits) {
                const double expected = score_of(metric, asked, long_vector(number_of(hit)));
                CHECK(hit.vector_score == Approx(expected).epsilon(1e-4).margin(1e-5));
                if (mode == SearchMode::kVector) CHECK(hit.score == hit.vector_score);
                const Json explained = Json::parse(hit.explain);
                CHECK(explained["vector"]["part"].get<float>() +
                          (explained.contains("bm25") ? explained["bm25"]["part"].get<float>() : 0) ==
                      Approx(hit.score).margin(1e-5));
                if (mode != SearchMode::kHybrid) continue;
                CHECK(explained["vector"]["part"].get<float>() >= 0);
                CHECK(explained["vector"]["part"].get<float>() <= 0.5F + 1e-6F);
            }
        }
    }
}

TEST_CASE("in fusion the nearest vector has the whole share of the vectors, whatever the metric") {
    for (const Metric metric : kMetrics) {
        auto engine = open_with({}, metric);
        add_long(*engine, 0, 300);
        Query query;
        query.text = "marker7";
        const auto asked = long_vector(21);
        query.vector = asked;
        query.mode = SearchMode::kVector;
        query.k = 1;
        const std::string nearest = engine->search(query).front().document_id;
        query.mode = SearchMode::kHybrid;
        query.k = 150;
        query.explain = true;
        std::map<std::string, float> parts;
        for (const Hit& hit : engine->search(query)) parts[hit.document_id] = Json::parse(hit.explain)["vector"]["part"];
        CHECK(parts[nearest] == Approx(0.5));
    }
}

TEST_CASE("vectors of length 0 are taken but for cosine, and too long ones by none") {
    Document zero = numbered(1);
    zero.vector.assign(kDimension, 0.0F);
    Document vast = numbered(2);
    vast.vector.assign(kDimension, 1e19F);
    for (const Metric metric : kMetrics) {
        auto engine = open_with({}, metric);
        add_long(*engine, 10, 20);
        if (metric == Metric::kCosine) {
            const auto failure = failure_of([&] { add(*engine, {zero}); });
            CHECK(failure.code == Code::kInvalidArgument);
            CHECK_THAT(failure.text, Contains("\"doc1\"") && Contains("no cosine"));
            continue;
        }
        add(*engine, {zero});
        const auto failure = failure_of([&] { add(*engine, {vast}); });
        CHECK(failure.code == Code::kInvalidArgument);
        CHECK_THAT(failure.text, Contains("\"doc2\"") && Contains("too long"));
        CHECK(engine->count() == 11);
        // The query may be of length 0 too.
        const auto hits = search_vector(*engine, zero.vector, 11);
        REQUIRE(hits.size() == 11);
        if (metric == Metric::kL2) CHECK(hits.front().document_id == "doc1");
        CHECK(engine->verify().ok);
    }
}

TEST_CASE("a knowledge base keeps the metric of its first vector") {
    for (const Metric metric : {Metric::kInnerProduct, Metric::kL2}) {
        TemporaryFolder folder;
        const std::string name = metric == Metric::kL2 ? "l2" : "ip";
        const auto asked = long_vector(2001);
        std::vector<std::string> before;
        {
            auto engine = open_with(folder / "kb", metric);
            CHECK(metric_in(*engine) == name);
            add_long(*engine, 0, 50);
            for (const Hit& hit : search_vector(*engine, asked, 50)) before.push_back(hit.id);
        }
        CHECK(format_of(folder / "kb") == 3);
        const auto failure = failure_of([&] { open_with(folder / "kb", Metric::kCosine); });
        CHECK(failure.code == Code::kInvalidArgument);
        CHECK_THAT(failure.text, Contains("by " + name + ", cosine is asked for") && Contains("export"));
        CHECK(failure_of([&] { open_with(folder / "kb", Metric::kCosine, true); }).code == Code::kInvalidArgument);
        for (const auto& given : {std::optional<Metric>(), std::optional(metric)}) {
            for (const bool read_only : {false, true}) {
                auto engine = open_with(folder / "kb", given, read_only);
                CHECK(metric_in(*engine) == name);
                std::vector<std::string> after;
                for (const Hit& hit : search_vector(*engine, asked, 50)) after.push_back(hit.id);
                CHECK(after == before);
                if (!read_only) {
                    engine->compact();
                    CHECK(engine->verify().ok);
                }
            }
        }
        // The index file is derived: without it the metric is still the base's.
        for (const auto& entry : fs::directory_iterator(folder / "kb")) {
            if (entry.path().extension() == ".seg") fs::remove(entry.path());
        }
        auto engine = open_engine(folder / "kb");
        std::vector<std::string> after;
        for (const Hit& hit : search_vector(*engine, asked, 50)) after.push_back(hit.id);
        CHECK(after == before);
        // Removed vectors count too: what copies hold of them was made for this metric.
        CHECK(engine->remove({}, R"({"n":{"$gte":0}})") == 50);
        engine.reset();
        CHECK(failure_of([&] { open_with(folder / "kb", Metric::kCosine); }).code == Code::kInvalidArgument);
    }
}

TEST_CASE("until the first vector the metric can be chosen again; only a writer chooses") {
    TemporaryFolder folder;
    add(*open_with(folder / "kb", Metric::kL2), {{"a", "a text without a vector", "", "", {}}});
    CHECK(format_of(folder / "kb") == 3);
    const auto failure = failure_of([&] { open_with(folder / "kb", Metric::kInnerProduct, true); });
    CHECK(failure.code == Code::kInvalidArgument);
    CHECK_THAT(failure.text, Contains("has the metric l2, ip is asked for: only a writer"));
    CHECK(metric_in(*open_with(folder / "kb", Metric::kCosine)) == "cosine");
    CHECK(format_of(folder / "kb") == 2);
    auto engine = open_with(folder / "kb", Metric::kInnerProduct);
    add_long(*engine, 0, 5);
    for (const Hit& hit : search_vector(*engine, long_vector(3), 5))
        CHECK(hit.score == Approx(score_of(Metric::kInnerProduct, long_vector(3), long_vector(number_of(hit)))).epsilon(1e-4));
}

TEST_CASE("a base of before there was a choice has cosine, and says so") {
    TemporaryFolder folder;
    {
        auto engine = open_engine(folder / "kb");
        add_long(*engine, 0, 5);
        CHECK(metric_in(*engine) == "cosine");
    }
    CHECK(format_of(folder / "kb") == 2);
    CHECK(metric_in(*open_with(folder / "kb", Metric::kCosine)) == "cosine");
    CHECK(failure_of([&] { open_with(folder / "kb", Metric::kL2); }).code == Code::kInvalidArgument);
    CHECK(format_of(folder / "kb") == 2);
}

TEST_CASE("a reader of a base that got its metric after it was opened compares by it") {
    TemporaryFolder folder;
    open_engine(folder / "kb").reset();
    auto reader = open_engine(folder / "kb", true);
    CHECK(metric_in(*reader) == "cosine");
    auto writer = open_with(folder / "kb", Metric::kL2);
    add_long(*writer, 0, 20);
    CHECK(metric_in(*reader) == "l2");
    const auto hits = search_vector(*reader, long_vector(7), 1);
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].document_id == "doc7");
    CHECK(hits[0].score == Approx(0).margin(1e-4));
}

TEST_CASE("a damaged metric is told") {
    TemporaryFolder folder;
    {
        auto engine = open_with(folder / "kb", Metric::kL2);
        add_long(*engine, 0, 3);
    }
    {
        auto store = Store::open({folder / "kb", false});
        auto transaction = store->write();
        transaction.set_meta("metric", "l3");
        transaction.commit();
    }
    auto engine = open_engine(folder / "kb");
    const auto failure = failure_of([&] { search_vector(*engine, long_vector(1), 1); });
    CHECK(failure.code == Code::kCorrupt);
    CHECK_THAT(failure.text, Contains("its metric is \"l3\""));
}

TEST_CASE("exports and backups carry the metric; an export of an import is the same file") {
    for (const Metric metric : kMetrics) {
        TemporaryFolder folder;
        auto engine = open_with(folder / "kb", metric);
        add_long(*engine, 0, 30);
        const std::string name = metric_in(*engine);
        engine->export_file(folder / "a.jsonl", {});
        const std::string lines = content_of(folder / "a.jsonl");
        CHECK((lines.find("\"metric\":\"" + name + "\"") != std::string::npos) == (metric != Metric::kCosine));
        {
            auto copy = open_engine(folder / "copy");
            CHECK(copy->import_file(folder / "a.jsonl", {}) == 30);
            CHECK(metric_in(*copy) == name);
            copy->export_file(folder / "b.jsonl", {});
            CHECK(content_of(folder / "b.jsonl") == lines);
        }
        CHECK(metric_in(*open_engine(folder / "copy")) == name);
        engine->backup(folder / "backup", {});
        CHECK(metric_in(*open_engine(folder / "backup", true)) == name);
        CHECK(format_of(folder / "backup") == (metric == Metric::kCosine ? 2 : 3));
        // One that was opened with another metric is how a base changes its own.
        for (const Metric other : kMetrics) {
            auto changed = open_with({}, other);
            CHECK(changed->import_file(folder / "a.jsonl", {}) == 30);
            for (const Hit& hit : search_vector(*changed, long_vector(77), 30))
                CHECK(hit.score ==
                      Approx(score_of(other, long_vector(77), long_vector(number_of(hit)))).epsilon(1e-4).margin(1e-5));
        }
    }
}

TEST_CASE("an import that fails at its first document leaves the metric alone; an unknown metric is named with its line") {
    TemporaryFolder folder;
    const auto write = [&](const std::string& header) { std::ofstream(folder / "file.jsonl") << header << "\n{\"text\":5}\n"; };
    auto engine = open_engine(folder / "kb");
    write(R"({"librag_export":3,"metric":"ip"})");
    CHECK(failure_of([&] { engine->import_file(folder / "file.jsonl", {}); }).code == Code::kInvalidArgument);
    CHECK(metric_in(*engine) == "cosine");
    write(R"({"librag_export":3,"metric":"chebyshev"})");
    const auto failure = failure_of([&] { engine->import_file(folder / "file.jsonl", {}); });
    CHECK(failure.code == Code::kInvalidArgument);
    CHECK_THAT(failure.text, Contains("line 1") && Contains("\"chebyshev\"") && Contains("cosine, ip or l2"));
}

TEST_CASE("vectors that an embedder made for one metric are not taken for another without it") {
    TemporaryFolder folder;
    std::ofstream(folder / "file.jsonl") << R"({"librag_export":1,"dimension":2,"embedder":"print","embedder_name":"a model"})"
                                         << "\n"
                                         << R"({"id":"a","text":"one","chunks":[{"start":0,"stop":3,"vector":"AACAPwAAAAA="}]})"
                                         << "\n";
    CHECK(open_with({}, Metric::kCosine)->import_file(folder / "file.jsonl", {}) == 1);
    auto engine = open_with({}, Metric::kL2);
    const auto failure = failure_of([&] { engine->import_file(folder / "file.jsonl", {}); });
    CHECK(failure.code == Code::kInvalidArgument);
    CHECK_THAT(failure.text, Contains("\"a model\" made for the metric cosine, this knowledge base has l2"));
    CHECK(engine->count() == 0);
}

TEST_CASE("diversity by distances: copies of the best hit give way, however far the origin is") {
    auto engine = open_with({}, Metric::kL2);
    std::vector<Document> documents;
    const auto place = [&](const std::string& id, float x, float y) {
        Document document{id, "text " + id, "", "", std::vector<float>(kDimension, 0.0F)};
        document.vector[0] = 1000 + x;
        document.vector[1] = y;
        documents.push_back(document);
    };
    place("best", 1, 0);
    place("copy", 1.01F, 0);
    place("other", -1.2F, 0.1F);
    place("far", 0, 9);
    place("below", 0, -9);
    add(*engine, documents);
    Query query;
    auto vector = documents[0].vector;
    query.vector = vector;
    query.k = 2;
    CHECK(engine->search(query)[1].document_id == "copy");
    query.diversity = 0.7F;
    const auto hits = engine->search(query);
    CHECK(hits[0].document_id == "best");
    CHECK(hits[1].document_id == "other");
}
