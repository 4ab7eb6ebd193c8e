// Encoder over a fake backend: cutting, batching, order, stopping, adapters, fingerprints.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <stdexcept>
#include <thread>

#include "fake_backend.hpp"
#include "model/encoder.hpp"
#include "model_files.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

std::shared_ptr<Encoder> open(const std::filesystem::path& path, FakeBackend& backend,
                              Precision precision = Precision::kFloat32) {
    ModelOptions options;
    options.backend = &backend;
    options.precision = precision;
    return Encoder::open(path, options);
}

std::vector<float> encode(const Encoder& encoder, const std::vector<std::string>& texts, bool normalize = true,
                          std::size_t batch_tokens = 0, const Progress& progress = {}) {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    std::vector<float> out(texts.size() * static_cast<std::size_t>(encoder.dimension()), -9.0F);
    encoder.encode(views, out, normalize, batch_tokens, progress);
    return out;
}

std::vector<std::string> many_texts(std::size_t count) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < count; ++i) {
        std::string text;
        for (std::size_t word = 0; word <= i * 7 % 3; ++word)
            text += (word % 2 == 0 ? "river mill " : "boat 7 ") + std::to_string(i) + " ";
        texts.push_back(text);
    }
    return texts;
}

}  // namespace

TEST_CASE("an encoder says what it is", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    const auto encoder = open(folder, backend, Precision::kInt8);
    CHECK(encoder->dimension() == 32);
    CHECK(encoder->max_tokens() == 24);
    CHECK(encoder->special_tokens() == 2);
    CHECK(encoder->weight_bytes() == 12345);
    CHECK_THAT(encoder->describe(), Catch::Matchers::Contains("int8") && Catch::Matchers::Contains("the fake backend"));
    CHECK(backend.record->options.precision == Precision::kInt8);
    CHECK(backend.record->options.threads >= 1);
    CHECK(backend.record->encoder.hidden_size == 32);
}

TEST_CASE("vectors come back in the order of the texts, whatever the batches", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    const auto encoder = open(folder, backend);
    // More than one window, so that the edges between windows are seen.
    const auto texts = many_texts(2500);
    const auto all = encode(*encoder, texts);
    for (const std::size_t limit : {std::size_t{1}, std::size_t{50}, std::size_t{100000}}) {
        backend.record->batches.clear();
        CHECK(encode(*encoder, texts, true, limit) == all);
        if (limit == 1) CHECK(backend.record->batches.size() == texts.size());
        if (limit == 100000) CHECK(backend.record->batches.size() == 3);
    }
    const std::size_t width = 32;
    for (std::size_t i = 0; i < texts.size(); i += 97) {
        std::vector<std::int32_t> ids;
        encoder->tokenizer().encode_ids(texts[i], true, ids);
        REQUIRE(ids.size() <= 24);
        double norm = 0;
        for (std::size_t j = 0; j < width; ++j) norm += std::pow(static_cast<double>(fake_component(ids, j)), 2);
        for (std::size_t j = 0; j < width; ++j)
            CHECK(all[i * width + j] == Approx(fake_component(ids, j) / std::sqrt(norm)).margin(1e-6));
    }
}

TEST_CASE("batches hold no more tokens than asked for", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    const auto encoder = open(folder, backend);
    encode(*encoder, many_texts(300), true, 60);
    std::size_t text = 0, previous = 1000;
    for (const std::size_t count : backend.record->batches) {
        std::size_t tokens = 0;
        for (std::size_t i = 0; i < count; ++i, ++text) {
            tokens += backend.record->texts[text].size();
            CHECK(backend.record->texts[text].size() <= previous);  // longest first
            previous = backend.record->texts[text].size();
        }
        CHECK(tokens <= 60);
    }
    CHECK(text == 300);
}

TEST_CASE("long texts keep their special tokens and lose their end", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    const auto encoder = open(folder, backend);
    std::string text;
    for (int i = 0; i < 3000; ++i) text += i % 3 == 0 ? "the river " : i % 3 == 1 ? "mill, " : "boats\n";
    // Longer than what is tokenized at first, without a white space in it, and white space alone.
    const std::vector<std::string> texts = {text, std::string(5000, 'x'), std::string(5000, ' '),
                                            std::string(4000, ' ') + "the river"};
    encode(*encoder, texts, true, 1);
    std::vector<std::vector<std::int32_t>> expected;
    for (const std::string& one : texts) {
        std::vector<std::int32_t> ids;
        encoder->tokenizer().encode_ids(one, true, ids);
        const std::int32_t last = ids.back();
        if (ids.size() > 24) {
            ids.resize(24);
            ids.back() = last;
        }
        expected.push_back(ids);
    }
    CHECK(expected[0].size() == 24);
    CHECK(backend.record->texts.size() == 4);
    for (const auto& ids : expected) CHECK_THAT(backend.record->texts, Catch::Matchers::VectorContains(ids));
}

