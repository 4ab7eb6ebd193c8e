// rag_training_rows_*: what C callers see of rows, of bad options and of bad rows.
#include <rag/rag.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <rag/train.hpp>
#include <string>

namespace {

rag_text text(const char* value) {
    return {value, std::strlen(value)};
}

std::string copy(rag_text value) {
    return value.data == nullptr ? "(none)" : std::string(value.data, value.size);
}

const char* const kRows = "{\"text\":\"a\",\"label\":\"x\"}\n{}\n{\"text\":\"b\",\"label\":\"y\"}\n";

}  // namespace

TEST_CASE("rows of memory over C") {
    rag_training_options options = RAG_TRAINING_OPTIONS_INIT;
    rag_training_rows* rows = nullptr;
    CHECK(rag_training_rows_read_bytes(kRows, std::strlen(kRows), text("r.jsonl"), &options, &rows) == RAG_INVALID_ARGUMENT);
    CHECK(rows == nullptr);
    CHECK(std::string(rag_error_message()).find("\"r.jsonl\", line 2") != std::string::npos);
    options.skip_bad_rows = 1;
    REQUIRE(rag_training_rows_read_bytes(kRows, std::strlen(kRows), text("r.jsonl"), &options, &rows) == RAG_OK);
    CHECK(rag_training_rows_kind(rows) == RAG_ROWS_LABELLED);
    REQUIRE(rag_training_rows_count(rows) == 2);
    rag_string* json = nullptr;
    uint64_t line = 0;
    REQUIRE(rag_training_rows_at(rows, 1, &json, &line) == RAG_OK);
    CHECK(copy(rag_string_text(json)) == "{\"text\":\"b\",\"label\":\"y\"}");
    CHECK(line == 3);
    rag_string_free(json);
    CHECK(rag_training_rows_at(rows, 2, &json, &line) == RAG_INVALID_ARGUMENT);
    CHECK(json == nullptr);
    CHECK(rag_training_rows_label_count(rows) == 2);
    CHECK(copy(rag_training_rows_label_at(rows, 1)) == "y");
    CHECK(copy(rag_training_rows_label_at(rows, 2)) == "(none)");
    CHECK(rag_training_rows_skipped_count(rows) == 1);
    CHECK(copy(rag_training_rows_skipped_at(rows, 0, &line)).find("it has no members") != std::string::npos);
    CHECK(line == 2);
    CHECK(copy(rag_training_rows_skipped_at(rows, 1, nullptr)) == "(none)");
    rag_training_rows_free(rows);
    options.kind = 9;
    CHECK(rag_training_rows_read(text("r.jsonl"), &options, &rows) == RAG_INVALID_ARGUMENT);
    CHECK(rag_training_rows_read({nullptr, 0}, nullptr, &rows) == RAG_INVALID_ARGUMENT);
    CHECK(rag_training_rows_read(text("r.jsonl"), nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_training_rows_count(nullptr) == 0);
    rag_training_rows_free(nullptr);
}

TEST_CASE("rows of memory over C++, stopped by a callback") {
    rag::TrainingOptions options;
    options.skip_bad_rows = true;
    const rag::TrainingRows rows = rag::read_training_rows(kRows, "r.jsonl", options);
    REQUIRE(rows.rows.size() == 2);
    CHECK(rows.rows[0].json == "{\"text\":\"a\",\"label\":\"x\"}");
    CHECK(rows.skipped.size() == 1);
    CHECK(rows.labels.size() == 2);
    options.progress = [](std::uint64_t, std::uint64_t) { return false; };
    try {
        rag::read_training_rows(kRows, "r.jsonl", options);
        FAIL("it was not stopped");
    } catch (const rag::Error& error) {
        CHECK(error.code() == RAG_STOPPED);
    }
}
