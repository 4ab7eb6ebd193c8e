// Adding, replacing and removing: what is acknowledged is there, what is refused changes nothing.
#include <limits>

#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;
using Catch::Contains;

TEST_CASE("documents are found by id, by words and by vector, in memory and in a folder") {
    TemporaryFolder folder;
    const bool memory = GENERATE(true, false);
    auto engine = memory ? open_engine() : open_engine(folder / "kb");
    add_numbered(*engine, 0, 50);
    CHECK(engine->count() == 50);
    for (std::uint32_t n = 0; n < 50; ++n) CHECK(found_everywhere(*engine, n));
    const auto stored = get(*engine, "doc7");
    REQUIRE(stored);
    CHECK(stored->text == numbered(7).text);
    CHECK(stored->metadata == R"({"even":false,"n":7})");
    CHECK(stored->chunks == 1);
    CHECK(stored->created_ms > 1600000000000);
    CHECK_FALSE(get(*engine, "nobody"));
    CHECK(engine->verify().ok);
}

TEST_CASE("ids are made where none are given, and two equal texts are two documents") {
    auto engine = open_engine();
    Document document;
    document.text = "the same text";
    const auto ids = add(*engine, {document, document});
    REQUIRE(ids.size() == 2);
    CHECK(ids[0] != ids[1]);
    CHECK(ids[0].size() == 32);
    CHECK(ids[0].find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(engine->count() == 2);
    CHECK(search_text(*engine, "same text").size() == 2);
}

TEST_CASE("a long text becomes chunks whose bytes are the document's") {
    auto engine = open_engine();
    Document document;
    document.id = "long";
    document.title = "Zebra handbook";
    for (int i = 0; i < 900; ++i) document.text += "word" + std::to_string(i) + (i % 12 == 11 ? ". " : " ");
    add(*engine, {document});
    const auto stored = get(*engine, "long");
    CHECK(stored->chunks >= 5);
    const auto hits = search_text(*engine, "word500");
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].text == document.text.substr(hits[0].start, hits[0].end - hits[0].start));
    CHECK_THAT(hits[0].text, Contains("word500"));
    CHECK_THAT(hits[0].id, Catch::StartsWith("long#"));
    // The title belongs to every chunk.
    CHECK(search_text(*engine, "zebra", 100).size() == stored->chunks);
}

TEST_CASE("what exists, or stands twice, is refused and nothing is added") {
    auto engine = open_engine();
    add_numbered(*engine, 0, 5);
    auto failure = failure_of([&] { add(*engine, {numbered(7), numbered(3), numbered(8)}); });
    CHECK(failure.code == Code::kAlreadyExists);
    CHECK_THAT(failure.text, Contains("doc3"));
    failure = failure_of([&] { add(*engine, {numbered(7), numbered(8), numbered(7)}); });
    CHECK(failure.code == Code::kAlreadyExists);
    CHECK_THAT(failure.text, Contains("doc7"));
    failure = failure_of([&] { upsert(*engine, {numbered(7), numbered(7)}); });
    CHECK(failure.code == Code::kAlreadyExists);
    CHECK(engine->count() == 5);
    CHECK(search_text(*engine, "marker7").empty());
    CHECK(engine->verify().ok);
}

