// Decoder and its sessions over a fake backend: arguments, state after failure, life times.
#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "core/cancel.hpp"
#include "fake_backend.hpp"
#include "model/decoder.hpp"
#include "model_files.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

std::shared_ptr<Decoder> open(const std::filesystem::path& path, FakeBackend& backend, std::size_t batch_tokens = 2048) {
    ModelOptions options;
    options.backend = &backend;
    options.threads = 3;
    options.batching.tokens = batch_tokens;
    return Decoder::open(path, options);
}

}  // namespace

TEST_CASE("a decoder says what it is", "[model]") {
    const auto gguf = fixture("tiny_llama.Q4_1.gguf"), folder = fixture("tiny_llama"), bare = fixture("tiny_llama_untied");
    RAG_NEEDS(gguf);
    RAG_NEEDS(folder);
    RAG_NEEDS(bare);
    FakeBackend backend;
    for (const auto& path : {gguf.path, folder.path}) {
        const auto decoder = open(path, backend);
        CHECK(decoder->context_length() == 64);
        CHECK(decoder->vocab_size() == 320);
        CHECK(decoder->has_tokenizer());
        CHECK(decoder->tokenizer().vocab_size() == 320);
        CHECK(backend.record->options.threads == 3);
        CHECK_THAT(decoder->describe(), Catch::Matchers::Contains("llama") && Catch::Matchers::Contains("64"));
    }
    const auto decoder = open(bare, backend);
    CHECK_FALSE(decoder->has_tokenizer());
    require_error(Code::kInvalidState, {"no tokenizer"}, [&] { decoder->tokenizer(); });
    CHECK_NOTHROW(decoder->new_session());
}

TEST_CASE("a session appends, cuts, and gives the logits asked for", "[model]") {
    const auto gguf = fixture("tiny_llama.F32.gguf");
    RAG_NEEDS(gguf);
    FakeBackend backend;
    auto decoder = open(gguf, backend);
    const std::vector<std::int32_t> ids = {5, 319, 0, 7};
    const std::size_t vocab = 320;
    std::vector<float> every(4 * vocab), whole(4 * vocab), last(vocab);
    decoder->logits(ids, whole);
    auto session = decoder->new_session();
    session->forward(ids, every);
    CHECK(every == whole);
    CHECK(session->length() == 4);
    session->truncate(2);
    CHECK(session->length() == 2);
    session->forward(std::span(ids).subspan(2), last);
    CHECK(std::equal(last.begin(), last.end(), whole.begin() + 3 * static_cast<std::ptrdiff_t>(vocab)));
    session->forward(ids, {});
    CHECK(session->length() == 8);
    // The session keeps the model alive.
    std::weak_ptr<Decoder> watch = decoder;
    decoder.reset();
    CHECK_FALSE(watch.expired());
    session->forward(ids, last);
    session.reset();
    CHECK(watch.expired());
    // No ids, no logits.
    CHECK_NOTHROW(open(gguf, backend)->logits({}, {}));
}

TEST_CASE("a session is as before after a call that failed", "[model]") {
    const auto gguf = fixture("tiny_llama.F32.gguf");
    RAG_NEEDS(gguf);
    FakeBackend backend;
    const auto decoder = open(gguf, backend);
    const auto session = decoder->new_session();
    std::vector<float> logits(320);
    const auto forward = [&](std::vector<std::int32_t> ids, std::span<float> out, const std::function<bool()>& stop = {}) {
        session->forward(ids, out, stop);
    };
    forward({1, 2, 3}, logits);
    require_error(Code::kInvalidArgument, {"id 320", "position 1", "320 tokens"}, [&] { forward({1, 320}, logits); });
    require_error(Code::kInvalidArgument, {"id -1", "position 0"}, [&] { forward({-1}, logits); });
    require_error(Code::kInvalidArgument, {"no ids"}, [&] { forward({}, logits); });
    require_error(Code::kInvalidArgument, {"319", "320", "640"}, [&] { forward({1, 2}, std::span(logits).first(319)); });
    require_error(Code::kInvalidArgument, {"62 tokens after 3", "64"},
                  [&] { forward(std::vector<std::int32_t>(62, 1), logits); });
    require_error(Code::kInvalidArgument, {"3 tokens to 4"}, [&] { session->truncate(4); });
    require_error(Code::kInvalidArgument, {"-1"}, [&] { session->truncate(-1); });
    CHECK_THROWS_AS(forward({1}, logits, [] { return true; }), Stopped);
    CHECK_THROWS_AS(forward({1}, logits, []() -> bool { throw std::out_of_range("mine"); }), std::out_of_range);
    backend.record->next = {-10, "no memory"};
    require_error(Code::kOutOfMemory, {"no memory"}, [&] { forward({1}, logits); });
    CHECK(session->length() == 3);
    forward(std::vector<std::int32_t>(61, 1), logits);
    CHECK(session->length() == 64);
    std::vector<float> wrong(7);
    const std::vector<std::int32_t> ids = {1, 2};
    require_error(Code::kInvalidArgument, {"7", "640"}, [&] { decoder->logits(ids, wrong); });
}