TEST_CASE("an empty list, an empty text, and texts that are no text", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    const auto encoder = open(folder, backend);
    CHECK(encode(*encoder, {}).empty());
    CHECK(backend.record->batches.empty());
    encode(*encoder, {""});
    CHECK(backend.record->texts.at(0).size() == 2);
    require_error(Code::kInvalidArgument, {"text 1", "2"}, [&] { encode(*encoder, {"fine", "ab\xff"}); });
    std::vector<float> small(31);
    const std::string_view one = "text";
    require_error(Code::kInvalidArgument, {"31", "32"}, [&] { encoder->encode({&one, 1}, small, true, 0, {}); });
}

TEST_CASE("a folder with a Normalize module always normalises, another when asked", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    const auto norm = [](const std::vector<float>& vector) {
        double sum = 0;
        for (const float v : vector) sum += static_cast<double>(v) * static_cast<double>(v);
        return std::sqrt(sum);
    };
    CHECK(norm(encode(*open(folder, backend), {"the river"}, false)) == Approx(1.0));
    TemporaryFolder scratch;
    const auto copy = copy_model(folder, scratch);
    write_file(copy / "modules.json",
               R"([{"type":"models.Transformer","path":""},{"type":"models.Pooling","path":"1_Pooling"}])");
    const auto plain = open(copy, backend);
    CHECK(norm(encode(*plain, {"the river"}, true)) == Approx(1.0));
    CHECK(norm(encode(*plain, {"the river"}, false)) > 1.5);
}

TEST_CASE("progress counts texts, and stops", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    const auto encoder = open(folder, backend);
    const auto texts = many_texts(100);
    std::vector<std::uint64_t> seen;
    encode(*encoder, texts, true, 64, [&](std::uint64_t done, std::uint64_t total) {
        CHECK(total == 100);
        seen.push_back(done);
        return true;
    });
    CHECK(std::is_sorted(seen.begin(), seen.end()));
    CHECK(seen.front() == 0);
    CHECK(seen.back() == 100);
    CHECK_THROWS_AS(encode(*encoder, texts, true, 64, [](std::uint64_t done, std::uint64_t) { return done < 20; }), Stopped);
    CHECK_THROWS_AS(encode(*encoder, texts, true, 64, [](std::uint64_t, std::uint64_t) { return false; }), Stopped);
    // What the host's function throws arrives as it was, also through the backend.
    int calls = 0;
    CHECK_THROWS_AS(encode(*encoder, texts, true, 64,
                           [&](std::uint64_t, std::uint64_t) -> bool {
                               if (++calls == 2) throw std::out_of_range("mine");
                               return true;
                           }),
                    std::out_of_range);
    CHECK_NOTHROW(encode(*encoder, texts));
}

TEST_CASE("the backend's errors arrive with code and text", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    backend.record->next = {-6, "precision float16 is not supported"};
    require_error(Code::kUnsupported, {"precision float16"}, [&] { open(folder, backend); });
    const auto encoder = open(folder, backend);
    backend.record->next = {-10, "no memory"};
    require_error(Code::kOutOfMemory, {"no memory"}, [&] { encode(*encoder, {"a"}); });
    backend.record->next = {-999, "odd"};
    require_error(Code::kInternal, {"odd"}, [&] { encode(*encoder, {"a"}); });
    ModelOptions options;
    options.backend = &backend;
    options.threads = 5000;
    require_error(Code::kInvalidArgument, {"5000", "1024"}, [&] { Encoder::open(folder, options); });
}

TEST_CASE("a tokenizer that does not belong to the model is refused", "[model]") {
    const auto folder = fixture("tiny_bert"), llama = fixture("tiny_llama");
    RAG_NEEDS(folder);
    RAG_NEEDS(llama);
    FakeBackend backend;
    TemporaryFolder scratch;
    const auto copy = copy_model(folder, scratch);
    std::filesystem::copy_file(llama / "tokenizer.json", copy / "tokenizer.json",
                               std::filesystem::copy_options::overwrite_existing);
    // 320 tokens, and the five special ones that the folder names beside them.
    require_error(Code::kCorrupt, {"ids up to 324", "do not belong together"}, [&] { open(copy, backend); });
    std::filesystem::remove(copy / "tokenizer.json");
    std::filesystem::remove(copy / "vocab.txt");
    CHECK_THROWS_AS(open(copy, backend), Error);
}

