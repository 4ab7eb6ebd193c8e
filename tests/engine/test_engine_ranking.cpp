// What a search can ask for beyond a list: pages, groups, diversity, text around a hit, links, many queries at once.
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/cancel.hpp"
#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;
using Catch::Contains;
using Json = nlohmann::json;

namespace {

std::vector<std::string> ids_of(const std::vector<Hit>& hits) {
    std::vector<std::string> out;
    for (const auto& hit : hits) out.push_back(hit.id);
    return out;
}

Query query_for(SearchMode mode, const std::vector<float>& vector, std::size_t k) {
    Query query;
    query.text = "ordinary text of a document about marker7 or marker9";
    query.vector = vector;
    query.mode = mode;
    query.k = k;
    return query;
}

/// A document of several chunks: an engine cuts at words where it has no embedder.
std::unique_ptr<Engine> open_chunked() {
    EngineOptions options;
    options.chunk_tokens = 10;
    return Engine::open(options);
}

Document long_document(const std::string& id, const std::string& word, int sentences) {
    Document out;
    out.id = id;
    for (int i = 0; i < sentences; ++i)
        out.text += "Sentence " + std::to_string(i) + " tells us something of " + word + " again. ";
    return out;
}

float sum_of_parts(const std::string& explain) {
    float sum = 0;
    for (const auto& part : Json::parse(explain)) {
        if (part.is_object() && part.contains("part")) sum += part["part"].get<float>();
    }
    return sum;
}

constexpr SearchMode kModes[] = {SearchMode::kBm25, SearchMode::kVector, SearchMode::kHybrid};

}  // namespace

TEST_CASE("pages put together are the ranking, in every mode, also with diversity and groups") {
    auto engine = open_engine();
    add_numbered(*engine, 0, 500);
    const auto vector = vector_of(7);
    for (const SearchMode mode : kModes) {
        for (const float diversity : {0.0F, 0.4F}) {
            for (const std::size_t group : {0, 1}) {
                Query query = query_for(mode, vector, 60);
                query.diversity = diversity;
                query.group_hits = group;
                const auto whole = ids_of(engine->search(query));
                REQUIRE(whole.size() == 60);
                std::vector<std::string> pages;
                query.k = 15;
                for (query.offset = 0; query.offset < 60; query.offset += 15) {
                    const auto page = ids_of(engine->search(query));
                    pages.insert(pages.end(), page.begin(), page.end());
                }
                CHECK(pages == whole);
            }
        }
    }
    Query query = query_for(SearchMode::kHybrid, vector, 10);
    query.candidates = 500;  // one ranking however far the pages go
    std::set<std::string> seen;
    for (query.offset = 0; query.offset < 500; query.offset += 10) {
        for (const auto& id : ids_of(engine->search(query))) CHECK(seen.insert(id).second);
    }
    CHECK(seen.size() == 500);
    query.offset = 5000;
    CHECK(engine->search(query).empty());
    query.offset = kMaxResults;
    CHECK_THAT(failure_of([&] { engine->search(query); }).text, Contains("offset 100000") && Contains("where"));
}

TEST_CASE("groups hold the best chunks of each document, and look as deep as they must") {
    auto engine = open_chunked();
    // One document fills any short list; the others come behind it.
    add(*engine, {long_document("long", "whale whale whale", 400)});
    for (int i = 0; i < 12; ++i) add(*engine, {long_document("short" + std::to_string(i), "whale", 3)});
    Query query;
    query.text = "whale";
    query.k = 10;
    CHECK(std::set<std::string>{engine->search(query).front().document_id} == std::set<std::string>{"long"});
    query.group_hits = 2;
    const auto hits = engine->search(query);
    std::vector<std::string> documents;
    std::map<std::string, int> count;
    for (const auto& hit : hits) {
        if (documents.empty() || documents.back() != hit.document_id) documents.push_back(hit.document_id);
        CHECK(++count[hit.document_id] <= 2);
    }
    CHECK(documents.size() == 10);
    CHECK(count.size() == 10);  // each stands in one place
    CHECK(documents.front() == "long");
}

