// The encoder on a tiny random BERT: packing changes nothing, precisions stay close, bad input is refused, calls repeat exactly.
#include <catch2/catch.hpp>
#include <numeric>
#include <thread>

#include "core/error.hpp"
#include "tiny_models.hpp"

using namespace rag::core;
using namespace rag::core::test;
using Catch::Matchers::Contains;

namespace {

constexpr std::int64_t kHidden = 48;
const std::vector<std::int64_t> kLengths = {1, 3, 17, 17, 33, 64, 65, 130, 160, 2};

}  // namespace

TEST_CASE("texts packed together equal texts encoded alone") {
    const auto encoder = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    const TinyBatch batch(kLengths);
    const std::vector<float> together = encode(*encoder, batch.view(), kHidden);
    for (std::size_t i = 0; i < kLengths.size(); ++i) {
        const auto begin = static_cast<std::size_t>(batch.offsets[i]);
        const std::vector<std::int64_t> offsets = {0, kLengths[i]};
        const TokenBatch single{std::span(batch.ids).subspan(begin, static_cast<std::size_t>(kLengths[i])), {}, offsets};
        const std::vector<float> alone = encode(*encoder, single, kHidden);
        const std::vector<float> row(together.begin() + static_cast<std::ptrdiff_t>(i * kHidden),
                                     together.begin() + static_cast<std::ptrdiff_t>((i + 1) * kHidden));
        CHECK(max_difference(row, alone) < 2e-6F);
    }
}

TEST_CASE("more texts than one group holds") {
    const auto encoder = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    const TinyBatch few({150, 150, 150});
    TinyBatch many(std::vector<std::int64_t>(60, 150));  // 9000 tokens, several groups; the first three texts are the same
    const std::vector<float> a = encode(*encoder, few.view(), kHidden);
    std::vector<float> b = encode(*encoder, many.view(), kHidden);
    b.resize(a.size());
    CHECK(max_difference(a, b) < 2e-6F);
}

TEST_CASE("the same call gives the same bits") {
    for (const Precision precision :
         {Precision::kFloat32, Precision::kBFloat16, Precision::kFloat16, Precision::kInt8, Precision::kInt4}) {
        const auto encoder = load(tiny_bert_config(), tiny_bert(), precision);
        const TinyBatch batch(kLengths);
        CHECK(encode(*encoder, batch.view(), kHidden) == encode(*encoder, batch.view(), kHidden));
    }
}

TEST_CASE("lower precisions stay close to float32 and take less memory") {
    const auto reference = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    const TinyBatch batch(kLengths);
    const std::vector<float> expected = encode(*reference, batch.view(), kHidden);
    const std::pair<Precision, double> cases[] = {
        {Precision::kBFloat16, 0.999}, {Precision::kFloat16, 0.99999}, {Precision::kInt8, 0.99}, {Precision::kInt4, 0.96}};
    for (const auto& [precision, bar] : cases) {
        const auto encoder = load(tiny_bert_config(), tiny_bert(), precision);
        const std::vector<float> got = encode(*encoder, batch.view(), kHidden);
        for (std::size_t i = 0; i < kLengths.size(); ++i) {
            CHECK(cosine(&got[i * kHidden], &expected[i * kHidden], kHidden) > bar);
        }
        CHECK(encoder->weight_bytes() < reference->weight_bytes());
    }
}

TEST_CASE("weights under the prefix of BertModel's parents") {
    const auto plain = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    TinyWeights prefixed;
    for (const auto& [name, tensor] : tiny_bert().tensors) {
        prefixed.tensors["bert." + name] = tensor;
    }
    const auto other = load(tiny_bert_config(), prefixed, Precision::kFloat32);
    const TinyBatch batch({5, 9});
    CHECK(encode(*plain, batch.view(), kHidden) == encode(*other, batch.view(), kHidden));
}

TEST_CASE("pooling") {
    const TinyBatch one({1});
    const TinyBatch text({7});
    std::vector<std::vector<float>> pooled;
    for (const Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kMax}) {
        EncoderConfig config = tiny_bert_config();
        config.pooling = {pooling};
        const auto encoder = load(config, tiny_bert(), Precision::kFloat32);
        pooled.push_back(encode(*encoder, text.view(), kHidden));
        // Of a single token all poolings are that token.
        CHECK(encode(*encoder, one.view(), kHidden) ==
              encode(*load(tiny_bert_config(), tiny_bert(), Precision::kFloat32), one.view(), kHidden));
    }
    for (std::size_t c = 0; c < kHidden; ++c) {
        CHECK(pooled[2][c] >= pooled[0][c]);
        CHECK(pooled[2][c] >= pooled[1][c] - 1e-5F);  // of the first token alone another product
    }
    CHECK(max_difference(pooled[0], pooled[1]) > 1e-3F);
}

