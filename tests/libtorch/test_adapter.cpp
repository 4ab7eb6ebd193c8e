// LoRA merging: what is merged equals weights changed by hand, unmerging gives back the same bits, bad adapters change nothing.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "tiny_models.hpp"

using namespace rag::core;
using namespace rag::core::test;
using Catch::Matchers::Contains;

namespace {

constexpr std::int64_t kHidden = 48;
constexpr float kScale = 0.5F;

struct Pair {
    std::string module;
    std::int64_t out, in, rank;
    std::vector<float> a, b;
    std::vector<std::byte> a_bytes, b_bytes;
};

Pair make_pair(const std::string& module, std::int64_t out, std::int64_t in, std::int64_t rank) {
    Pair pair{module,
              out,
              in,
              rank,
              random_values(71, static_cast<std::size_t>(rank * in), 0.3F),
              random_values(72, static_cast<std::size_t>(out * rank), 0.3F),
              {},
              {}};
    pair.a_bytes = to_bytes(pair.a);
    pair.b_bytes = to_bytes(pair.b);
    return pair;
}

AdapterWeights adapter_of(const std::vector<Pair>& pairs) {
    auto owner = std::make_shared<const std::vector<Pair>>(pairs);
    AdapterWeights out;
    for (const Pair& pair : *owner) {
        out.pairs.push_back({pair.module,
                             {pair.module + ".lora_A.weight", ElementType::kF32, {pair.rank, pair.in}, pair.a_bytes},
                             {pair.module + ".lora_B.weight", ElementType::kF32, {pair.out, pair.rank}, pair.b_bytes},
                             kScale});
    }
    out.owner = owner;
    out.source = "tiny adapter";
    return out;
}

void add_by_hand(TinyWeights& weights, const Pair& pair) {
    std::vector<std::byte>& bytes = weights.at(pair.module + ".weight").bytes;
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    for (std::int64_t row = 0; row < pair.out; ++row) {
        for (std::int64_t column = 0; column < pair.in; ++column) {
            double sum = 0.0;
            for (std::int64_t r = 0; r < pair.rank; ++r) {
                sum += static_cast<double>(pair.b[static_cast<std::size_t>(row * pair.rank + r)]) *
                       pair.a[static_cast<std::size_t>(r * pair.in + column)];
            }
            values[static_cast<std::size_t>(row * pair.in + column)] += kScale * static_cast<float>(sum);
        }
    }
    bytes = to_bytes(values);
}

std::vector<float> logits_of(BackendDecoder& decoder) {
    const TinyBatch text({25});
    std::unique_ptr<BackendSession> session;
    REQUIRE(decoder.new_session(session).ok());
    std::vector<float> out(25 * 50);
    REQUIRE(forward(decoder, *session, text.ids, out).ok());
    return out;
}

}  // namespace

TEST_CASE("a merged adapter equals weights changed by hand, and unmerging gives back the same bits") {
    const std::vector<Pair> pairs = {make_pair("encoder.layer.0.attention.self.query", 48, 48, 4),
                                     make_pair("encoder.layer.0.attention.self.value", 48, 48, 2),
                                     make_pair("encoder.layer.1.output.dense", 48, 100, 8)};
    const TinyBatch batch({5, 40, 1});
    for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16, Precision::kFloat16, Precision::kInt8}) {
        TinyWeights changed = tiny_bert();
        for (const Pair& pair : pairs) {
            add_by_hand(changed, pair);
        }
        const std::vector<float> expected = encode(*load(tiny_bert_config(), changed, precision), batch.view(), kHidden);
        const auto encoder = load(tiny_bert_config(), tiny_bert(), precision);
        const std::vector<float> base = encode(*encoder, batch.view(), kHidden);
        const std::uint64_t bytes = encoder->weight_bytes();
        for (int round = 0; round < 2; ++round) {
            REQUIRE(encoder->merge_adapter(adapter_of(pairs)).ok());
            const std::vector<float> merged = encode(*encoder, batch.view(), kHidden);
            CHECK(max_difference(merged, expected) < (precision == Precision::kFloat32 ? 1e-5F : 3e-2F));
            CHECK(max_difference(merged, base) > 0.05F);
            CHECK(encoder->weight_bytes() == bytes);
            REQUIRE(encoder->unmerge_adapter().ok());
            CHECK(encode(*encoder, batch.view(), kHidden) == base);
        }
    }
}

