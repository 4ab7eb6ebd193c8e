// The conventions of rag.h: NULL and range checks, structs of other versions, errors, stops, ids, filters.
#include <rag/rag.hpp>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace {

rag_text text(const char* value) {
    return {value, std::strlen(value)};
}

rag_vector_index* make_vector_index(std::uint32_t dimension) {
    rag_vector_index_options options = RAG_VECTOR_INDEX_OPTIONS_INIT;
    options.dimension = dimension;
    rag_vector_index* index = nullptr;
    REQUIRE(rag_vector_index_create(&options, &index) == RAG_OK);
    return index;
}

}  // namespace

TEST_CASE("Status names and version") {
    CHECK(std::string(rag_version()) == "0.1.0");
    CHECK(std::string(rag_status_name(RAG_OK)) == "RAG_OK");
    CHECK(std::string(rag_status_name(RAG_INTERNAL)) == "RAG_INTERNAL");
    CHECK(std::string(rag_status_name(-999)) == "unknown status");
}

TEST_CASE("Every free takes NULL, every accessor too") {
    rag_string_free(nullptr);
    rag_strings_free(nullptr);
    rag_engine_free(nullptr);
    rag_documents_free(nullptr);
    rag_hits_free(nullptr);
    rag_answer_free(nullptr);
    rag_tokenizer_free(nullptr);
    rag_encoding_free(nullptr);
    rag_encoder_free(nullptr);
    rag_generator_free(nullptr);
    rag_generation_free(nullptr);
    rag_vector_index_free(nullptr);
    rag_bm25_index_free(nullptr);
    CHECK(rag_string_text(nullptr).data == nullptr);
    CHECK(rag_strings_count(nullptr) == 0);
    CHECK(rag_hits_count(nullptr) == 0);
    CHECK(rag_documents_count(nullptr) == 0);
    CHECK(rag_answer_citation_count(nullptr) == 0);
    CHECK(rag_answer_unsupported_count(nullptr) == 0);
    CHECK(rag_answer_hits(nullptr) == nullptr);
    CHECK(rag_tokenizer_vocab_size(nullptr) == 0);
    CHECK(rag_encoder_dimension(nullptr) == 0);
    CHECK(rag_generator_context_length(nullptr) == 0);
    CHECK(rag_vector_index_count(nullptr) == 0);
    CHECK(rag_bm25_index_count(nullptr) == 0);
    std::size_t count = 7;
    CHECK(rag_generation_ids(nullptr, &count) == nullptr);
    CHECK(count == 0);
}