TEST_CASE("a long input is computed in parts", "[model]") {
    const auto gguf = fixture("tiny_llama.F32.gguf");
    RAG_NEEDS(gguf);
    FakeBackend backend;
    const std::vector<std::int32_t> ids = {5, 319, 0, 7, 8, 9, 10, 11};
    const std::size_t vocab = 320;
    std::vector<float> whole(ids.size() * vocab), every(whole.size()), last(vocab);
    open(gguf, backend)->logits(ids, whole);
    REQUIRE(backend.record->items.size() == 1);
    const auto decoder = open(gguf, backend, 3);
    const auto sizes = [&] {
        std::vector<std::pair<std::size_t, std::size_t>> out;  // ids and rows of logits
        for (const DecoderItem& item : std::exchange(backend.record->items, {}))
            out.emplace_back(item.ids.size(), item.logits.size() / vocab);
        return out;
    };
    using Sizes = std::vector<std::pair<std::size_t, std::size_t>>;
    sizes();
    std::vector<std::uint64_t> told;
    decoder->logits(ids, every, [&](std::uint64_t done, std::uint64_t total) {
        CHECK(total == 8);
        told.push_back(done);
        return true;
    });
    CHECK(every == whole);
    CHECK(told == std::vector<std::uint64_t>{0, 3, 6});
    CHECK(sizes() == Sizes{{3, 3}, {3, 3}, {2, 2}});
    const auto session = decoder->new_session();
    session->forward(std::span(ids).first(1), {});
    session->forward(std::span(ids).subspan(1), last);
    CHECK(std::equal(last.begin(), last.end(), whole.end() - static_cast<std::ptrdiff_t>(vocab)));
    const auto& items = backend.record->items;
    REQUIRE(items.size() == 4);
    for (std::size_t i = 1; i < 4; ++i) {
        REQUIRE(items[i].whole);
        CHECK(items[i].whole->begin == 1);
        CHECK(items[i].whole->end == 8);
    }
    CHECK(sizes() == Sizes{{1, 0}, {3, 0}, {3, 0}, {1, 1}});
}

TEST_CASE("a long input that fails in a later part leaves the session as before", "[model]") {
    const auto gguf = fixture("tiny_llama.F32.gguf");
    RAG_NEEDS(gguf);
    FakeBackend backend;
    const auto decoder = open(gguf, backend, 3);
    const auto session = decoder->new_session();
    const std::vector<std::int32_t> ids(10, 4);
    session->forward(std::span(ids).first(2), {});
    int part = 0;
    backend.record->on_encode = [&] {
        if (++part == 3) backend.record->next = {-10, "no memory"};
    };
    require_error(Code::kOutOfMemory, {"no memory"}, [&] { session->forward(ids, {}); });
    CHECK(part == 3);
    CHECK(session->length() == 2);
    CHECK_THROWS_AS(session->forward(ids, {}, [&] { return part > 5; }), Stopped);
    CHECK(session->length() == 2);
    session->forward(ids, {});
    CHECK(session->length() == 12);
}