TEST_CASE("adapters on a decoder, fused and interleaved layers included") {
    const std::vector<Pair> pairs = {make_pair("model.layers.1.self_attn.k_proj", 32, 64, 4),
                                     make_pair("model.layers.0.mlp.up_proj", 96, 64, 3),
                                     make_pair("model.layers.0.mlp.down_proj", 64, 96, 1)};
    TinyWeights changed = tiny_llama();
    for (const Pair& pair : pairs) {
        add_by_hand(changed, pair);
    }
    const auto decoder = load(tiny_llama_config(), tiny_llama(), Precision::kFloat32);
    const std::vector<float> base = logits_of(*decoder);
    REQUIRE(decoder->merge_adapter(adapter_of(pairs)).ok());
    CHECK(max_difference(logits_of(*decoder), logits_of(*load(tiny_llama_config(), changed, Precision::kFloat32))) < 1e-4F);
    REQUIRE(decoder->unmerge_adapter().ok());
    CHECK(logits_of(*decoder) == base);
}

TEST_CASE("the pooler that a checkpoint holds for other uses is passed over") {
    TinyWeights weights = tiny_bert();
    weights.add("pooler.dense.weight", {48, 48}, 0.1F);
    const auto encoder = load(tiny_bert_config(), weights, Precision::kFloat32);
    const auto without = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    const Pair query = make_pair("encoder.layer.0.attention.self.query", 48, 48, 4);
    const Pair pooler = make_pair("pooler.dense", 48, 48, 4);
    CHECK(encoder->merge_adapter(adapter_of({pooler})).code == static_cast<std::int32_t>(Code::kInvalidArgument));
    REQUIRE(encoder->merge_adapter(adapter_of({query, pooler})).ok());
    CHECK(without->merge_adapter(adapter_of({query, pooler})).code == static_cast<std::int32_t>(Code::kInvalidArgument));
    REQUIRE(without->merge_adapter(adapter_of({query})).ok());
    const TinyBatch batch({11});
    CHECK(encode(*encoder, batch.view(), kHidden) == encode(*without, batch.view(), kHidden));
}

TEST_CASE("bad adapters are refused and change nothing") {
    const auto encoder = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    const TinyBatch batch({6});
    const std::vector<float> base = encode(*encoder, batch.view(), kHidden);
    const Pair good = make_pair("encoder.layer.0.attention.self.query", 48, 48, 4);
    const auto refuse = [&](const AdapterWeights& adapter, Code code, const std::string& text) {
        const BackendStatus status = encoder->merge_adapter(adapter);
        CHECK(status.code == static_cast<std::int32_t>(code));
        CHECK_THAT(status.text, Contains(text));
        CHECK(encode(*encoder, batch.view(), kHidden) == base);
    };
    refuse(adapter_of({good, make_pair("encoder.layer.7.output.dense", 48, 100, 2)}), Code::kInvalidArgument,
           "encoder.layer.7.output.dense");
    refuse(adapter_of({good, make_pair("embeddings.word_embeddings", 50, 48, 2)}), Code::kInvalidArgument,
           "embeddings.word_embeddings");
    refuse(adapter_of({good, make_pair("encoder.layer.1.output.dense", 48, 99, 2)}), Code::kInvalidArgument, "[48, 100]");
    refuse(adapter_of({good, good}), Code::kInvalidArgument, "twice");
    refuse(adapter_of({}), Code::kInvalidArgument, "no LoRA pair");
    AdapterWeights infinite = adapter_of({good});
    infinite.pairs[0].scale = INFINITY;
    refuse(infinite, Code::kInvalidArgument, "inf");
    AdapterWeights short_bytes = adapter_of({good});
    short_bytes.pairs[0].b.bytes = short_bytes.pairs[0].b.bytes.first(8);
    refuse(short_bytes, Code::kCorrupt, "lora_B");
    REQUIRE(encoder->merge_adapter(adapter_of({good})).ok());
    const BackendStatus twice = encoder->merge_adapter(adapter_of({good}));
    CHECK(twice.code == static_cast<std::int32_t>(Code::kInvalidState));
    CHECK_THAT(twice.text, Contains("tiny adapter"));
    REQUIRE(encoder->unmerge_adapter().ok());
    CHECK(encoder->unmerge_adapter().code == static_cast<std::int32_t>(Code::kInvalidState));
    CHECK(encode(*encoder, batch.view(), kHidden) == base);
}

