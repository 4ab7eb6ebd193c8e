// What the kinds of decoders have beyond Llama, over several sequences and in pieces: windowed layers that forget, mixtures of
// experts, Gemma's norms and caps. One pass, pieces and steps agree; several sequences in one call equal each alone; an item that
// fails or is stopped leaves the others alone. Parity with transformers: tests/python/test_decoder_parity.py.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "tiny_models.hpp"

using namespace rag::core;
using namespace rag::core::test;
using Catch::Matchers::Contains;

namespace {

constexpr std::size_t kVocab = 50;

struct Kind {
    std::string name;
    DecoderConfig config;
    TinyWeights weights;
};

Kind windowed() {
    Kind kind{"windowed", tiny_llama_config(), tiny_llama()};
    kind.config.architecture = "mistral";
    kind.config.window = 20;
    kind.config.windowed = {1, 0};
    return kind;
}

Kind gemma() {
    Kind kind{"gemma", tiny_llama_config(), tiny_llama()};
    kind.config.architecture = "gemma2";
    kind.config.window = 33;
    kind.config.windowed = {0, 1};
    kind.config.attention_softcap = 3.0F;
    kind.config.logit_softcap = 20.0F;
    kind.config.local_rotary.frequencies = plain_frequencies(16, 100.0);
    kind.config.unit_offset_norms = true;
    for (const char* layer : {"model.layers.0.", "model.layers.1."}) {
        kind.weights.add(std::string(layer) + "pre_feedforward_layernorm.weight", {64}, 0.2F);
        kind.weights.add(std::string(layer) + "post_feedforward_layernorm.weight", {64}, 0.2F);
    }
    return kind;
}

Kind experts() {
    Kind kind{"experts", tiny_llama_config(), tiny_llama()};
    kind.config.architecture = "qwen3_moe";
    kind.config.experts = 5;
    kind.config.experts_per_token = 2;
    kind.config.expert_size = 40;
    kind.config.normalize_experts = true;
    kind.config.sparse = {0, 1};
    const std::string layer = "model.layers.1.mlp.";
    kind.weights.add(layer + "gate.weight", {5, 64}, 0.3F);
    for (int expert = 0; expert < 5; ++expert) {
        const std::string prefix = layer + "experts." + std::to_string(expert) + ".";
        kind.weights.add(prefix + "gate_proj.weight", {40, 64}, 0.15F);
        kind.weights.add(prefix + "up_proj.weight", {40, 64}, 0.15F);
        kind.weights.add(prefix + "down_proj.weight", {64, 40}, 0.15F);
    }
    for (const char* prefix : {"model.layers.0.self_attn.", "model.layers.1.self_attn."}) {
        kind.weights.add(std::string(prefix) + "q_norm.weight", {16}, 0.2F, 1.0F);
        kind.weights.add(std::string(prefix) + "k_norm.weight", {16}, 0.2F, 1.0F);
    }
    return kind;
}

std::unique_ptr<BackendSession> session_of(BackendDecoder& decoder) {
    std::unique_ptr<BackendSession> out;
    REQUIRE(decoder.new_session(out).ok());
    return out;
}

std::vector<float> run(BackendDecoder& decoder, BackendSession& session, std::span<const std::int32_t> ids) {
    std::vector<float> out(ids.size() * kVocab);
    const BackendStatus status = forward(decoder, session, ids, out);
    INFO(status.text);
    REQUIRE(status.ok());
    return out;
}

std::vector<float> rows_of(const std::vector<float>& all, std::size_t begin, std::size_t count) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin * kVocab);
    return {first, first + static_cast<std::ptrdiff_t>(count * kVocab)};
}

}  // namespace

TEST_CASE("every kind gives the same logits in one pass, in pieces and in steps") {
    const TinyBatch text({640});
    const std::span<const std::int32_t> ids = text.ids;
    for (const Kind& kind : {windowed(), gemma(), experts()}) {
        INFO(kind.name);
        const auto decoder = load(kind.config, kind.weights, Precision::kFloat32);
        const std::vector<float> all = run(*decoder, *session_of(*decoder), ids);
        const auto pieces = session_of(*decoder);
        for (std::size_t begin = 0, count = 0; begin < ids.size(); begin += count) {
            count = std::min<std::size_t>(1 + begin / 3, ids.size() - begin);
            CHECK(max_difference(run(*decoder, *pieces, ids.subspan(begin, count)), rows_of(all, begin, count)) < 1e-4F);
        }
        const auto steps = session_of(*decoder);
        for (std::size_t i = 0; i < 120; ++i) {
            CHECK(max_difference(run(*decoder, *steps, ids.subspan(i, 1)), rows_of(all, i, 1)) < 1e-4F);
        }
    }
}