TEST_CASE("activations and type ids matter") {
    const TinyBatch batch({9});
    const auto gelu = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    const std::vector<float> expected = encode(*gelu, batch.view(), kHidden);
    for (const Activation activation : {Activation::kGeluTanh, Activation::kRelu, Activation::kSilu}) {
        for (const Precision precision : {Precision::kFloat32, Precision::kInt8}) {
            EncoderConfig config = tiny_bert_config();
            config.activation = activation;
            const float difference =
                max_difference(expected, encode(*load(config, tiny_bert(), precision), batch.view(), kHidden));
            CHECK(difference > 1e-6F);
        }
    }
    const std::vector<std::int32_t> types(9, 1);
    TokenBatch typed = batch.view();
    typed.type_ids = types;
    CHECK(max_difference(expected, encode(*gelu, typed, kHidden)) > 1e-3F);
}

TEST_CASE("bad batches are refused and leave the model usable") {
    const auto encoder = load(tiny_bert_config(), tiny_bert(), Precision::kInt8);
    const TinyBatch batch({3, 4});
    const std::vector<float> expected = encode(*encoder, batch.view(), kHidden);
    std::vector<float> out(2 * kHidden);
    const auto refuse = [&](const TokenBatch& bad, const std::string& text) {
        const BackendStatus status = encoder->encode(bad, out, {});
        CHECK(status.code == static_cast<std::int32_t>(Code::kInvalidArgument));
        CHECK_THAT(status.text, Contains(text));
    };
    std::vector<std::int32_t> ids = batch.ids;
    ids[5] = 50;
    refuse({ids, {}, batch.offsets}, "token id 50 at position 5");
    ids[5] = -1;
    refuse({ids, {}, batch.offsets}, "-1");
    const std::vector<std::int64_t> empty_text = {0, 7, 7};
    refuse({batch.ids, {}, empty_text}, "text 1 has 0 tokens");
    const std::vector<std::int64_t> beyond = {0, 3, 8};
    refuse({batch.ids, {}, beyond}, "7 ids");
    const std::vector<std::int64_t> backwards = {0, 9, 7};
    refuse({batch.ids, {}, backwards}, "text 1");
    refuse({batch.ids, {}, {}}, "offsets");
    const std::vector<std::int32_t> types(6, 0);
    refuse({batch.ids, types, batch.offsets}, "6 type ids");
    const std::vector<std::int32_t> bad_types(7, 2);
    refuse({batch.ids, bad_types, batch.offsets}, "type id 2");
    const TinyBatch too_long({161, 1});
    refuse(too_long.view(), "161 tokens");
    CHECK(encode(*encoder, batch.view(), kHidden) == expected);
}

TEST_CASE("a stop ends the call between layers") {
    const auto encoder = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    const TinyBatch batch({3, 4});
    std::vector<float> out(2 * kHidden);
    int polls = 0;
    HostCall call;
    call.context = &polls;
    call.stop = [](void* context) { return ++*static_cast<int*>(context) == 2; };
    CHECK(encoder->encode(batch.view(), out, call).code == static_cast<std::int32_t>(Code::kStopped));
    CHECK(polls == 2);
}

TEST_CASE("a stop ends a call of many groups, and the model stays usable") {
    const auto encoder = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    const TinyBatch batch(std::vector<std::int64_t>(60, 150));
    const std::vector<float> expected = encode(*encoder, batch.view(), kHidden);
    std::vector<float> out(60 * kHidden);
    HostCall call;
    call.stop = [](void*) { return true; };
    CHECK(encoder->encode(batch.view(), out, call).code == static_cast<std::int32_t>(Code::kStopped));
    CHECK(encode(*encoder, batch.view(), kHidden) == expected);
}

TEST_CASE("a block in one go equals its layers one by one") {
    // Layers that are watched are computed one by one; where the processor has no tiles both are.
    for (const Precision precision : {Precision::kBFloat16, Precision::kInt8}) {
        for (const Activation activation : {Activation::kGelu, Activation::kRelu, Activation::kIdentity, Activation::kSilu}) {
            EncoderConfig config = tiny_bert_config();
            config.activation = activation;
            const auto encoder = load(config, tiny_bert(), precision);
            const TinyBatch batch(kLengths);
            const std::vector<float> together = encode(*encoder, batch.view(), kHidden);
            REQUIRE(encoder->observe_inputs(true).ok());
            const std::vector<float> apart = encode(*encoder, batch.view(), kHidden);
            REQUIRE(encoder->observe_inputs(false).ok());
            CHECK(encode(*encoder, batch.view(), kHidden) == together);
            for (std::size_t i = 0; i < kLengths.size(); ++i) {
                CHECK(cosine(&together[i * kHidden], &apart[i * kHidden], kHidden) > 0.9999F);
            }
        }
    }
}

TEST_CASE("calls from several threads give what one thread gets") {
    const auto encoder = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    const TinyBatch batch(kLengths);
    const std::vector<float> expected = encode(*encoder, batch.view(), kHidden);
    std::vector<std::vector<float>> results(4, std::vector<float>(expected.size()));
    std::vector<std::thread> threads;
    for (auto& result : results) {
        threads.emplace_back([&] {
            for (int i = 0; i < 5; ++i) {
                (void)encoder->encode(batch.view(), result, {});
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const auto& result : results) {
        CHECK(result == expected);
    }
}
