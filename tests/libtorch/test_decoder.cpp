// The decoder on a tiny random Llama: step by step equals all at once, truncation forgets, precisions and block types stay close,
// bad input is refused and leaves the session as it was.
#include <catch2/catch.hpp>
#include <cstring>

#include "core/error.hpp"
#include "tiny_models.hpp"

using namespace rag::core;
using namespace rag::core::test;
using Catch::Matchers::Contains;

namespace {

constexpr std::size_t kVocab = 50;

std::unique_ptr<BackendSession> session_of(BackendDecoder& decoder) {
    std::unique_ptr<BackendSession> out;
    REQUIRE(decoder.new_session(out).ok());
    return out;
}

std::vector<float> forward(BackendDecoder& decoder, BackendSession& session, std::span<const std::int32_t> ids,
                           std::size_t rows) {
    std::vector<float> out(rows * kVocab);
    const BackendStatus status = test::forward(decoder, session, ids, out);
    INFO(status.text);
    REQUIRE(status.ok());
    return out;
}

std::vector<float> logits_of(BackendDecoder& decoder, std::span<const std::int32_t> ids, std::size_t rows) {
    return forward(decoder, *session_of(decoder), ids, rows);
}

std::vector<float> last_row(const std::vector<float>& logits) {
    return {logits.end() - kVocab, logits.end()};
}

}  // namespace

TEST_CASE("chunks, steps and one pass give the same logits") {
    const auto decoder = load(tiny_llama_config(), tiny_llama(), Precision::kFloat32);
    const TinyBatch text({600});  // longer than one internal chunk and than the cache's first capacity
    const std::span<const std::int32_t> ids = text.ids;
    const std::vector<float> all = forward(*decoder, *session_of(*decoder), ids, ids.size());
    const auto chunked = session_of(*decoder);
    std::vector<float> joined;
    for (std::size_t begin = 0; begin < ids.size();) {
        const std::size_t count = std::min<std::size_t>(1 + begin / 2, ids.size() - begin);
        const std::vector<float> part = forward(*decoder, *chunked, ids.subspan(begin, count), count);
        joined.insert(joined.end(), part.begin(), part.end());
        begin += count;
    }
    CHECK(max_difference(all, joined) < 1e-4F);
    const auto stepped = session_of(*decoder);
    for (std::size_t i = 0; i < 40; ++i) {
        const std::vector<float> step = forward(*decoder, *stepped, ids.subspan(i, 1), 1);
        const std::vector<float> row(all.begin() + static_cast<std::ptrdiff_t>(i * kVocab),
                                     all.begin() + static_cast<std::ptrdiff_t>((i + 1) * kVocab));
        CHECK(max_difference(row, step) < 1e-4F);
    }
    CHECK(stepped->length() == 40);
}

TEST_CASE("later ids do not change earlier logits") {
    const auto decoder = load(tiny_llama_config(), tiny_llama(), Precision::kFloat32);
    TinyBatch text({70});
    const std::vector<float> a = forward(*decoder, *session_of(*decoder), text.ids, 70);
    text.ids[69] = (text.ids[69] + 1) % 50;
    const std::vector<float> b = forward(*decoder, *session_of(*decoder), text.ids, 70);
    CHECK(std::vector<float>(a.begin(), a.end() - kVocab) == std::vector<float>(b.begin(), b.end() - kVocab));
    CHECK(last_row(a) != last_row(b));
}

TEST_CASE("truncate forgets what came after") {
    const auto decoder = load(tiny_llama_config(), tiny_llama(), Precision::kFloat32);
    const TinyBatch text({30});
    const std::span<const std::int32_t> ids = text.ids;
    const auto session = session_of(*decoder);
    const std::vector<float> expected = forward(*decoder, *session, ids.first(20), 1);
    (void)forward(*decoder, *session, ids.subspan(20), 0);
    REQUIRE(session->truncate(19).ok());
    CHECK(session->length() == 19);
    CHECK(max_difference(forward(*decoder, *session, ids.subspan(19, 1), 1), expected) < 1e-5F);
    CHECK(session->truncate(21).code == static_cast<std::int32_t>(Code::kInvalidArgument));
    CHECK(session->truncate(-1).code == static_cast<std::int32_t>(Code::kInvalidArgument));
    CHECK(session->length() == 20);
    REQUIRE(session->truncate(0).ok());
    CHECK(forward(*decoder, *session, ids.first(20), 1) == expected);
}