TEST_CASE("a window changes what is far away and nothing else") {
    Kind kind = windowed();
    const TinyBatch text({60});
    const auto narrow = load(kind.config, kind.weights, Precision::kFloat32);
    kind.config.windowed = {0, 0};
    const auto wide = load(kind.config, kind.weights, Precision::kFloat32);
    const std::vector<float> a = run(*narrow, *session_of(*narrow), text.ids);
    const std::vector<float> b = run(*wide, *session_of(*wide), text.ids);
    CHECK(max_difference(rows_of(a, 0, 20), rows_of(b, 0, 20)) < 1e-5F);
    CHECK(max_difference(rows_of(a, 20, 40), rows_of(b, 20, 40)) > 1e-2F);
}

TEST_CASE("layers with a window forget, and say so") {
    Kind kind = windowed();
    kind.config.windowed = {1, 1};
    const auto decoder = load(kind.config, kind.weights, Precision::kFloat32);
    const TinyBatch text({690});
    const std::span<const std::int32_t> ids = text.ids;
    const auto session = session_of(*decoder);
    const std::vector<float> all = run(*decoder, *session, ids);
    const BackendStatus status = session->truncate(100);
    CHECK(status.code == static_cast<std::int32_t>(Code::kInvalidState));
    CHECK_THAT(status.text, Contains("690") && Contains("100") && Contains("window"));
    CHECK(session->length() == 690);
    REQUIRE(session->truncate(689).ok());
    CHECK(max_difference(run(*decoder, *session, ids.last(1)), rows_of(all, 689, 1)) < 1e-4F);
    REQUIRE(session->truncate(0).ok());
    CHECK(max_difference(run(*decoder, *session, ids.first(50)), rows_of(all, 0, 50)) < 1e-4F);
    REQUIRE(session->truncate(30).ok());  // nothing was dropped yet
    CHECK(max_difference(run(*decoder, *session, ids.subspan(30, 9)), rows_of(all, 30, 9)) < 1e-4F);
    // A stopped call leaves what the sequence before it sees.
    std::vector<float> logits(kVocab);
    int polls = 0;
    HostCall call;
    call.context = &polls;
    call.stop = [](void* context) { return ++*static_cast<int*>(context) > 3; };
    CHECK(forward(*decoder, *session, ids.subspan(39, 640), logits, call).code == static_cast<std::int32_t>(Code::kStopped));
    CHECK(max_difference(run(*decoder, *session, ids.subspan(39, 60)), rows_of(all, 39, 60)) < 1e-4F);
}

