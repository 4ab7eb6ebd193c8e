// Filters over columns against their slow twin, the JSON of every document, while documents come, change and go.
#include <catch2/catch.hpp>
#include <map>

#include "core/error.hpp"
#include "random_filter.hpp"
#include "search/document_table.hpp"
#include "search/metadata_filter.hpp"

using namespace rag::core;
using rag::test::RandomFilter;
using Json = nlohmann::json;

namespace {

/// What the table should hold.
struct Documents {
    struct Document {
        std::string metadata;
        std::vector<std::int64_t> chunks;
    };
    std::map<std::int64_t, Document> all;
    std::int64_t last_document = 0;
    std::int64_t last_chunk = 0;

    DocumentTable::EachMetadata each() const {
        return [this](const DocumentTable::MetadataVisitor& visit) {
            for (const auto& [key, document] : all) visit(key, document.metadata);
        };
    }
    std::vector<std::int64_t> keys() const {
        std::vector<std::int64_t> out;
        for (const auto& [key, document] : all) out.push_back(key);
        return out;
    }
    std::vector<std::int64_t> matching(const MetadataFilter& filter) const {
        std::vector<std::int64_t> out;
        for (const auto& [key, document] : all) {
            if (filter.matches(document.metadata)) out.insert(out.end(), document.chunks.begin(), document.chunks.end());
        }
        std::sort(out.begin(), out.end());
        return out;
    }
};

/// Chunks that the documents of the table do not have any more may be in a set: they are in no index.
std::vector<std::int64_t> known(const IdSet& set, const Documents& documents) {
    std::vector<std::int64_t> out;
    for (const auto& [key, document] : documents.all) {
        for (const auto chunk : document.chunks) {
            if (set.contains(chunk)) out.push_back(chunk);
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

void check(DocumentTable& table, const Documents& documents, RandomFilter& random) {
    for (int i = 0; i < 12; ++i) {
        const Json where = i % 2 == 0 ? random.filter(3) : random.rich_filter();
        INFO(where.dump());
        const MetadataFilter filter(where.dump());
        const auto expected = documents.matching(filter);
        REQUIRE(known(table.select_slowly(filter, documents.each()), documents) == expected);
        REQUIRE(table.prepare(filter, documents.each()));
        REQUIRE(table.has_columns(filter));
        REQUIRE(known(table.select(filter), documents) == expected);
    }
}

/// Adds a document, or changes one: it keeps some chunks and gets others, as an upsert does.
void write(Documents& documents, DocumentTable& table, RandomFilter& random) {
    std::int64_t key = documents.last_document + 1;
    if (random.pick(2) == 0 && !documents.all.empty()) {
        key = std::next(documents.all.begin(), random.pick(static_cast<unsigned>(documents.all.size())))->first;
    } else {
        ++documents.last_document;
    }
    auto& document = documents.all[key];
    document.metadata = random.rich_doc().dump();
    std::erase_if(document.chunks, [&](std::int64_t) { return random.pick(2) == 0; });
    for (unsigned i = 0; i <= random.pick(3); ++i) document.chunks.push_back(++documents.last_chunk);
    table.set(key, document.metadata, document.chunks);
}

}  // namespace

TEST_CASE("a filter over columns allows the chunks that its slow twin allows, under churn") {
    RandomFilter random(29);
    Documents documents;
    DocumentTable table;
    for (int round = 0; round < 80; ++round) {
        for (unsigned i = 0; i < random.pick(30); ++i) write(documents, table, random);
        if (random.pick(3) == 0) {
            std::erase_if(documents.all, [&](const auto&) { return random.pick(4) == 0; });
            table.retain(documents.keys());
        }
        REQUIRE(table.documents() == documents.all.size());
        check(table, documents, random);
        if (random.pick(10) == 0) {  // made anew, as after much churn
            table.clear();
            for (const auto& [key, document] : documents.all) table.set(key, document.chunks);
        }
    }
}

TEST_CASE("equal values share one, and numbers are compared exactly") {
    DocumentTable table;
    const std::vector<std::string> metadata = {R"({"n":9007199254740993})",
                                               R"({"n":9007199254740992})",
                                               R"({"n":9007199254740992.0})",
                                               R"({"n":-0.0})",
                                               R"({"n":0})",
                                               R"({"n":"0"})",
                                               R"({"n":18446744073709551615})",
                                               R"({})"};
    const auto each = [&](const DocumentTable::MetadataVisitor& visit) {
        for (std::size_t i = 0; i < metadata.size(); ++i) visit(static_cast<std::int64_t>(i) + 1, metadata[i]);
    };
    for (std::size_t i = 0; i < metadata.size(); ++i) {
        const auto key = static_cast<std::int64_t>(i) + 1;
        table.set(key, std::vector<std::int64_t>{key});
    }
    const auto chunks = [&](const std::string& where) {
        const MetadataFilter filter(where);
        REQUIRE(table.prepare(filter, each));
        return table.select(filter).ids();
    };
    using Ids = std::vector<std::int64_t>;
    CHECK(chunks(R"({"n":9007199254740992})") == Ids{2, 3});
    CHECK(chunks(R"({"n":9007199254740993})") == Ids{1});
    CHECK(chunks(R"({"n":0.0})") == Ids{4, 5});
    CHECK(chunks(R"({"n":{"$in":["0",18446744073709551615]}})") == Ids{6, 7});
    CHECK(chunks(R"({"n":{"$gt":9007199254740992}})") == Ids{1, 7});
    CHECK(chunks(R"({"n":{"$exists":false}})") == Ids{8});
    CHECK(chunks(R"({"n":{"$nin":[0,"0"]}})") == Ids{1, 2, 3, 7, 8});
}

TEST_CASE("columns stay below their limit, the last used ones stay, and a filter that does not fit says so") {
    RandomFilter random(7);
    Documents documents;
    DocumentTable table;
    for (int i = 0; i < 3000; ++i) {
        const std::int64_t key = ++documents.last_document;
        const Json metadata{{"a", i}, {"b", std::string(30, 'x') + std::to_string(i)}, {"c", i % 3}};
        documents.all[key] = {metadata.dump(), {++documents.last_chunk}};
        table.set(key, documents.all[key].metadata, documents.all[key].chunks);
    }
    const MetadataFilter on_a(R"({"a":{"$lt":10}})");
    const MetadataFilter on_b(R"({"b":{"$contains":"x17"}})");
    const MetadataFilter on_c(R"({"c":1})");
    const auto bytes_of = [&](const MetadataFilter& filter) {
        DocumentTable alone;
        for (const auto& [key, document] : documents.all) alone.set(key, document.chunks);
        REQUIRE(alone.prepare(filter, documents.each()));
        return alone.column_bytes();
    };
    const std::size_t a = bytes_of(on_a);
    const std::size_t b = bytes_of(on_b);
    const std::size_t c = bytes_of(on_c);
    REQUIRE(b > a);
    REQUIRE(a > c);
    CHECK(table.prepare(on_a, documents.each(), a + c));
    CHECK(table.prepare(on_c, documents.each(), a + c));
    CHECK(table.column_bytes() == a + c);
    CHECK(table.prepare(on_b, documents.each(), b + c));  // a was not used for longest
    CHECK(table.column_bytes() == b + c);
    CHECK_FALSE(table.has_columns(on_a));
    CHECK_FALSE(table.prepare(on_b, documents.each(), b - 1));
    CHECK(table.column_bytes() <= b - 1);
    CHECK_FALSE(table.has_columns(on_b));
    CHECK(table.select_slowly(on_b, documents.each()).ids() == documents.matching(on_b));
}

TEST_CASE("stored metadata that is damaged is named") {
    DocumentTable table;
    table.set(1, std::vector<std::int64_t>{1});
    const MetadataFilter filter(R"({"a":1})");
    const std::vector<std::string> damaged = {"",
                                              "[]",
                                              "{",
                                              "3",
                                              std::string(100000, '[') + std::string(100000, ']'),
                                              "{\"a\":" + std::string(33, '[') + std::string(33, ']') + "}"};
    for (const std::string& metadata : damaged) {
        const auto each = [&](const DocumentTable::MetadataVisitor& visit) { visit(1, metadata); };
        try {
            static_cast<void>(table.prepare(filter, each));
            FAIL("accepted " << metadata.substr(0, 40));
        } catch (const Error& error) {
            CHECK(error.code() == Code::kCorrupt);
        }
    }
}