namespace {

std::vector<float> logits_with(BackendDecoder& decoder, std::span<const std::int32_t> ids, std::vector<AdapterShare> shares) {
    std::unique_ptr<BackendSession> session;
    REQUIRE(decoder.new_session(session).ok());
    std::vector<float> out(ids.size() * 50);
    DecoderItem item{session.get(), ids, out, {}, shares, {}};
    REQUIRE(decoder.forward({&item, 1}).ok());
    INFO(item.status.text);
    REQUIRE(item.status.ok());
    return out;
}

std::unique_ptr<BackendAdapter> keep(BackendDecoder& decoder, const std::vector<Pair>& pairs) {
    std::unique_ptr<BackendAdapter> out;
    const BackendStatus status = decoder.keep_adapter(adapter_of(pairs), out);
    INFO(status.text);
    REQUIRE(status.ok());
    return out;
}

}  // namespace

TEST_CASE("kept adapters equal merged ones, each for its own item of a pass") {
    const std::vector<Pair> first = {make_pair("model.layers.1.self_attn.k_proj", 32, 64, 4),
                                     make_pair("model.layers.0.mlp.up_proj", 96, 64, 3)};
    const std::vector<Pair> second = {make_pair("model.layers.0.self_attn.o_proj", 64, 64, 2),
                                      make_pair("model.layers.0.mlp.down_proj", 64, 96, 1)};
    const TinyBatch text({25, 3, 25, 25});
    const std::span<const std::int32_t> ids = std::span(text.ids).first(25);
    for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16, Precision::kInt8}) {
        const float bar = precision == Precision::kFloat32 ? 1e-4F : 0.1F;
        const auto decoder = load(tiny_llama_config(), tiny_llama(), precision);
        const std::vector<float> base = logits_with(*decoder, ids, {});
        const auto a = keep(*decoder, first), b = keep(*decoder, second);
        REQUIRE(decoder->merge_adapter(adapter_of(first)).ok());
        const std::vector<float> merged_a = logits_with(*decoder, ids, {});
        const std::vector<float> both = logits_with(*decoder, ids, {{b.get(), 1.0F}});
        REQUIRE(decoder->unmerge_adapter().ok());
        CHECK(max_difference(merged_a, base) > 0.2F);
        // int8 rounds the sum of base and adapter where they are merged, the base alone where they are not.
        if (precision != Precision::kInt8) {
            CHECK(max_difference(logits_with(*decoder, ids, {{a.get(), 1.0F}}), merged_a) < bar);
            CHECK(max_difference(logits_with(*decoder, ids, {{a.get(), 1.0F}, {b.get(), 1.0F}}), both) < bar);
        }
        CHECK(max_difference(logits_with(*decoder, ids, {{a.get(), 0.5F}}), merged_a) > 0.05F);
        // A weight of 0 adds nothing, and the base is untouched.
        CHECK(max_difference(logits_with(*decoder, ids, {{a.get(), 0.0F}}), base) < 1e-6F);
        CHECK(logits_with(*decoder, ids, {}) == base);

        std::vector<std::unique_ptr<BackendSession>> sessions(4);
        std::vector<std::vector<float>> logits = {std::vector<float>(25 * 50), std::vector<float>(50), std::vector<float>(50),
                                                  std::vector<float>(25 * 50)};
        const std::vector<AdapterShare> only_a = {{a.get(), 1.0F}}, both_of = {{a.get(), 1.0F}, {b.get(), 1.0F}};
        std::vector<DecoderItem> items;
        for (std::size_t i = 0; i < 4; ++i) {
            REQUIRE(decoder->new_session(sessions[i]).ok());
            const std::vector<AdapterShare>& shares = i == 0 ? only_a : both_of;
            items.push_back({sessions[i].get(), i == 1 ? ids.first(3) : ids, logits[i], {}, shares, {}});
        }
        items[1].adapters = {};
        items[3].adapters = {};
        REQUIRE(decoder->forward(items).ok());
        CHECK(max_difference(logits[0], logits_with(*decoder, ids, only_a)) < bar);
        CHECK(max_difference(logits[1], {base.begin() + 2 * 50, base.begin() + 3 * 50}) < bar);
        const std::vector<float> alone = logits_with(*decoder, ids, both_of);
        CHECK(max_difference(logits[2], {alone.end() - 50, alone.end()}) < bar);
        CHECK(max_difference(logits[3], base) < bar);
    }
}