TEST_CASE("parts of a call see the whole, and leave the way back to where it began") {
    Kind dynamic{"dynamic", tiny_llama_config(), tiny_llama()};
    dynamic.config.rotary.dynamic_factor = 4.0;
    dynamic.config.rotary.dynamic_theta = 10000.0;
    dynamic.config.rotary.original_context = 64;
    Kind narrow = windowed();
    narrow.config.windowed = {1, 1};
    const TinyBatch text({690});
    const std::span<const std::int32_t> ids = text.ids;
    const auto part = [](BackendDecoder& decoder, BackendSession& session, std::span<const std::int32_t> some, CallSpan whole) {
        std::vector<float> out(some.size() * kVocab);
        DecoderItem item;
        item.session = &session;
        item.ids = some;
        item.logits = out;
        item.whole = whole;
        REQUIRE(decoder.forward({&item, 1}).ok());
        INFO(item.status.text);
        REQUIRE(item.status.ok());
        return out;
    };
    for (const Kind& kind : {dynamic, narrow, gemma()}) {
        INFO(kind.name);
        const auto decoder = load(kind.config, kind.weights, Precision::kFloat32);
        const auto session = session_of(*decoder);
        const std::vector<float> first = run(*decoder, *session, ids.first(90));
        const std::vector<float> all = run(*decoder, *session, ids.subspan(90));
        REQUIRE(session->truncate(0).ok());
        CHECK(max_difference(run(*decoder, *session, ids.first(90)), first) < 1e-4F);
        for (std::size_t begin = 90, count = 0; begin < ids.size(); begin += count) {
            count = std::min<std::size_t>(250, ids.size() - begin);
            CHECK(max_difference(part(*decoder, *session, ids.subspan(begin, count), {90, 690}),
                                 rows_of(all, begin - 90, count)) < 1e-4F);
        }
        REQUIRE(session->truncate(90).ok());
        CHECK(max_difference(run(*decoder, *session, ids.subspan(90)), all) < 1e-4F);
    }
    const auto decoder = load(narrow.config, narrow.weights, Precision::kFloat32);
    const auto session = session_of(*decoder);
    for (const CallSpan wrong : {CallSpan{0, 9}, CallSpan{1, 20}, CallSpan{-1, 20}}) {
        DecoderItem item;
        item.session = session.get();
        item.ids = ids.first(10);
        item.whole = wrong;
        REQUIRE(decoder->forward({&item, 1}).ok());
        CHECK(item.status.code == static_cast<std::int32_t>(Code::kInvalidArgument));
        CHECK(session->length() == 0);
    }
}

TEST_CASE("several sequences in one call equal each alone") {
    for (const Kind& kind : {windowed(), gemma(), experts()}) {
        INFO(kind.name);
        const auto decoder = load(kind.config, kind.weights, Precision::kFloat32);
        const std::vector<std::size_t> lengths = {5, 300, 1, 45, 290};
        const TinyBatch text({5 + 2, 300 + 2, 1 + 2, 45 + 2, 290 + 2});
        std::vector<std::unique_ptr<BackendSession>> sessions;
        std::vector<std::vector<float>> logits(lengths.size()), expected;
        std::vector<DecoderItem> items;
        for (std::size_t i = 0; i < lengths.size(); ++i) {
            const auto sequence = std::span(text.ids).subspan(static_cast<std::size_t>(text.offsets[i]), lengths[i] + 2);
            expected.push_back(run(*decoder, *session_of(*decoder), sequence));
            sessions.push_back(session_of(*decoder));
            logits[i].resize(i % 2 == 0 ? lengths[i] * kVocab : kVocab);  // of every id, or of the last
            items.push_back({sessions[i].get(), sequence.first(lengths[i]), logits[i], {}, {}, {}});
        }
        REQUIRE(decoder->forward(items).ok());
        for (std::size_t i = 0; i < lengths.size(); ++i) {
            INFO(items[i].status.text);
            REQUIRE(items[i].status.ok());
            const std::size_t rows = logits[i].size() / kVocab;
            CHECK(max_difference(logits[i], rows_of(expected[i], lengths[i] - rows, rows)) < 1e-4F);
            items[i].ids = {items[i].ids.data() + lengths[i], 2};
            logits[i].resize(2 * kVocab);
            items[i].logits = logits[i];
        }
        items[3].logits = {};
        REQUIRE(decoder->forward(items).ok());
        for (const std::size_t i : {0, 1, 2, 4}) {
            REQUIRE(items[i].status.ok());
            CHECK(max_difference(logits[i], rows_of(expected[i], lengths[i], 2)) < 1e-4F);
        }
        CHECK(sessions[3]->length() == 47);
    }
}