TEST_CASE("another session's step goes between the parts of a long input", "[model]") {
    const auto gguf = fixture("tiny_llama.F32.gguf");
    RAG_NEEDS(gguf);
    FakeBackend backend;
    const auto decoder = open(gguf, backend, 4);
    const auto session = decoder->new_session(), other = decoder->new_session();
    const std::vector<std::int32_t> ids(16, 4);
    std::atomic<bool> waits{false};
    std::thread caller;
    std::once_flag once;
    backend.record->on_encode = [&] {
        std::call_once(once, [&] {
            // It is asked whether to go on while it waits its turn.
            caller = std::thread([&] {
                other->forward(std::span(ids).first(1), {}, [&] {
                    waits = true;
                    return false;
                });
            });
            while (!waits) std::this_thread::yield();
        });
    };
    session->forward(ids, {});
    caller.join();
    const auto& items = backend.record->items;
    REQUIRE(items.size() == 5);
    CHECK(items[0].ids.size() == 4);
    CHECK(items[1].ids.size() == 1);
}

TEST_CASE("a GGUF file with more tokens than the model has is refused", "[model]") {
    const auto folder = fixture("tiny_llama"), bert = fixture("tiny_bert");
    RAG_NEEDS(folder);
    RAG_NEEDS(bert);
    FakeBackend backend;
    TemporaryFolder scratch;
    const auto copy = copy_model(folder, scratch);
    edit(copy / "tokenizer.json", "\"added_tokens\": [",
         R"("added_tokens": [{"id": 320, "content": "<|more|>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true},)");
    require_error(Code::kCorrupt, {"ids up to 320", "320 tokens"}, [&] { open(copy, backend); });
}

TEST_CASE("a decoder merges the adapter of its Hugging Face twin", "[model]") {
    const auto gguf = fixture("tiny_llama.Q8_0.gguf"), adapter = fixture("tiny_llama_lora");
    RAG_NEEDS(gguf);
    RAG_NEEDS(adapter);
    FakeBackend backend;
    const auto decoder = open(gguf, backend);
    decoder->load_adapter(adapter, "a");
    decoder->merge_adapter("a");
    CHECK(backend.record->merged.size() == 8);
    decoder->unmerge_adapter();
    CHECK(backend.record->unmerges == 1);
}

TEST_CASE("adapters are set by name and weight, for all sessions or one", "[model]") {
    const auto gguf = fixture("tiny_llama.F32.gguf"), adapter = fixture("tiny_llama_lora");
    RAG_NEEDS(gguf);
    RAG_NEEDS(adapter);
    FakeBackend backend;
    const auto decoder = open(gguf, backend);
    decoder->load_adapter(adapter, "a");
    decoder->load_adapter(adapter, "b");
    const auto weights = [&](DecoderSession& session) {
        session.forward(std::vector<std::int32_t>{1}, {});
        return backend.record->weights;
    };
    CHECK(weights(*decoder->new_session()).empty());
    CHECK(backend.record->kept.empty());  // an adapter is given to the backend when it is used first
    decoder->set_adapter({{"a", 0.5F}});
    const auto first = decoder->new_session();
    CHECK(weights(*first) == std::vector<float>{0.5F});
    decoder->set_adapter({{"b", 2.0F}, {"a", -1.0F}});
    CHECK(weights(*decoder->new_session()) == std::vector<float>{-1.0F, 2.0F});  // the order of a mixture means nothing
    CHECK(weights(*first) == std::vector<float>{0.5F});                          // a session keeps what it began with
    CHECK(weights(*decoder->new_session({{"a", -1.0F}, {"b", 2.0F}})) == weights(*decoder->new_session()));
    CHECK(weights(*decoder->new_session({{"a", 0.0F}, {"b", 2.0F}})) == std::vector<float>{2.0F});
    CHECK(weights(*decoder->new_session({{"a", 3.0F}})) == std::vector<float>{3.0F});
    CHECK(weights(*decoder->new_session({})).empty());
    CHECK(backend.record->kept.size() == 2);
    require_error(Code::kNotFound, {"\"c\""}, [&] { decoder->set_adapter({{"a", 1.0F}, {"c", 1.0F}}); });
    require_error(Code::kInvalidArgument, {"\"a\"", "twice"}, [&] { decoder->set_adapter({{"a", 1.0F}, {"a", 1.0F}}); });
    require_error(Code::kInvalidArgument, {"\"a\"", "inf"}, [&] { decoder->set_adapter({{"a", INFINITY}}); });
    require_error(Code::kInvalidArgument, {"\"a\"", "nan"}, [&] { decoder->set_adapter({{"a", NAN}}); });
    require_error(Code::kInvalidArgument, {"\"a\"", "1e+30", "10000"}, [&] { decoder->set_adapter({{"a", 1e30F}}); });
    require_error(Code::kNotFound, {"\"c\""}, [&] { decoder->set_adapter({{"c", 0.0F}}); });
    require_error(Code::kInvalidArgument, {"\"a\"", "twice"}, [&] { decoder->set_adapter({{"a", 0.0F}, {"a", 1.0F}}); });
    CHECK(weights(*decoder->new_session()) == std::vector<float>{-1.0F, 2.0F});
    decoder->set_adapter({});
    CHECK(weights(*decoder->new_session()).empty());
}