TEST_CASE("keys and values in bytes stay near, step by step as in one pass, behind a cut too") {
    BackendOptions options;
    const auto exact = load(tiny_llama_config(), tiny_llama(), options);
    options.int8_cache = true;
    const auto bytes = load(tiny_llama_config(), tiny_llama(), options);
    const TinyBatch text({600});
    const std::span<const std::int32_t> ids = text.ids;
    const std::vector<float> wanted = forward(*exact, *session_of(*exact), ids, ids.size());
    const auto session = session_of(*bytes);
    const std::vector<float> found = forward(*bytes, *session, ids, ids.size());
    float range = 0.0F;
    for (const float value : wanted) {
        range = std::max(range, std::fabs(value));
    }
    CHECK(max_difference(wanted, found) < 0.02F * range);
    CHECK(max_difference(wanted, found) > 0.0F);
    REQUIRE(session->truncate(300).ok());
    for (std::size_t i = 300; i < 320; ++i) {
        const std::vector<float> step = forward(*bytes, *session, ids.subspan(i, 1), 1);
        const auto at = static_cast<std::ptrdiff_t>(i * kVocab);
        CHECK(max_difference({found.begin() + at, found.begin() + at + kVocab}, step) < 2e-3F * range);
    }
}

TEST_CASE("exceptions of precision reach the layers that they name") {
    BackendOptions options;
    options.precision = Precision::kInt8;
    const TinyBatch text({40});
    const auto plain = load(tiny_llama_config(), tiny_llama(), options);
    options.exceptions = {{"*", Precision::kFloat32}};
    const auto all = load(tiny_llama_config(), tiny_llama(), options);
    const auto exact = load(tiny_llama_config(), tiny_llama(), Precision::kFloat32);
    // Keys and values are kept in bfloat16 where the model is int8.
    const auto wanted = logits_of(*exact, text.ids, 40);
    CHECK(max_difference(logits_of(*all, text.ids, 40), wanted) < max_difference(logits_of(*plain, text.ids, 40), wanted));
    CHECK(all->weight_bytes() == exact->weight_bytes());
    options.exceptions = {{"model.layers.*.mlp.*", Precision::kFloat32}, {"model.layers.0.*", Precision::kInt8}};
    const auto some = load(tiny_llama_config(), tiny_llama(), options);
    CHECK(some->weight_bytes() > plain->weight_bytes());
    CHECK(some->weight_bytes() < all->weight_bytes());
    std::unique_ptr<BackendDecoder> none;
    options.exceptions = {{"model.layers.9.*", Precision::kFloat32}};
    const BackendStatus unknown = backend().load_decoder(tiny_llama_config(), tiny_llama().to_weights(), options, none);
    CHECK(unknown.code == static_cast<std::int32_t>(Code::kInvalidArgument));
    CHECK_THAT(unknown.text, Contains("model.layers.9.*"));
    options.exceptions = {{"*.q_proj", Precision::kFloat32}};
    CHECK_THAT(backend().load_decoder(tiny_llama_config(), tiny_llama().to_weights(), options, none).text, Contains("together"));
}

TEST_CASE("refused calls leave the session as it was") {
    const auto decoder = load(tiny_llama_config(), tiny_llama(), Precision::kFloat32);
    const TinyBatch text({700});
    const std::span<const std::int32_t> ids = text.ids;
    const auto session = session_of(*decoder);
    (void)forward(*decoder, *session, ids.first(10), 0);
    std::vector<float> logits(kVocab);
    const auto refuse = [&](std::span<const std::int32_t> bad, std::span<float> room, const std::string& part) {
        const BackendStatus status = test::forward(*decoder, *session, bad, room);
        CHECK(status.code == static_cast<std::int32_t>(Code::kInvalidArgument));
        CHECK_THAT(status.text, Contains(part));
        CHECK(session->length() == 10);
    };
    refuse(ids.first(691), logits, "700");
    refuse({}, logits, "no token ids");
    refuse(ids.first(3), std::span(logits).first(7), "7 logits");
    const std::vector<std::int32_t> bad = {1, 50};
    refuse(bad, {}, "token id 50 at position 1");
    HostCall call;
    call.stop = [](void*) { return true; };
    CHECK(test::forward(*decoder, *session, ids.subspan(10, 5), logits, call).code == static_cast<std::int32_t>(Code::kStopped));
    CHECK(session->length() == 10);
    const std::vector<float> after = forward(*decoder, *session, ids.subspan(10, 5), 1);
    CHECK(max_difference(after, last_row(forward(*decoder, *session_of(*decoder), ids.first(15), 15))) < 1e-5F);
}