TEST_CASE("NULL where a pointer is needed is an error that names it") {
    CHECK(rag_engine_open(text("x"), nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("engine") != std::string::npos);
    std::uint64_t count = 5;
    CHECK(rag_engine_count(nullptr, &count) == RAG_INVALID_ARGUMENT);
    CHECK(count == 0);
    rag_hits* hits = reinterpret_cast<rag_hits*>(&count);
    CHECK(rag_engine_search(nullptr, nullptr, &hits) == RAG_INVALID_ARGUMENT);
    CHECK(hits == nullptr);
    rag_tokenizer* tokenizer = nullptr;
    CHECK(rag_tokenizer_open({nullptr, 3}, &tokenizer) == RAG_INVALID_ARGUMENT);
    CHECK(rag_tokenizer_open({nullptr, 0}, &tokenizer) == RAG_INVALID_ARGUMENT);
    CHECK(rag_tokenizer_open({"a\0b", 3}, &tokenizer) == RAG_INVALID_ARGUMENT);
    CHECK(rag_tokenizer_open(text("no such file"), &tokenizer) == RAG_NOT_FOUND);
    CHECK(std::string(rag_error_message()).find("no such file") != std::string::npos);
    CHECK(std::string(rag_error_message()).find('\n') == std::string::npos);
}

TEST_CASE("Structs of older and newer callers") {
    struct Newer {
        rag_vector_index_options known;
        std::uint64_t unknown;
    };
    Newer newer{RAG_VECTOR_INDEX_OPTIONS_INIT, 0};
    newer.known.struct_size = sizeof(Newer);
    newer.known.dimension = 3;
    rag_vector_index* index = nullptr;
    CHECK(rag_vector_index_create(&newer.known, &index) == RAG_OK);
    rag_vector_index_free(index);
    newer.unknown = 1;
    CHECK(rag_vector_index_create(&newer.known, &index) == RAG_INVALID_ARGUMENT);
    CHECK(index == nullptr);
    CHECK(std::string(rag_error_message()).find("does not know") != std::string::npos);
    newer.known.struct_size = 0;
    CHECK(rag_vector_index_create(&newer.known, &index) == RAG_INVALID_ARGUMENT);
    newer.known.struct_size = 0xFFFFFFFF;
    CHECK(rag_vector_index_create(&newer.known, &index) == RAG_INVALID_ARGUMENT);
}

TEST_CASE("Struct layouts are as rag.h promises on 64-bit machines") {
    static_assert(sizeof(rag_text) == 16);
    static_assert(sizeof(rag_engine_options) == 80);
    static_assert(sizeof(rag_document) == 120);
    static_assert(sizeof(rag_write_options) == 24);
    static_assert(sizeof(rag_document_view) == 128);
    static_assert(sizeof(rag_read_options) == 168);
    static_assert(sizeof(rag_read_document) == 112);
    static_assert(sizeof(rag_chunk_options) == 48);
    static_assert(sizeof(rag_chunk) == 56);
    static_assert(sizeof(rag_query) == 136);
    static_assert(sizeof(rag_hit) == 192);
    static_assert(sizeof(rag_link) == 64);
    static_assert(sizeof(rag_search_batch_options) == 24);
    static_assert(sizeof(rag_adapter_share) == 24);
    static_assert(sizeof(rag_generate_options) == 104);
    static_assert(sizeof(rag_cache_options) == 40);
    static_assert(sizeof(rag_ask_options) == 40);
    static_assert(sizeof(rag_change) == 32);
    static_assert(sizeof(rag_export_options) == 40);
    static_assert(sizeof(rag_import_options) == 24);
    static_assert(sizeof(rag_citation) == 48);
    static_assert(sizeof(rag_usage) == 64);
    static_assert(sizeof(rag_encoding_view) == 72);
    static_assert(sizeof(rag_tokenize_options) == 112);
    static_assert(sizeof(rag_added_token) == 48);
    static_assert(sizeof(rag_model_options) == 96);
    static_assert(sizeof(rag_encode_options) == 72);
    static_assert(sizeof(rag_predict_options) == 72);
    static_assert(sizeof(rag_vector_index_options) == 32);
    static_assert(sizeof(rag_filter) == 24);
    static_assert(sizeof(rag_bm25_index_options) == 56);
    SUCCEED();
}

TEST_CASE("Errors are kept per thread and cleared by the next call") {
    rag_tokenizer* tokenizer = nullptr;
    CHECK(rag_tokenizer_open(text("gone"), &tokenizer) == RAG_NOT_FOUND);
    std::string other = "not empty";
    std::thread([&] { other = rag_error_message(); }).join();
    CHECK(other.empty());
    CHECK(std::string(rag_error_message()).find("gone") != std::string::npos);
    rag_vector_index* index = make_vector_index(2);
    CHECK(std::string(rag_error_message()).empty());
    rag_vector_index_free(index);
}

TEST_CASE("The log goes to the sink and nowhere else") {
    CHECK(rag_log_set(nullptr, RAG_LOG_INFO, nullptr) == RAG_OK);
    CHECK(rag_log_set(nullptr, 9, nullptr) == RAG_INVALID_ARGUMENT);
}

TEST_CASE("Vector index: results are filled, filters hold, a callback stops") {
    rag_vector_index* index = make_vector_index(2);
    const std::vector<std::int64_t> ids{4, 5, 6};
    const std::vector<float> vectors{1, 0, 0, 1, 1, 1};
    REQUIRE(rag_vector_index_add(index, ids.data(), vectors.data(), 3, 2, nullptr, nullptr) == RAG_OK);
    CHECK(rag_vector_index_count(index) == 3);
    CHECK(rag_vector_index_dimension(index) == 2);
    std::vector<std::int64_t> found(5);
    std::vector<float> scores(5);
    const float query[] = {1, 0};
    CHECK(rag_vector_index_search(index, query, 1, 2, 5, 0, nullptr, found.data(), scores.data()) == RAG_OK);
    CHECK(found == std::vector<std::int64_t>{4, 6, 5, -1, -1});
    CHECK(scores[0] == Approx(1));
    CHECK(std::isnan(scores[3]));
    rag_filter filter = RAG_FILTER_INIT;
    const std::int64_t allowed[] = {6, 5};
    filter.ids = allowed;
    filter.count = 2;
    CHECK(rag_vector_index_search(index, query, 1, 2, 1, 0, &filter, found.data(), scores.data()) == RAG_OK);
    CHECK(found[0] == 6);
    CHECK(rag_vector_index_search(index, query, 1, 2, 0, 0, nullptr, found.data(), scores.data()) == RAG_INVALID_ARGUMENT);
    CHECK(rag_vector_index_search(index, query, 1, 3, 1, 0, nullptr, found.data(), scores.data()) == RAG_INVALID_ARGUMENT);
    const float bad[] = {std::numeric_limits<float>::quiet_NaN(), 0};
    CHECK(rag_vector_index_search(index, bad, 1, 2, 1, 0, nullptr, found.data(), scores.data()) == RAG_INVALID_ARGUMENT);
    const std::int64_t negative[] = {-1};
    CHECK(rag_vector_index_add(index, negative, query, 1, 2, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    const std::int64_t fresh[] = {7};
    const auto stop = [](std::uint64_t, std::uint64_t, void*) { return 42; };
    const rag_status status = rag_vector_index_add(index, fresh, query, 1, 2, stop, nullptr);
    if (status == RAG_STOPPED) CHECK(rag_stop_value() == 42);
    rag_vector_index_free(index);
}

TEST_CASE("BM25 index over C: English and Chinese, ill-formed text is refused") {
    rag_bm25_index* index = nullptr;
    REQUIRE(rag_bm25_index_create(nullptr, &index) == RAG_OK);
    const std::int64_t ids[] = {1, 2};
    const rag_text texts[] = {text("returning goods"), text("\xe9\x80\x80\xe8\xb4\xa7\xe6\x94\xbf\xe7\xad\x96")};
    REQUIRE(rag_bm25_index_add(index, ids, nullptr, texts, 2, nullptr, nullptr) == RAG_OK);
    const rag_text queries[] = {text("return"), text("\xe9\x80\x80\xe8\xb4\xa7")};
    std::int64_t found[4];
    float scores[4];
    REQUIRE(rag_bm25_index_search(index, queries, 2, 2, nullptr, nullptr, found, scores) == RAG_OK);
    CHECK(found[0] == 1);
    CHECK(found[1] == -1);
    CHECK(found[2] == 2);
    const std::int64_t more[] = {3};
    const rag_text bad[] = {text("caf\xe9")};
    CHECK(rag_bm25_index_add(index, more, nullptr, bad, 1, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("0xe9") != std::string::npos);
    CHECK(rag_bm25_index_count(index) == 2);
    rag_bm25_index_free(index);
    rag_bm25_index_options options = RAG_BM25_INDEX_OPTIONS_INIT;
    options.language = text("klingon");
    CHECK(rag_bm25_index_create(&options, &index) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("klingon") != std::string::npos);
}

TEST_CASE("BM25 over C: titles, variants, operators, highlights, older option structs") {
    rag_bm25_index_options options = RAG_BM25_INDEX_OPTIONS_INIT;
    options.variant = RAG_BM25_PLUS;
    options.positions = 1;
    rag_bm25_index* index = nullptr;
    REQUIRE(rag_bm25_index_create(&options, &index) == RAG_OK);
    const std::int64_t ids[] = {1, 2};
    const rag_text titles[] = {text(""), text("fox")};
    const rag_text texts[] = {text("the brown fox"), text("a dog")};
    REQUIRE(rag_bm25_index_add(index, ids, titles, texts, 2, nullptr, nullptr) == RAG_OK);
    std::int64_t found[2];
    float scores[2];
    const rag_text phrase[] = {text("\"brown fox\"")};
    rag_bm25_search_options language = RAG_BM25_SEARCH_OPTIONS_INIT;
    REQUIRE(rag_bm25_index_search(index, phrase, 1, 2, nullptr, nullptr, found, scores) == RAG_OK);
    CHECK(found[1] != -1);
    language.syntax = RAG_BM25_LANGUAGE;
    REQUIRE(rag_bm25_index_search(index, phrase, 1, 2, nullptr, &language, found, scores) == RAG_OK);
    CHECK(found[0] == 1);
    CHECK(found[1] == -1);
    const rag_text broken[] = {text("(fox")};
    CHECK(rag_bm25_index_search(index, broken, 1, 2, nullptr, &language, found, scores) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("byte 0") != std::string::npos);
    language.syntax = 9;
    CHECK(rag_bm25_index_search(index, phrase, 1, 2, nullptr, &language, found, scores) == RAG_INVALID_ARGUMENT);
    std::uint64_t ranges[2] = {9, 9};
    std::size_t count = 0;
    REQUIRE(rag_bm25_index_highlight(index, text("fox"), text("a fox, foxes"), nullptr, ranges, 1, &count) == RAG_OK);
    CHECK(count == 2);
    CHECK(ranges[0] == 2);
    CHECK(ranges[1] == 5);
    std::uint64_t replaced = 0;
    REQUIRE(rag_bm25_index_upsert(index, ids, nullptr, texts, 2, &replaced, nullptr, nullptr) == RAG_OK);
    CHECK(replaced == 2);
    CHECK(rag_bm25_index_count(index) == 2);
    rag_bm25_index_free(index);
    // A caller built before the struct grew: what it does not know keeps its default.
    options.struct_size = offsetof(rag_bm25_index_options, variant);
    options.variant = 77;
    REQUIRE(rag_bm25_index_create(&options, &index) == RAG_OK);
    rag_bm25_index_free(index);
    options.struct_size = 8;
    CHECK(rag_bm25_index_create(&options, &index) == RAG_INVALID_ARGUMENT);
}