TEST_CASE("a cached text stands before what comes, and belongs to its model and adapters", "[model]") {
    const auto gguf = fixture("tiny_llama.F32.gguf"), adapter = fixture("tiny_llama_lora");
    RAG_NEEDS(gguf);
    RAG_NEEDS(adapter);
    FakeBackend backend;
    const auto decoder = open(gguf, backend);
    const std::vector<std::int32_t> ids = {3, 1, 4, 1, 5, 9};
    const auto first = decoder->cache(std::span(ids).first(2));
    const auto second = decoder->cache(std::span(ids).subspan(2, 3));
    CHECK(second->ids() == std::vector<std::int32_t>{4, 1, 5});
    CHECK(second->size_bytes() == 30);
    const auto vocab = static_cast<std::size_t>(decoder->vocab_size());
    std::vector<float> whole(ids.size() * vocab), behind(vocab);
    decoder->logits(ids, whole);
    decoder->logits(std::span(ids).last(1), behind, {}, std::vector{first, second});
    CHECK(std::equal(behind.begin(), behind.end(), whole.end() - static_cast<std::ptrdiff_t>(vocab)));

    const auto session = decoder->new_session();
    session->append(*first);
    backend.record->next = {static_cast<std::int32_t>(Code::kUnsupported), "the frequencies change"};
    require_error(Code::kUnsupported, {"the frequencies change"}, [&] { session->append(*second); });
    CHECK(session->length() == 2);
    const auto full = decoder->cache(std::vector<std::int32_t>(static_cast<std::size_t>(decoder->context_length()) - 1, 1));
    require_error(Code::kInvalidArgument, {"63 cached tokens after 2", "64"}, [&] { session->append(*full); });
    const auto other = open(gguf, backend);
    require_error(Code::kInvalidArgument, {"cached text is of the model", "another time"},
                  [&] { other->new_session()->append(*first); });
    std::vector<float> none;
    require_error(Code::kInvalidArgument, {"cached text is of the model"},
                  [&] { other->logits({}, none, {}, std::vector{first}); });
    require_error(Code::kInvalidArgument, {"no ids"}, [&] { decoder->cache({}); });

    decoder->load_adapter(adapter, "a");
    decoder->load_adapter(adapter, "b");
    const AdapterMix mix = {{"a", 1.0F}, {"b", 0.5F}};
    const auto adapted = decoder->cache(ids, mix);
    require_error(Code::kInvalidState, {"6 cached tokens", "other adapters"}, [&] { decoder->new_session()->append(*adapted); });
    require_error(Code::kInvalidState, {"other adapters"}, [&] { decoder->new_session({{"a", 1.0F}})->append(*adapted); });
    decoder->new_session({{"b", 0.5F}, {"a", 1.0F}})->append(*adapted);  // the order of a mixture means nothing
    decoder->unload_adapter("b");
    require_error(Code::kNotFound, {"\"b\""}, [&] { decoder->new_session(mix); });
    decoder->merge_adapter("a");
    require_error(Code::kInvalidState, {"2 cached tokens", "merged"}, [&] { decoder->new_session()->append(*first); });
    require_error(Code::kInvalidState, {"\"a\" is merged"}, [&] { decoder->unload_adapter("a"); });
    decoder->unmerge_adapter();
    require_error(Code::kInvalidState, {"2 cached tokens", "unmerged"}, [&] { decoder->new_session()->append(*first); });
    decoder->new_session()->append(*decoder->cache(ids));
}