// Many rows pass the layers of int8 by blocks, a few one layer after another: sizes with and without whole panels and strips.
TEST_CASE("int8 sequences in one long pass equal each alone, whatever the sizes of the layers") {
    for (const std::int64_t size : {96, 100, 272, 608}) {
        for (Kind kind : {windowed(), gemma()}) {
            INFO(kind.name << ", " << size);
            kind.config.intermediate_size = size;
            for (auto& [name, tensor] : tiny_llama(kind.config).tensors) {
                if (name.find(".mlp.") != std::string::npos) kind.weights.tensors[name] = tensor;
            }
            BackendOptions options;  // only the layers, so that attention rounds nothing; inputs are rounded to sixteen bits
            options.exceptions = {{"model.layers.*", Precision::kInt8}};
            const auto decoder = load(kind.config, kind.weights, options);
            const std::vector<std::int64_t> lengths(131, 5);
            const TinyBatch text(lengths);
            std::vector<std::unique_ptr<BackendSession>> sessions;
            std::vector<std::vector<float>> logits(lengths.size(), std::vector<float>(5 * kVocab));
            std::vector<DecoderItem> items;
            for (std::size_t i = 0; i < lengths.size(); ++i) {
                sessions.push_back(session_of(*decoder));
                items.push_back({sessions[i].get(), std::span(text.ids).subspan(5 * i, 5), logits[i], {}, {}, {}});
            }
            REQUIRE(decoder->forward(items).ok());
            float worst = 0.0F;
            for (std::size_t i = 0; i < lengths.size(); ++i) {
                REQUIRE(items[i].status.ok());
                worst = std::max(worst, max_difference(logits[i], run(*decoder, *session_of(*decoder), items[i].ids)));
            }
            CHECK(worst < 2e-3F);
        }
    }
}

TEST_CASE("an item that fails or stops leaves the others alone") {
    const Kind kind = experts();
    const auto decoder = load(kind.config, kind.weights, Precision::kFloat32);
    const auto other = load(kind.config, kind.weights, Precision::kFloat32);
    const TinyBatch text({40});
    const std::span<const std::int32_t> ids = text.ids;
    const std::vector<float> expected = run(*decoder, *session_of(*decoder), ids);
    const auto good = session_of(*decoder), stopped = session_of(*decoder), bad = session_of(*decoder);
    const auto foreign = session_of(*other);
    const std::vector<std::int32_t> outside = {3, 50};
    std::vector<float> logits(40 * kVocab), rest(kVocab);
    HostCall call;
    call.stop = [](void*) { return true; };
    std::vector<DecoderItem> items = {{stopped.get(), ids, rest, call, {}, {}}, {good.get(), ids, logits, {}, {}, {}},
                                      {bad.get(), outside, {}, {}, {}, {}},     {good.get(), ids, {}, {}, {}, {}},
                                      {foreign.get(), ids, {}, {}, {}, {}},     {nullptr, ids, {}, {}, {}, {}}};
    REQUIRE(decoder->forward(items).ok());
    CHECK(items[0].status.code == static_cast<std::int32_t>(Code::kStopped));
    CHECK(stopped->length() == 0);
    CHECK(items[1].status.ok());
    CHECK(max_difference(logits, expected) < 1e-4F);
    CHECK_THAT(items[2].status.text, Contains("token id 50 at position 1"));
    CHECK_THAT(items[3].status.text, Contains("same session"));
    CHECK_THAT(items[4].status.text, Contains("session of this model"));
    CHECK_THAT(items[5].status.text, Contains("session of this model"));
    CHECK(good->length() == 40);
    CHECK(bad->length() == 0);
    REQUIRE(decoder->forward({}).ok());
}

TEST_CASE("configurations of experts and windows that contradict themselves are refused") {
    const auto refuse = [](Kind kind, auto change, const std::string& text) {
        change(kind.config);
        std::unique_ptr<BackendDecoder> out;
        const BackendOptions options{Precision::kFloat32, {}, false, "cpu", 1, {}};
        const BackendStatus status = backend().load_decoder(kind.config, kind.weights.to_weights(), options, out);
        CHECK(status.code == static_cast<std::int32_t>(Code::kCorrupt));
        CHECK_THAT(status.text, Contains(text));
    };
    refuse(experts(), [](DecoderConfig& c) { c.experts_per_token = 6; }, "experts_per_token");
    refuse(experts(), [](DecoderConfig& c) { c.experts = 6; }, "model.layers.1.mlp.gate.weight");
    refuse(experts(), [](DecoderConfig& c) { c.sparse.pop_back(); }, "sparse");
    refuse(windowed(), [](DecoderConfig& c) { c.window = 0; }, "window");
    refuse(windowed(), [](DecoderConfig& c) { c.windowed.push_back(1); }, "windowed");
    refuse(gemma(), [](DecoderConfig& c) { c.logit_softcap = -1.0F; }, "logit_softcap");
    refuse(gemma(), [](DecoderConfig& c) { c.local_rotary.frequencies[0] = INFINITY; }, "local_rotary");
}