TEST_CASE("the fingerprint is the weights', not the precision's", "[model]") {
    const auto folder = fixture("tiny_bert"), adapter = fixture("tiny_bert_lora");
    RAG_NEEDS(folder);
    RAG_NEEDS(adapter);
    FakeBackend backend;
    TemporaryFolder scratch;
    const auto copy = copy_model(folder, scratch);
    const auto encoder = open(folder, backend);
    const std::string base = encoder->fingerprint();
    CHECK_THAT(base, Catch::Matchers::StartsWith("bert-32-"));
    CHECK(open(copy, backend, Precision::kInt8)->fingerprint() == base);

    encoder->load_adapter(adapter, "style");
    CHECK(encoder->fingerprint() == base);
    encoder->merge_adapter("style");
    CHECK(encoder->fingerprint() != base);
    encoder->unmerge_adapter();
    CHECK(encoder->fingerprint() == base);

    std::string bytes = read_file(copy / "model.safetensors");
    bytes[bytes.size() - 2] ^= 1;
    write_file(copy / "model.safetensors", bytes);
    CHECK(open(copy, backend)->fingerprint() != base);
    copy_model(folder, scratch);
    edit(copy / "sentence_bert_config.json", "24", "20");
    CHECK(open(copy, backend)->fingerprint() != base);
    copy_model(folder, scratch);
    edit(copy / "tokenizer.json", "\"lowercase\": true", "\"lowercase\": false");
    CHECK(open(copy, backend)->fingerprint() != base);
}

TEST_CASE("adapters are kept by name, merged one at a time, and unmerged", "[model]") {
    const auto folder = fixture("tiny_bert"), adapter = fixture("tiny_bert_lora"), other = fixture("tiny_llama_lora");
    RAG_NEEDS(folder);
    RAG_NEEDS(adapter);
    RAG_NEEDS(other);
    FakeBackend backend;
    const auto encoder = open(folder, backend);
    const auto& record = *backend.record;
    require_error(Code::kNotFound, {"\"style\""}, [&] { encoder->merge_adapter("style"); });
    require_error(Code::kInvalidState, {"no adapter"}, [&] { encoder->unmerge_adapter(); });
    require_error(Code::kInvalidArgument, {"empty"}, [&] { encoder->load_adapter(adapter, ""); });
    require_error(Code::kCorrupt, {"no linear layer"}, [&] { encoder->load_adapter(other, "style"); });
    encoder->load_adapter(adapter, "style");
    require_error(Code::kAlreadyExists, {"\"style\""}, [&] { encoder->load_adapter(adapter, "style"); });
    CHECK(record.merges == 0);

    backend.record->next = {-4, "shape"};
    require_error(Code::kCorrupt, {"shape"}, [&] { encoder->merge_adapter("style"); });
    CHECK(encoder->merged_adapter().empty());
    encoder->merge_adapter("style");
    CHECK(encoder->merged_adapter() == "style");
    CHECK(record.merges == 1);
    CHECK(record.merged.size() == 10);
    require_error(Code::kInvalidState, {"\"style\""}, [&] { encoder->merge_adapter("style"); });
    require_error(Code::kInvalidState, {"\"style\""}, [&] { encoder->merge_adapter_folder(adapter); });
    encoder->unmerge_adapter();
    CHECK(record.unmerges == 1);
    encoder->merge_adapter_folder(adapter);
    CHECK(encoder->merged_adapter() == adapter.path.string());
}

TEST_CASE("an encoder serves many threads", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    const auto encoder = open(folder, backend);
    // The fake backend's record is not for threads, so each has a model of its own over one shared tokenizer path.
    const auto texts = many_texts(64);
    const auto expected = encode(*encoder, texts);
    std::vector<std::thread> threads;
    std::atomic<int> equal{0};
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            FakeBackend own;
            const auto mine = open(folder, own);
            if (encode(*mine, texts) == expected) ++equal;
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(equal == 4);
}