TEST_CASE("a sequence as long as the context") {
    const auto decoder = load(tiny_llama_config(), tiny_llama(), Precision::kInt8);
    const TinyBatch text({700});
    const auto session = session_of(*decoder);
    (void)forward(*decoder, *session, text.ids, 1);
    CHECK(session->length() == 700);
    std::vector<float> logits(kVocab);
    CHECK(test::forward(*decoder, *session, std::span(text.ids).first(1), logits).code ==
          static_cast<std::int32_t>(Code::kInvalidArgument));
}

TEST_CASE("lower precisions stay close to float32 and repeat exactly") {
    const TinyBatch text({90});
    const auto reference = load(tiny_llama_config(), tiny_llama(), Precision::kFloat32);
    const std::vector<float> expected = forward(*reference, *session_of(*reference), text.ids, 90);
    const std::pair<Precision, double> cases[] = {
        {Precision::kBFloat16, 0.995}, {Precision::kFloat16, 0.9995}, {Precision::kInt8, 0.97}, {Precision::kInt4, 0.95}};
    for (const auto& [precision, bar] : cases) {
        const auto decoder = load(tiny_llama_config(), tiny_llama(), precision);
        const std::vector<float> got = forward(*decoder, *session_of(*decoder), text.ids, 90);
        for (std::size_t i = 0; i < 90; ++i) {
            CHECK(cosine(&got[i * kVocab], &expected[i * kVocab], kVocab) > bar);
        }
        CHECK(forward(*decoder, *session_of(*decoder), text.ids, 90) == got);
        CHECK(decoder->weight_bytes() < reference->weight_bytes());
    }
}

TEST_CASE("sessions of one model do not touch each other") {
    const auto decoder = load(tiny_llama_config(), tiny_llama(), Precision::kFloat32);
    const TinyBatch text({12, 12});
    const auto ids = std::span<const std::int32_t>(text.ids);
    const std::vector<float> a = forward(*decoder, *session_of(*decoder), ids.first(12), 12);
    const auto first = session_of(*decoder);
    const auto second = session_of(*decoder);
    for (std::size_t i = 0; i < 12; ++i) {
        (void)forward(*decoder, *second, ids.subspan(12 + i, 1), 1);
        const std::vector<float> step = forward(*decoder, *first, ids.subspan(i, 1), 1);
        const std::vector<float> row(a.begin() + static_cast<std::ptrdiff_t>(i * kVocab),
                                     a.begin() + static_cast<std::ptrdiff_t>((i + 1) * kVocab));
        CHECK(max_difference(row, step) < 1e-5F);
    }
}

TEST_CASE("interleaved rows of GGUF are put back") {
    TinyWeights weights = tiny_llama();
    const auto expected_model = load(tiny_llama_config(), weights, Precision::kFloat32);
    const TinyBatch text({20});
    const std::vector<float> expected = forward(*expected_model, *session_of(*expected_model), text.ids, 20);
    for (auto& [name, tensor] : weights.tensors) {
        if (name.find("q_proj") == std::string::npos && name.find("k_proj") == std::string::npos) {
            continue;
        }
        // Hugging Face row h*16 + p*8 + i becomes row h*16 + 2*i + p.
        const std::size_t row_bytes = static_cast<std::size_t>(tensor.shape[1]) * sizeof(float);
        std::vector<std::byte> bytes(tensor.bytes.size());
        for (std::size_t row = 0; row < static_cast<std::size_t>(tensor.shape[0]); ++row) {
            const std::size_t to = row / 16 * 16 + 2 * (row % 8) + row % 16 / 8;
            std::memcpy(bytes.data() + to * row_bytes, tensor.bytes.data() + row * row_bytes, row_bytes);
        }
        tensor.bytes = bytes;
    }
    DecoderConfig config = tiny_llama_config();
    config.interleaved_qk = true;
    CHECK(logits_of(*load(config, weights, Precision::kFloat32), text.ids, 20) == expected);
}