TEST_CASE("bad documents are refused by name and change nothing") {
    auto engine = open_engine();
    add_numbered(*engine, 0, 3);
    const auto refused = [&](Document bad) {
        const auto failure = failure_of([&] { add(*engine, {numbered(100), bad, numbered(101)}); });
        CHECK(failure.code == Code::kInvalidArgument);
        CHECK(engine->count() == 3);
        CHECK(failure_of([&] { upsert(*engine, {numbered(100), bad}); }).code == Code::kInvalidArgument);
        CHECK(engine->count() == 3);
        CHECK(search_text(*engine, "marker100").empty());
        return failure.text;
    };
    Document bad = numbered(9);
    bad.text = "";
    CHECK_THAT(refused(bad), Contains("doc9") && Contains("empty"));
    bad.text = " \n\t\xe3\x80\x80";
    CHECK_THAT(refused(bad), Contains("doc9") && Contains("white space"));
    bad.text = "good until \xff here";
    CHECK_THAT(refused(bad), Contains("doc9") && Contains("UTF-8") && Contains("0xff") && Contains("offset 11"));
    bad = numbered(9);
    bad.title = "\xc3";
    CHECK_THAT(refused(bad), Contains("title"));
    bad.title = std::string(kMaxTitleBytes + 1, 't');
    CHECK_THAT(refused(bad), Contains("title") && Contains("65537"));
    bad = numbered(9);
    bad.metadata = "[1]";
    CHECK_THAT(refused(bad), Contains("metadata") && Contains("doc9"));
    bad.metadata = "{\"a\":";
    CHECK_THAT(refused(bad), Contains("not JSON"));
    bad = numbered(9);
    bad.id = std::string(kMaxIdBytes + 1, 'i');
    CHECK_THAT(refused(bad), Contains("1025 bytes"));
    bad.id = "\x80";
    CHECK_THAT(refused(bad), Contains("UTF-8"));
    bad = numbered(9);
    bad.vector[5] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THAT(refused(bad), Contains("doc9") && Contains("nan") && Contains("position 5"));
    bad.vector[5] = std::numeric_limits<float>::infinity();
    CHECK_THAT(refused(bad), Contains("inf"));
    bad.vector.assign(kDimension, 0.0F);
    CHECK_THAT(refused(bad), Contains("length 0"));
    bad.vector.assign(kDimension + 1, 1.0F);
    CHECK_THAT(refused(bad), Contains("25") && Contains("24"));
    std::vector<std::string> ids;
    DocumentInput no_id;
    no_id.id = "";
    no_id.text = "text";
    CHECK_THAT(failure_of([&] { engine->add(std::vector{no_id}, {}, ids); }).text, Contains("empty id"));
    CHECK(engine->verify().ok);
}

TEST_CASE("upsert replaces, keeps the day of creation, and leaves equal documents alone") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    add_numbered(*engine, 0, 10);
    const auto before = get(*engine, "doc4");
    const auto sequence = [&] { return engine->stats().substr(engine->stats().find("\"sequence\""), 20); };
    const auto untouched = sequence();

    CHECK(upsert(*engine, {numbered(4)}) == std::vector<std::string>{"doc4"});
    CHECK(sequence() == untouched);

    Document changed = numbered(4);
    changed.text = "Now it speaks of giraffes.";
    changed.vector = vector_of(4444);
    upsert(*engine, {changed, numbered(20)});
    CHECK(engine->count() == 11);
    CHECK(search_text(*engine, "marker4").empty());
    REQUIRE(search_text(*engine, "giraffes").size() == 1);
    CHECK(search_vector(*engine, vector_of(4444), 1).front().document_id == "doc4");
    CHECK(search_vector(*engine, vector_of(4), 1).front().score < 0.9F);
    const auto after = get(*engine, "doc4");
    CHECK(after->created_ms == before->created_ms);
    CHECK(after->updated_ms >= before->updated_ms);
    CHECK(found_everywhere(*engine, 20));

    changed.metadata = R"({"new":true})";
    upsert(*engine, {changed});
    CHECK(get(*engine, "doc4")->metadata == R"({"new":true})");
    CHECK(search_text(*engine, "giraffes").front().metadata == R"({"new":true})");

    changed.title = "With a title";
    upsert(*engine, {changed});
    CHECK(search_text(*engine, "title").size() == 1);
    CHECK(engine->verify().ok);
}