TEST_CASE("diversity passes over copies, by vectors and by words") {
    for (const bool with_vectors : {true, false}) {
        auto engine = open_engine();
        std::vector<Document> documents;
        for (int i = 0; i < 5; ++i) {
            Document copy{"copy" + std::to_string(i), "the river floods the low fields in spring", "", "", {}};
            if (with_vectors) copy.vector = vector_of(1);
            documents.push_back(copy);
        }
        Document other{"other", "a river that dries up in a hot summer leaves fish behind", "", "", {}};
        if (with_vectors) other.vector = vector_of(2);
        documents.push_back(other);
        add(*engine, documents);
        Query query;
        query.text = "river floods fields";
        std::vector<float> vector = vector_of(1);
        for (std::size_t i = 0; i < vector.size(); ++i) vector[i] += 0.5F * vector_of(2)[i];
        if (with_vectors) query.vector = vector;
        query.k = 2;
        CHECK(engine->search(query)[1].document_id != "other");
        query.diversity = 0.6F;
        query.explain = true;
        const auto hits = engine->search(query);
        REQUIRE(hits.size() == 2);
        CHECK(hits[1].document_id == "other");
        for (const auto& hit : hits) CHECK(sum_of_parts(hit.explain) == Approx(hit.score).margin(1e-5));
    }
}

TEST_CASE("a hit brings its neighbours or its section") {
    auto engine = open_chunked();
    const Document document = long_document("doc", "lions", 20);
    add(*engine, {document, {"other", "nothing of the kind", "", "", {}}});
    Query query;
    query.text = "sentence 9 lions";
    query.k = 3;
    query.expand = Expand::kNeighbours;
    for (const std::size_t neighbours : {0, 1, 2, 1000}) {
        query.neighbours = neighbours;
        for (const auto& hit : engine->search(query)) {
            CHECK(hit.context == document.text.substr(hit.context_start, hit.context_end - hit.context_start));
            CHECK(hit.context_start <= hit.start);
            CHECK(hit.context_end >= hit.end);
            CHECK(hit.context.find(hit.text) != std::string::npos);
            if (neighbours == 0) CHECK(hit.context == hit.text);
            if (neighbours == 2) CHECK(hit.context.size() > hit.text.size());
        }
    }
    CHECK(engine->search(query).front().context.size() + 2 >= document.text.size());
    query.expand = Expand::kSection;
    const auto hits = engine->search(query);
    CHECK(hits.front().context ==
          document.text.substr(hits.front().context_start, hits.front().context_end - hits.front().context_start));
    query.expand = Expand::kNone;
    CHECK(engine->search(query).front().context.empty());
    query.neighbours = 1001;
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidArgument);
}