TEST_CASE("adapters that are merged while texts are cached or used are seen, also when they are taken back at once", "[model]") {
    const auto gguf = fixture("tiny_llama.F32.gguf"), adapter = fixture("tiny_llama_lora");
    RAG_NEEDS(gguf);
    RAG_NEEDS(adapter);
    FakeBackend backend;
    const auto decoder = open(gguf, backend);
    decoder->load_adapter(adapter, "a");
    const std::vector<std::int32_t> ids = {3, 1, 4, 1, 5, 9};
    const auto merge_once = [&] {
        backend.record->on_encode = nullptr;
        decoder->merge_adapter("a");
        decoder->unmerge_adapter();
    };
    backend.record->on_encode = merge_once;
    require_error(Code::kInvalidState, {"merged", "6 tokens"}, [&] { decoder->cache(ids); });
    const auto text = decoder->cache(ids);
    const auto session = decoder->new_session();
    session->append(*text);
    backend.record->on_encode = merge_once;
    require_error(Code::kInvalidState, {"merged", "2 tokens", "cache the texts again"},
                  [&] { session->forward(std::vector{7, 8}, {}); });
    CHECK(session->length() == 6);
    // Before it is computed, and a second text of other weights behind it.
    require_error(Code::kInvalidState, {"2 tokens"}, [&] { session->forward(std::vector{7, 8}, {}); });
    const auto later = decoder->cache(ids);
    require_error(Code::kInvalidState, {"6 tokens", "cache the texts again"}, [&] { session->append(*later); });
    CHECK(session->length() == 6);
    session->truncate(0);
    require_error(Code::kInvalidState, {"6 cached tokens"}, [&] { session->append(*text); });
    session->append(*later);
    session->forward(std::vector{7, 8}, {});
    // What is computed behind it is of the same weights too.
    merge_once();
    require_error(Code::kInvalidState, {"merged", "1 tokens", "again"}, [&] { session->forward(std::vector{9}, {}); });
    CHECK(session->length() == 8);
    // Between two windows of a calibration.
    std::string many;
    for (int i = 0; i < 2000; ++i) many += " boats";
    const std::array<std::string_view, 1> texts = {many};
    bool merged = false;
    const auto merge_between = [&](std::uint64_t done, std::uint64_t) {
        if (done > 0 && !std::exchange(merged, true)) merge_once();
        return true;
    };
    require_error(Code::kInvalidState, {"merged", "tokens to calibrate with"}, [&] { decoder->calibrate(texts, merge_between); });
    decoder->calibrate(texts, {});
}

TEST_CASE("a sequence is of one model, whatever is merged meanwhile", "[model]") {
    const auto gguf = fixture("tiny_llama.F32.gguf"), adapter = fixture("tiny_llama_lora");
    RAG_NEEDS(gguf);
    RAG_NEEDS(adapter);
    FakeBackend backend;
    const auto decoder = open(gguf, backend, 3);
    decoder->load_adapter(adapter, "a");
    const std::vector<std::int32_t> ids = {3, 1, 4, 1, 5, 9, 2, 6};
    std::vector<float> out(ids.size() * static_cast<std::size_t>(decoder->vocab_size()));
    const auto merge = [&] { decoder->merge_adapter("a"); };
    const auto merge_and_back = [&] {
        decoder->merge_adapter("a");
        decoder->unmerge_adapter();
    };
    const auto session = decoder->new_session();
    for (const auto& change : {std::function<void()>(merge), std::function<void()>(merge_and_back)}) {
        // Between the second and the third of three parts, and while the only one is computed.
        for (const int at : {3, 1}) {
            int part = 0;
            backend.record->on_encode = [&] {
                if (++part == at) change();
            };
            require_error(Code::kInvalidState, {"merged", "8 tokens", "again"}, [&] { decoder->logits(ids, out); });
            CHECK(part == 3);
            if (!decoder->merged_adapter().empty()) decoder->unmerge_adapter();
            decoder->logits(ids, out);  // what begins afterwards is right
        }
        backend.record->on_encode = nullptr;
        session->forward(std::span(ids).first(2), {});
        change();
        require_error(Code::kInvalidState, {"merged", "1 tokens", "again"}, [&] { session->forward(std::vector{9}, {}); });
        CHECK(session->length() == 2);
        if (!decoder->merged_adapter().empty()) decoder->unmerge_adapter();
        require_error(Code::kInvalidState, {"merged"}, [&] { session->forward(std::vector{9}, {}); });
        session->truncate(0);
        session->forward(std::vector{9}, {});
        session->truncate(0);
    }
    // Nothing was computed before the merge.
    const auto early = decoder->new_session();
    merge();
    early->forward(ids, {});
    CHECK(early->length() == 8);
}