TEST_CASE("documents are removed by id, by where, by both, and by neither never") {
    auto engine = open_engine();
    add_numbered(*engine, 0, 20);
    CHECK(remove(*engine, {"doc3", "nobody", "doc3"}) == 1);
    CHECK_FALSE(get(*engine, "doc3"));
    CHECK(search_text(*engine, "marker3").empty());
    CHECK(search_vector(*engine, vector_of(3), 1).front().document_id != "doc3");
    CHECK(engine->remove({}, R"({"n":{"$gte":15}})") == 5);
    CHECK(engine->remove(std::vector<std::string_view>{"doc0", "doc1", "doc2"}, R"({"even":true})") == 2);
    CHECK(engine->count() == 12);
    CHECK(failure_of([&] { engine->remove({}, std::nullopt); }).code == Code::kInvalidArgument);
    CHECK(failure_of([&] { engine->remove({}, R"({"n":{"$bad":1}})"); }).code == Code::kInvalidArgument);
    CHECK(failure_of([&] { engine->remove(std::vector<std::string_view>{"\xff"}, std::nullopt); }).code ==
          Code::kInvalidArgument);
    CHECK(engine->count() == 12);
    CHECK(engine->verify().ok);
    CHECK(engine->remove({}, "{}") == 12);
    CHECK(engine->count() == 0);
    CHECK(search_text(*engine, "marker4").empty());
    CHECK(search_vector(*engine, vector_of(4)).empty());
    add_numbered(*engine, 0, 3);
    CHECK(found_everywhere(*engine, 1));
    CHECK(engine->verify().ok);
}