TEST_CASE("links are stored, listed, replaced and removed, and go with their documents") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    add_numbered(*engine, 0, 6);
    add(*engine, {{"odd#1", "its id looks like a chunk's", "", "", {}}, {"odd", "and this is the other", "", "", {}}});
    // Of "odd" there is no chunk 1, so "odd#1" is the document; told as what can be nothing else.
    engine->link(std::vector<Link>{{"doc0", "doc1", "cites", 2}, {"doc0#0", "doc2", "", 1}, {"odd#1", "odd#0", "x", 1}});
    engine->link(std::vector<Link>{{"doc0", "doc1", "cites", 0.5}, {"doc0", "doc1", "other", 1}});
    const auto all = [&](const std::vector<std::string_view>& ids) {
        std::multiset<std::string> out;
        for (const auto& link : engine->links(ids))
            out.insert(fmt::format("{} {} {} {}", link.source, link.target, link.type, link.weight));
        return out;
    };
    using Set = std::multiset<std::string>;
    CHECK(all({}) == Set{"doc0 doc1 cites 0.5", "doc0 doc1 other 1", "doc0#0 doc2  1", "odd#1# odd#0 x 1"});
    CHECK(all({"doc1"}) == Set{"doc0 doc1 cites 0.5", "doc0 doc1 other 1"});
    CHECK(all({"doc0", "doc1", "doc2"}).size() == 3);
    CHECK(all({"doc4"}).empty());
    CHECK(engine->verify().ok);
    // Refused ones change nothing.
    for (const Link& bad : {Link{"doc0", "nobody", "", 1}, Link{"doc0#7", "doc1", "", 1}, Link{"doc0#x", "doc1", "", 1}}) {
        const auto failure = failure_of([&] { engine->link(std::vector<Link>{{"doc4", "doc5", "", 1}, bad}); });
        CHECK(failure.code == Code::kNotFound);
    }
    for (const Link& bad :
         {Link{"doc0", "doc0", "", 1}, Link{"doc0", "doc1", "", 0}, Link{"doc0", "doc1", "", -1}, Link{"doc0", "doc1", "", NAN},
          Link{"doc0", "doc1", "\xff", 1}, Link{"doc0", "doc1", std::string(2000, 'x'), 1}}) {
        CHECK(failure_of([&] { engine->link(std::vector<Link>{bad}); }).code == Code::kInvalidArgument);
    }
    CHECK(all({}).size() == 4);
    CHECK(engine->unlink(std::vector<Link>{{"doc0", "doc1", "cites", 1}}) == 1);
    CHECK(engine->unlink(std::vector<Link>{{"doc0", "doc1", "", 1}}) == 1);
    CHECK(engine->unlink(std::vector<Link>{{"doc0", "doc1", "", 1}}) == 0);
    engine->close();
    engine = open_engine(folder / "kb");
    CHECK(all({}) == Set{"doc0#0 doc2  1", "odd#1# odd#0 x 1"});
    Document changed = numbered(2);
    changed.text += " It says more now.";
    upsert(*engine, {changed});
    CHECK(all({"doc2"}) == Set{"doc0#0 doc2  1"});
    remove(*engine, {"doc2"});
    CHECK(all({}) == Set{"odd#1# odd#0 x 1"});
    CHECK(engine->verify().ok);
    auto reader = open_engine(folder / "kb", true);
    CHECK(reader->links({}).size() == 1);
    CHECK(failure_of([&] { reader->link(std::vector<Link>{{"doc0", "doc1", "", 1}}); }).code == Code::kReadOnly);
}

TEST_CASE("a hit's id always means its chunk, whatever documents are called") {
    auto engine = open_engine();
    add(*engine, {{"doc", "the one document", "", "", {}},
                  {"doc#0", "named as its chunk", "", "", {}},
                  {"doc#", "named as the document", "", "", {}},
                  {"#", "a sign", "", "", {}},
                  {"x", "an end", "", "", {}}});
    const auto told = [&](const std::string& source) {
        engine->link(std::vector<Link>{{source, "x", "t", 1}});
        const auto links = engine->links({});
        REQUIRE(links.size() == 1);
        // What is told means the same again.
        CHECK(engine->unlink(links) == 1);
        return links[0].source;
    };
    CHECK(told("doc") == "doc");
    CHECK(told("doc#") == "doc");
    CHECK(told("doc#0") == "doc#0");
    CHECK(told("doc#0#") == "doc#0#");    // the document that is called so
    CHECK(told("doc#0#0") == "doc#0#0");  // and its chunk
    CHECK(told("doc##") == "doc##");      // the document "doc#"
    CHECK(told("doc##0") == "doc##0");
    CHECK(told("#") == "##");  // there is no document without an id
    CHECK(told("##") == "##");
    for (const std::string unknown : {"doc#1", "doc#00", "doc#-1", "doc#9999999999999999999999", "nobody#", "nobody#0", "###"}) {
        INFO(unknown);
        CHECK(failure_of([&] { told(unknown); }).code == Code::kNotFound);
    }
    // Each end of a link finds its own chunk: a walk from the chunk reaches what the document's walk would not.
    CHECK(failure_of([&] { engine->link(std::vector<Link>{{"doc", "doc#", "t", 1}}); }).code == Code::kInvalidArgument);
}