TEST_CASE("an encoder's blocks carry adapters as its layers one by one do, each text its own") {
    const auto on = [](const char* module, std::int64_t out, std::int64_t in) {
        return make_pair(std::string("encoder.layer.0.") + module, out, in, 3);
    };
    const std::vector<Pair> attention = {on("attention.self.query", 48, 48), on("attention.self.value", 48, 48)};
    const std::vector<Pair> all = {attention[0], on("attention.output.dense", 48, 48), on("intermediate.dense", 100, 48),
                                   on("output.dense", 48, 100)};
    const TinyBatch batch({40, 3, 160, 17, 90});
    for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16, Precision::kInt8}) {
        const auto encoder = load(tiny_bert_config(), tiny_bert(), precision);
        std::unique_ptr<BackendAdapter> first, second;
        REQUIRE(encoder->keep_adapter(adapter_of(attention), first).ok());
        REQUIRE(encoder->keep_adapter(adapter_of(all), second).ok());
        const std::vector<AdapterShare> none, one = {{first.get(), 1.0F}}, both = {{first.get(), 0.5F}, {second.get(), 1.0F}};
        const std::vector<std::span<const AdapterShare>> shares = {both, none, one, both, none};
        TokenBatch mixed = batch.view();
        mixed.adapters = shares;
        const std::vector<float> base = encode(*encoder, batch.view(), kHidden);
        const std::vector<float> found = encode(*encoder, mixed, kHidden);
        // Layers that are watched are computed one by one.
        REQUIRE(encoder->observe_inputs(true).ok());
        const std::vector<float> apart = encode(*encoder, mixed, kHidden);
        REQUIRE(encoder->observe_inputs(false).ok());
        for (std::size_t text = 0; text < shares.size(); ++text) {
            const float* own = &found[text * kHidden];
            CHECK(cosine(own, &apart[text * kHidden], kHidden) > 0.9999);
            if (shares[text].empty()) {
                CHECK(cosine(own, &base[text * kHidden], kHidden) > 0.9999);
            } else {
                CHECK(cosine(own, &base[text * kHidden], kHidden) < 0.995);
            }
        }
    }
}

TEST_CASE("adapters of other models and bad ones are not kept") {
    const auto decoder = load(tiny_llama_config(), tiny_llama(), Precision::kFloat32);
    const auto other = load(tiny_llama_config(), tiny_llama(), Precision::kFloat32);
    const Pair good = make_pair("model.layers.0.mlp.down_proj", 64, 96, 2);
    std::unique_ptr<BackendAdapter> out;
    CHECK_THAT(decoder->keep_adapter(adapter_of({make_pair("model.layers.5.mlp.down_proj", 64, 96, 2)}), out).text,
               Contains("model.layers.5.mlp.down_proj"));
    CHECK_THAT(decoder->keep_adapter(adapter_of({good, good}), out).text, Contains("twice"));
    CHECK_THAT(decoder->keep_adapter(adapter_of({make_pair("model.layers.0.mlp.down_proj", 64, 95, 2)}), out).text,
               Contains("[64, 96]"));
    CHECK(out == nullptr);
    const auto foreign = keep(*other, {good});
    std::unique_ptr<BackendSession> session;
    REQUIRE(decoder->new_session(session).ok());
    const std::vector<std::int32_t> ids = {1};
    for (const AdapterShare share : {AdapterShare{foreign.get(), 1.0F}, AdapterShare{nullptr, 1.0F}}) {
        DecoderItem item{session.get(), ids, {}, {}, {&share, 1}, {}};
        REQUIRE(decoder->forward({&item, 1}).ok());
        CHECK(item.status.code == static_cast<std::int32_t>(Code::kInvalidArgument));
        CHECK_THAT(item.status.text, Contains("adapter of another model"));
    }
    CHECK(session->length() == 0);
}