TEST_CASE("a removal that is stopped removes nothing, one that is done cannot be stopped") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    add_numbered(*engine, 0, 20'000);
    const std::int64_t sequence = engine->changes(0, 1).last;
    std::atomic<bool> asked{false};
    const Progress never = [&](std::uint64_t, std::uint64_t) {
        asked = true;
        return false;
    };
    bool stopped = false;
    try {
        const std::uint64_t removed = engine->remove({}, "{}", never);  // CHECK would take the exception for itself
        CHECK(removed == 20'000);
    } catch (const Stopped&) {
        stopped = true;
    }
    CHECK(asked);
    if (stopped) {  // else it was done within 50 ms
        CHECK(engine->count() == 20'000);
        CHECK(engine->changes(0, 1).last == sequence);
        CHECK(found_everywhere(*engine, 19'999));
        std::uint64_t greatest = 0;
        const std::uint64_t removed = engine->remove({}, "{}", [&](std::uint64_t, std::uint64_t total) {
            greatest = std::max(greatest, total);
            return true;
        });
        CHECK(removed == 20'000);
        CHECK(greatest == 20'000);
    }
    CHECK(engine->count() == 0);
    CHECK(engine->verify().ok);
}

TEST_CASE("zero bytes in ids and texts are characters like others") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    Document document;
    document.id = std::string("a\0b", 3);
    document.text = std::string("left of zero\0right of zero", 26);
    document.title = std::string("\0", 1);
    document.metadata = R"({"k":"\u0000"})";
    Document other = document;
    other.id = "a";
    add(*engine, {document, other});
    CHECK(engine->count() == 2);
    CHECK(get(*engine, document.id)->text == document.text);
    CHECK(search_text(*engine, "right").size() == 2);
    CHECK(search_text(*engine, "right")[0].text == document.text);
    CHECK(engine->remove({}, R"({"k":"\u0000"})") == 2);
    CHECK(engine->verify().ok);
}

TEST_CASE("the dimension is fixed by the first vector that is stored") {
    auto engine = open_engine();
    std::vector<std::string> ids;
    Document document = numbered(1);
    WriteOptions stop;
    stop.progress = [](std::uint64_t, std::uint64_t) { return false; };
    // A refused or stopped first write fixes nothing.
    CHECK(failure_of([&] { add(*engine, {numbered(1), numbered(1)}); }).code == Code::kAlreadyExists);
    if (failure_of([&] { engine->add(inputs({document}), stop, ids); }).code == Code::kStopped) remove(*engine, ids);
    if (ids.empty()) {
        document.vector = vector_of(1, 8);
        add(*engine, {document});
        CHECK(search_vector(*engine, vector_of(1, 8), 1)[0].document_id == "doc1");
    }
    document.id = "next";
    document.vector = vector_of(1, 16);
    CHECK(failure_of([&] { add(*engine, {document}); }).code == Code::kInvalidArgument);
    CHECK(engine->verify().ok);
}

TEST_CASE("stopping keeps whole batches and tells which") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    std::vector<Document> documents;
    for (std::uint32_t n = 0; n < 3000; ++n) documents.push_back(numbered(n));
    std::vector<std::string> ids;
    WriteOptions options;
    options.batch_documents = 16;
    std::uint64_t last = 0;
    bool backwards = false;
    options.progress = [&](std::uint64_t done, std::uint64_t) {
        backwards = backwards || done < last;
        last = done;
        return done < 32;
    };
    const auto failure = failure_of([&] { engine->add(inputs(documents), options, ids); });
    CHECK(failure.code == Code::kStopped);
    CHECK_FALSE(backwards);
    CHECK(ids.size() % 16 == 0);
    CHECK(ids.size() < 3000);
    CHECK(engine->count() == ids.size());
    for (std::uint32_t n = 0; n < ids.size(); n += 7) CHECK(found_everywhere(*engine, n));
    CHECK(engine->verify().ok);
    // The rest can be added afterwards.
    documents.erase(documents.begin(), documents.begin() + static_cast<std::ptrdiff_t>(ids.size()));
    add(*engine, documents);
    CHECK(engine->count() == 3000);
    CHECK(engine->verify().ok);
}

TEST_CASE("an exception of the caller's progress goes through, and the engine stays whole") {
    auto engine = open_engine();
    std::vector<Document> documents;
    for (std::uint32_t n = 0; n < 2000; ++n) documents.push_back(numbered(n));
    std::vector<std::string> ids;
    WriteOptions options;
    options.batch_documents = 8;
    options.progress = [](std::uint64_t, std::uint64_t) -> bool { throw std::runtime_error("from the host"); };
    CHECK_THROWS_WITH(engine->add(inputs(documents), options, ids), "from the host");
    CHECK(engine->verify().ok);
}

TEST_CASE("a read-only engine refuses every write") {
    TemporaryFolder folder;
    {
        auto engine = open_engine(folder / "kb");
        add_numbered(*engine, 0, 5);
    }
    auto reader = open_engine(folder / "kb", true);
    CHECK(failure_of([&] { add_numbered(*reader, 5, 6); }).code == Code::kReadOnly);
    CHECK(failure_of([&] { upsert(*reader, {numbered(1)}); }).code == Code::kReadOnly);
    CHECK(failure_of([&] { remove(*reader, {"doc1"}); }).code == Code::kReadOnly);
    CHECK(failure_of([&] { reader->compact(); }).code == Code::kReadOnly);
    for (std::uint32_t n = 0; n < 5; ++n) CHECK(found_everywhere(*reader, n));
    CHECK(reader->verify().ok);
}

TEST_CASE("options of chunks are checked") {
    EngineOptions options;
    options.chunk_tokens = 50;
    options.chunk_overlap = 50;
    CHECK_THAT(failure_of([&] { Engine::open(options); }).text, Contains("50"));
    options.chunk_overlap = 10;
    auto engine = Engine::open(options);
    Document document;
    document.id = "d";
    for (int i = 0; i < 400; ++i) document.text += "word" + std::to_string(i) + " ";
    add(*engine, {document});
    const auto chunks = get(*engine, "d")->chunks;
    CHECK(chunks >= 9);
    CHECK(search_text(*engine, "word45 word46 word47", 2).size() == 2);  // shared by two chunks
}