TEST_CASE("a search follows links to what no scorer finds, in every mode, within its filter") {
    auto engine = open_engine();
    add_numbered(*engine, 0, 40);
    std::vector<Document> hidden{{"near", "entirely different words", "", R"({"even":true})", vector_of(1000)},
                                 {"far", "nothing alike either", "", R"({"even":false})", vector_of(2000)}};
    add(*engine, hidden);
    engine->link(std::vector<Link>{{"doc7", "near", "see", 1}, {"near#0", "far#0", "see", 1}});
    const auto vector = vector_of(7);
    for (const SearchMode mode : kModes) {
        Query query = query_for(mode, vector, 50);
        query.text = "marker7";
        query.explain = true;
        query.link_weight = 0.5F;
        const auto hits = engine->search(query);
        std::map<std::string, const Hit*> by_id;
        for (std::size_t i = 0; i < hits.size(); ++i) {
            by_id[hits[i].document_id] = &hits[i];
            if (i > 0) CHECK(hits[i].score <= hits[i - 1].score);
            CHECK(sum_of_parts(hits[i].explain) == Approx(hits[i].score).margin(1e-5));
        }
        REQUIRE(by_id.contains("near"));
        REQUIRE(by_id.contains("far"));
        CHECK(hits.front().document_id == "doc7");
        CHECK(by_id["near"]->score > by_id["far"]->score);
        CHECK(Json::parse(by_id["near"]->explain)["links"]["part"].get<float>() > 0);
        query.where = R"({"even":false})";
        std::set<std::string> filtered;
        for (const auto& hit : engine->search(query)) filtered.insert(hit.document_id);
        CHECK_FALSE(filtered.contains("near"));
        CHECK(filtered.contains("doc7"));
        CHECK(filtered.contains("far"));
    }
    Query query = query_for(SearchMode::kBm25, vector, 50);
    query.text = "marker7";
    CHECK(engine->search(query).size() == 1);  // without the weight, links are not looked at
    query.link_damping = 1;
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidArgument);
}

TEST_CASE("many queries at once find what each finds alone") {
    auto engine = open_engine();
    add_numbered(*engine, 0, 200);
    std::vector<std::vector<float>> vectors;
    std::vector<std::string> texts;
    for (std::uint32_t n = 0; n < 60; ++n) {
        vectors.push_back(vector_of(n));
        texts.push_back("text about marker" + std::to_string(n));
    }
    std::vector<Query> queries;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        Query query = query_for(kModes[i % 3], vectors[i], 5 + i % 7);
        query.text = texts[i];
        if (i % 4 == 0) query.where = R"({"even":true})";
        if (i % 5 == 0) query.diversity = 0.3F;
        queries.push_back(query);
    }
    for (const std::size_t threads : {0, 1, 4}) {
        std::uint64_t last = 0;
        SearchBatchOptions options;
        options.threads = threads;
        options.progress = [&](std::uint64_t done, std::uint64_t total) {
            CHECK((total == 0 || total == queries.size()));
            last = done;
            return true;
        };
        const auto batch = engine->search(queries, options);
        REQUIRE(batch.size() == queries.size());
        for (std::size_t i = 0; i < queries.size(); ++i) CHECK(ids_of(batch[i]) == ids_of(engine->search(queries[i])));
        CHECK(last == queries.size());
    }
    CHECK(engine->search(std::vector<Query>(), {}).empty());
    SearchBatchOptions stopped;
    stopped.progress = [](std::uint64_t, std::uint64_t) { return false; };
    CHECK_THROWS_AS(engine->search(queries, stopped), Stopped);
    queries[3].where = R"({"a":{"$near":1}})";
    CHECK_THAT(failure_of([&] { engine->search(queries, {}); }).text, Contains("query 3") && Contains("$near"));
}

TEST_CASE("stages are checked, and a least score leaves hits out") {
    auto engine = open_engine();
    add_numbered(*engine, 0, 20);
    const auto vector = vector_of(7);
    Query query = query_for(SearchMode::kVector, vector, 20);
    const auto all = engine->search(query);
    query.min_score = all[5].score;
    CHECK(engine->search(query).size() == 6);
    query.min_score = NAN;
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidArgument);
    query.min_score = 0;
    for (const float bad : {-0.1F, 1.1F, NAN}) {
        Query wrong = query;
        wrong.diversity = bad;
        CHECK(failure_of([&] { engine->search(wrong); }).code == Code::kInvalidArgument);
        wrong = query;
        wrong.link_weight = bad;
        CHECK(failure_of([&] { engine->search(wrong); }).code == Code::kInvalidArgument);
    }
    query.diversity = 0.5F;
    query.k = 1001;
    CHECK_THAT(failure_of([&] { engine->search(query); }).text, Contains("1001") && Contains("diversity"));
}