TEST_CASE("a model made before fork() refuses in the child and can be freed there", "[model]") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    auto encoder = open(folder, backend);
    const auto texts = many_texts(32);
    encode(*encoder, texts);  // the pool of threads exists
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        int result = 1;
        try {
            encode(*encoder, texts);
        } catch (const Error& error) {
            result =
                error.code() == Code::kInvalidState && std::string_view(error.what()).find("fork()") != std::string_view::npos
                    ? 0
                    : 2;
        }
        encoder.reset();
        ::_exit(result);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("adapters of a call or of all calls reach every text, and make another embedder", "[model]") {
    const auto folder = fixture("tiny_bert"), adapter = fixture("tiny_bert_lora");
    RAG_NEEDS(folder);
    RAG_NEEDS(adapter);
    FakeBackend backend;
    ModelOptions options;
    options.backend = &backend;
    const auto encoder = Encoder::open(folder, options);
    encoder->load_adapter(adapter, "a");
    encoder->load_adapter(adapter, "b");
    const std::vector<std::string_view> texts = {"river", "a small boat", "mill"};
    std::vector<float> out(texts.size() * static_cast<std::size_t>(encoder->dimension()));
    using Weights = std::vector<std::vector<float>>;
    const auto encode = [&](const std::optional<AdapterMix>& mix) {
        backend.record->text_weights.clear();
        encoder->encode(texts, out, true, 0, {}, {}, mix);
        return backend.record->text_weights;
    };
    CHECK(encode(std::nullopt) == Weights(3));
    CHECK(encode(AdapterMix{{"a", 2.0F}}) == Weights(3, {2.0F}));
    const std::string base = encoder->fingerprint();
    encoder->set_adapter({{"b", 0.5F}, {"a", 1.0F}});
    CHECK(encode(std::nullopt) == Weights(3, {0.5F, 1.0F}));
    CHECK(encode(AdapterMix{}) == Weights(3));
    const std::string mixed = encoder->fingerprint();
    CHECK(mixed != base);
    encoder->set_adapter({{"a", 1.0F}, {"b", 0.5F}});
    CHECK(encoder->fingerprint() == mixed);
    encoder->set_adapter({{"b", 0.25F}, {"a", 1.0F}});
    CHECK(encoder->fingerprint() != mixed);
    encoder->set_adapter({{"b", 0.0F}});
    CHECK(encoder->fingerprint() == base);
    encoder->set_adapter({{"a", 1.0F}});
    require_error(Code::kInvalidState, {"set to the adapter \"a\""}, [&] { encoder->unload_adapter("a"); });
    require_error(Code::kNotFound, {"\"c\""}, [&] { encode(AdapterMix{{"c", 1.0F}}); });
    encoder->set_adapter({});
    CHECK(encoder->fingerprint() == base);
    encoder->unload_adapter("a");
    require_error(Code::kNotFound, {"\"a\""}, [&] { encode(AdapterMix{{"a", 1.0F}}); });
}

TEST_CASE("vectors of one call are of one model, whatever is set or merged meanwhile", "[model]") {
    const auto folder = fixture("tiny_bert"), adapter = fixture("tiny_bert_lora");
    RAG_NEEDS(folder);
    RAG_NEEDS(adapter);
    FakeBackend backend;
    const auto encoder = open(folder, backend);
    encoder->load_adapter(adapter, "a");
    const std::vector<std::string_view> texts = {"river", "a small boat", "mill"};
    std::vector<float> out(texts.size() * static_cast<std::size_t>(encoder->dimension()));
    const auto merge = [&] { encoder->merge_adapter("a"); };
    const auto merge_and_back = [&] {
        encoder->merge_adapter("a");
        encoder->unmerge_adapter();
    };
    const auto encode = [&] { encoder->encode(texts, out, true, 1, {}); };
    for (const auto& change : {std::function<void()>(merge), std::function<void()>(merge_and_back)}) {
        backend.record->on_encode = [&] {
            backend.record->on_encode = nullptr;
            change();
        };
        require_error(Code::kInvalidState, {"merged", "3 texts", "again"}, encode);
        if (!encoder->merged_adapter().empty()) encoder->unmerge_adapter();
        encode();
    }
    // A moment is that of its fingerprint, and ends with a merge.
    const auto base = encoder->now();
    encoder->set_adapter({{"a", 2.0F}});
    const auto adapted = encoder->now();
    CHECK(base.fingerprint() != adapted.fingerprint());
    CHECK(adapted.fingerprint() == encoder->fingerprint());
    backend.record->text_weights.clear();
    encoder->encode_as(base, texts, out, true, 1, {});
    encoder->encode_as(adapted, texts, out, true, 1, {});
    CHECK(backend.record->text_weights == std::vector<std::vector<float>>{{}, {}, {}, {2.0F}, {2.0F}, {2.0F}});
    CHECK_FALSE(encoder->changed_since(base));
    merge_and_back();
    CHECK(encoder->changed_since(base));
    require_error(Code::kInvalidState, {"merged"}, [&] { encoder->encode_as(base, texts, out, true, 1, {}); });
}
