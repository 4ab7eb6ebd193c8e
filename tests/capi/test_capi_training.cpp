// rag_train over C and C++: what callers see of wrong settings, of wrong data, of missing arguments. Runs themselves are tested
// where there is a backend (tests/python/test_training.py) and with a model differentiated by hand (tests/train).
#include <rag/rag.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <rag/train.hpp>
#include <string>

namespace {

rag_text text(const char* value) {
    return {value, std::strlen(value)};
}

rag::TrainingData labelled() {
    rag::TrainingOptions options;
    options.format = "jsonl";
    return rag::TrainingData::read_bytes("{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\",\"label\":\"y\"}\n", "r.jsonl",
                                         options);
}

std::string last_error() {
    return rag_error_message();
}

}  // namespace

TEST_CASE("settings of a task are complete, and wrong ones are named") {
    const std::string config = rag::train_config("contrastive", R"({"r": 8})");
    CHECK(config.find("\"r\": 8") != std::string::npos);
    CHECK(config.find("\"batch_size\": 64") != std::string::npos);
    CHECK(rag::train_config("contrastive", config) == config);
    rag_string* out = nullptr;
    CHECK(rag_train_config(text("contrastive"), text("{\"r\": -1}"), &out) == RAG_INVALID_ARGUMENT);
    CHECK(out == nullptr);
    CHECK(last_error().find("r must be") != std::string::npos);
    CHECK(rag_train_config(text("magic"), {nullptr, 0}, &out) == RAG_INVALID_ARGUMENT);
    CHECK(last_error().find("causal_lm") != std::string::npos);
    CHECK(rag_train_config(text("rerank"), text("[]"), &out) == RAG_INVALID_ARGUMENT);
    CHECK(rag_train_config(text("rerank"), {nullptr, 0}, nullptr) == RAG_INVALID_ARGUMENT);
    REQUIRE(rag_train_config(text("rerank"), {nullptr, 0}, &out) == RAG_OK);
    rag_string_free(out);
}

TEST_CASE("a training without what it needs is refused before anything is written") {
    const rag::TrainingData data = labelled();
    rag_train_options options = RAG_TRAIN_OPTIONS_INIT;
    rag_string* result = nullptr;
    CHECK(rag_train(text("m"), text("classification"), nullptr, nullptr, &options, &result) == RAG_INVALID_ARGUMENT);
    CHECK(last_error().find("train is NULL") != std::string::npos);
    CHECK(rag_train(text(""), text("classification"), data.handle(), nullptr, &options, &result) == RAG_INVALID_ARGUMENT);
    CHECK(rag_train(text("m"), text("classification"), data.handle(), nullptr, nullptr, &result) == RAG_INVALID_ARGUMENT);
    CHECK(last_error().find("output") != std::string::npos);
    CHECK(rag_train(text("m"), text("classification"), data.handle(), nullptr, &options, nullptr) == RAG_INVALID_ARGUMENT);
    options.drop_unused = 2;
    CHECK(rag_train(text("m"), text("classification"), data.handle(), nullptr, &options, &result) == RAG_INVALID_ARGUMENT);
    CHECK(last_error().find("drop_unused is 2") != std::string::npos);
    options.drop_unused = 0;
    options.struct_size = 4;
    CHECK(rag_train(text("m"), text("classification"), data.handle(), nullptr, &options, &result) == RAG_INVALID_ARGUMENT);
    CHECK(result == nullptr);
    CHECK_THROWS_AS(rag::train("no/such/model", "classification", data, nullptr, R"({"output":"no/such/run"})"), rag::Error);
    try {
        rag::train("no/such/model", "classification", data, nullptr, R"({"output":"no/such/run"})");
    } catch (const rag::Error& error) {
        CHECK(error.code() == RAG_NOT_FOUND);
    }
}

TEST_CASE("the sum of rows is that of their content, whatever file they came from") {
    const rag::TrainingData one = labelled();
    CHECK(one.size() == 2);
    CHECK(one.kind() == rag::RowKind::kLabelled);
    CHECK(one.sha256() == labelled().sha256());
    rag::TrainingOptions options;
    options.format = "json";
    const auto other = rag::TrainingData::read_bytes(R"([{"label":"x","sentence":"a"},{"text":"b","label":"y"}])", "x", options);
    CHECK(other.sha256() == one.sha256());
    const auto changed = rag::TrainingData::read_bytes(R"([{"text":"a","label":"x"},{"text":"c","label":"y"}])", "x", options);
    CHECK(changed.sha256() != one.sha256());
    CHECK(one.sha256().size() == 64);
    CHECK(rag_training_rows_sha256(nullptr, nullptr) == RAG_INVALID_ARGUMENT);
}