TEST_CASE("an output layer of its own is used") {
    TinyWeights weights = tiny_llama();
    weights.tensors["lm_head.weight"] = weights.at("model.embed_tokens.weight");
    DecoderConfig config = tiny_llama_config();
    config.tied_embeddings = false;
    const TinyBatch text({9});
    const std::vector<float> tied = logits_of(*load(tiny_llama_config(), weights, Precision::kFloat32), text.ids, 9);
    CHECK(logits_of(*load(config, weights, Precision::kFloat32), text.ids, 9) == tied);
    weights.add("lm_head.weight", {50, 64}, 1.0F);
    CHECK(logits_of(*load(config, weights, Precision::kFloat32), text.ids, 9) != tied);
}

namespace {

// 1.5 and 0.25 in half precision.
constexpr std::uint16_t kHalfScale = 0x3E00;
constexpr std::uint16_t kHalfMinimum = 0x3400;

void put16(std::vector<std::byte>& out, std::uint16_t value) {
    out.push_back(static_cast<std::byte>(value & 255));
    out.push_back(static_cast<std::byte>(value >> 8));
}

// The embedding table as blocks whose values follow from the block layout, and the same values as float32.
void encode_table(TinyTensor& tensor, ElementType type, std::vector<float>& values) {
    std::vector<std::byte> bytes;
    values.clear();
    for (std::size_t block = 0; block < 100; ++block) {
        put16(bytes, kHalfScale);
        if (type == ElementType::kQ4_1) {
            put16(bytes, kHalfMinimum);
        }
        std::vector<float> in_block(32);
        for (std::size_t i = 0; i < (type == ElementType::kQ8_0 ? 32U : 16U); ++i) {
            const auto raw = static_cast<std::uint8_t>(block * 37 + i * 11);
            bytes.push_back(static_cast<std::byte>(raw));
            if (type == ElementType::kQ8_0) {
                in_block[i] = 1.5F * static_cast<float>(static_cast<std::int8_t>(raw));
            } else {
                const float shift = type == ElementType::kQ4_0 ? -12.0F : 0.25F;
                in_block[i] = 1.5F * static_cast<float>(raw & 15) + shift;
                in_block[i + 16] = 1.5F * static_cast<float>(raw >> 4) + shift;
            }
        }
        values.insert(values.end(), in_block.begin(), in_block.end());
    }
    tensor.type = type;
    tensor.bytes = bytes;
}

}  // namespace

TEST_CASE("block types hold the values that their layout says") {
    const TinyBatch text({8});
    for (const ElementType type : {ElementType::kQ8_0, ElementType::kQ4_0, ElementType::kQ4_1}) {
        TinyWeights blocks = tiny_llama();
        TinyWeights floats = tiny_llama();
        std::vector<float> values;
        encode_table(blocks.at("model.embed_tokens.weight"), type, values);
        floats.at("model.embed_tokens.weight").bytes = to_bytes(values);
        CHECK(logits_of(*load(tiny_llama_config(), blocks, Precision::kFloat32), text.ids, 8) ==
              logits_of(*load(tiny_llama_config(), floats, Precision::kFloat32), text.ids, 8));
    }
}

TEST_CASE("F16 and BF16 files equal float32 files of the same values") {
    const TinyBatch text({8});
    for (const ElementType type : {ElementType::kF16, ElementType::kBF16}) {
        TinyWeights narrow = tiny_llama();
        TinyWeights wide = tiny_llama();
        std::vector<std::byte> bytes;
        std::vector<float> values;
        for (int i = 0; i < 50 * 64; ++i) {
            const int eighths = i % 17 - 8;  // exact in both types
            const auto value = static_cast<float>(eighths) / 8.0F;
            std::uint32_t bits = 0;
            std::memcpy(&bits, &value, 4);
            std::uint32_t half = bits >> 16;
            if (type == ElementType::kF16) {
                half = value == 0.0F ? 0 : (bits >> 16 & 0x8000) | (((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 0x3FF);
            }
            put16(bytes, static_cast<std::uint16_t>(half));
            values.push_back(value);
        }
        narrow.at("model.embed_tokens.weight").type = type;
        narrow.at("model.embed_tokens.weight").bytes = bytes;
        wide.at("model.embed_tokens.weight").bytes = to_bytes(values);
        CHECK(logits_of(*load(tiny_llama_config(), narrow, Precision::kFloat32), text.ids, 8) ==
              logits_of(*load(tiny_llama_config(), wide, Precision::kFloat32), text.ids, 8));
    }
}
