// Keys and values that were computed once and are put into sequences at any position. At position 0 they are what the sequence
// itself would have computed, bit for bit. Behind other tokens, layers with a window shorter than the piece see it alone, so
// logits behind it must not depend on where it stands. Several pieces against transformers: tests/python/test_cached_text.py.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "tiny_models.hpp"

using namespace rag::core;
using namespace rag::core::test;
using Catch::Matchers::Contains;

namespace {

constexpr std::size_t kVocab = 50;
using Ids = std::span<const std::int32_t>;

std::unique_ptr<BackendSession> session_of(BackendDecoder& decoder) {
    std::unique_ptr<BackendSession> out;
    REQUIRE(decoder.new_session(out).ok());
    return out;
}

std::vector<float> run(BackendDecoder& decoder, BackendSession& session, Ids ids) {
    std::vector<float> out(ids.size() * kVocab);
    const BackendStatus status = forward(decoder, session, ids, out);
    INFO(status.text);
    REQUIRE(status.ok());
    return out;
}

std::unique_ptr<BackendPiece> piece_of(BackendDecoder& decoder, Ids ids) {
    const auto session = session_of(decoder);
    REQUIRE(forward(decoder, *session, ids, {}).ok());
    std::unique_ptr<BackendPiece> out;
    REQUIRE(decoder.copy_piece(*session, out).ok());
    return out;
}

void append(BackendDecoder& decoder, BackendSession& session, const BackendPiece& piece) {
    const BackendStatus status = decoder.append_piece(session, piece);
    INFO(status.text);
    REQUIRE(status.ok());
}

BackendOptions options_of(Precision precision, bool int8_cache) {
    BackendOptions options;
    options.precision = precision;
    options.int8_cache = int8_cache;
    options.threads = 2;
    return options;
}

// Gemma 3's shape of positions: a window with a rotation of its own beside layers that see all.
DecoderConfig windowed_config(std::vector<std::uint8_t> windowed) {
    DecoderConfig config = tiny_llama_config();
    config.context_length = 40000;
    config.window = 12;
    config.windowed = std::move(windowed);
    config.local_rotary.frequencies = plain_frequencies(16, 100.0);
    return config;
}

float largest(const std::vector<float>& values) {
    float most = 0.0F;
    for (const float value : values) most = std::max(most, std::fabs(value));
    return most;
}

}  // namespace

TEST_CASE("a piece at the beginning is the sequence itself, bit for bit") {
    const TinyBatch text({90});
    const Ids ids = text.ids;
    for (const bool int8_cache : {false, true}) {
        for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16, Precision::kInt8}) {
            for (const auto& config : {tiny_llama_config(), windowed_config({1, 0})}) {
                const auto decoder = load(config, tiny_llama(config), options_of(precision, int8_cache));
                const auto whole = session_of(*decoder);
                REQUIRE(forward(*decoder, *whole, ids.first(60), {}).ok());
                const auto piece = piece_of(*decoder, ids.first(60));
                CHECK(piece->length() == 60);
                const auto cached = session_of(*decoder);
                append(*decoder, *cached, *piece);
                CHECK(cached->length() == 60);
                for (std::size_t at = 60; at < 90; at += 15) {
                    CHECK(run(*decoder, *cached, ids.subspan(at, 15)) == run(*decoder, *whole, ids.subspan(at, 15)));
                }
                // The piece is no part of what was made of it.
                const auto again = session_of(*decoder);
                append(*decoder, *again, *piece);
                const auto first = session_of(*decoder);
                REQUIRE(forward(*decoder, *first, ids.first(60), {}).ok());
                CHECK(run(*decoder, *again, ids.subspan(60, 5)) == run(*decoder, *first, ids.subspan(60, 5)));
            }
        }
    }
}

// All layers see 12 tokens, two layers 23: behind a piece of 40 nothing else is seen, wherever it stands.
TEST_CASE("keys are turned to their new position, far out too") {
    const DecoderConfig config = windowed_config({1, 1});
    const TinyBatch text({40, 20, 35000});
    const Ids ids = text.ids;
    struct Bar {
        BackendOptions options;
        float most;
    };
    for (const Bar& bar : {Bar{options_of(Precision::kFloat32, false), 1e-5F}, Bar{options_of(Precision::kFloat32, true), 2e-2F},
                           Bar{options_of(Precision::kBFloat16, false), 2e-2F}}) {
        const auto decoder = load(config, tiny_llama(config), bar.options);
        const auto piece = piece_of(*decoder, ids.first(40));
        const auto near = session_of(*decoder);
        append(*decoder, *near, *piece);
        const std::vector<float> expected = run(*decoder, *near, ids.subspan(40, 20));
        for (const std::size_t before : {1, 7, 300, 35000}) {
            const auto far = session_of(*decoder);
            REQUIRE(forward(*decoder, *far, ids.subspan(60, before), {}).ok());
            append(*decoder, *far, *piece);
            CHECK(far->length() == static_cast<std::int64_t>(before) + 40);
            const float off = max_difference(run(*decoder, *far, ids.subspan(40, 20)), expected) / largest(expected);
            INFO("behind " << before << " tokens: " << off);
            // Angles are rounded to float32 as transformers does: at 35,000 that alone is a thousandth.
            CHECK(off < (before < 1000 ? bar.most : std::max(bar.most, 2e-2F)));
        }
    }
}

TEST_CASE("a piece shorter than the window leaves what stands before it in sight") {
    const DecoderConfig config = windowed_config({1, 1});
    const auto decoder = load(config, tiny_llama(config), Precision::kFloat32);
    const TinyBatch text({30, 5, 10});
    const Ids ids = text.ids;
    const auto piece = piece_of(*decoder, ids.subspan(30, 5));
    std::vector<std::vector<float>> seen;
    for (const std::size_t first : {0, 10}) {  // the last 20 tokens before the piece are the same
        const auto session = session_of(*decoder);
        REQUIRE(forward(*decoder, *session, ids.subspan(first, 30 - first), {}).ok());
        append(*decoder, *session, *piece);
        seen.push_back(run(*decoder, *session, ids.subspan(35, 10)));
    }
    CHECK(max_difference(seen[0], seen[1]) < 1e-4F);
    const auto alone = session_of(*decoder);
    append(*decoder, *alone, *piece);
    CHECK(max_difference(run(*decoder, *alone, ids.subspan(35, 10)), seen[0]) > 1e-2F);
}

TEST_CASE("a piece of pieces is turned as one") {
    const DecoderConfig config = tiny_llama_config();
    const auto decoder = load(config, tiny_llama(config), Precision::kFloat32);
    const TinyBatch text({20, 30, 25, 10});
    const Ids ids = text.ids;
    const auto a = piece_of(*decoder, ids.first(20));
    const auto b = piece_of(*decoder, ids.subspan(20, 30));
    const auto c = piece_of(*decoder, ids.subspan(50, 25));
    const auto both = session_of(*decoder);
    append(*decoder, *both, *b);
    append(*decoder, *both, *c);
    std::unique_ptr<BackendPiece> joined;
    REQUIRE(decoder->copy_piece(*both, joined).ok());
    const auto one = session_of(*decoder);
    append(*decoder, *one, *a);
    append(*decoder, *one, *joined);
    const auto other = session_of(*decoder);
    for (const auto* piece : {&a, &b, &c}) append(*decoder, *other, **piece);
    const std::vector<float> expected = run(*decoder, *other, ids.subspan(75, 10));
    CHECK(max_difference(run(*decoder, *one, ids.subspan(75, 10)), expected) < 1e-5F * largest(expected));
    // Cut back and put together in another order.
    REQUIRE(other->truncate(20).ok());
    append(*decoder, *other, *c);
    append(*decoder, *other, *b);
    const std::vector<float> swapped = run(*decoder, *other, ids.subspan(75, 10));
    CHECK(max_difference(swapped, expected) > 1e-3F);
    const auto fresh = session_of(*decoder);
    for (const auto* piece : {&a, &c, &b}) append(*decoder, *fresh, **piece);
    CHECK(run(*decoder, *fresh, ids.subspan(75, 10)) == swapped);
}

TEST_CASE("pieces take the memory of their tokens, of layers with a window no more than the window") {
    DecoderConfig config = windowed_config({0, 0});
    const TinyBatch text({600});
    const std::uint64_t row = 2ULL * 2 * 16 * 4;  // keys and values, heads, dimensions, float32
    const auto wide = load(config, tiny_llama(config), Precision::kFloat32);
    CHECK(piece_of(*wide, text.ids)->size_bytes() == 600 * 2 * row);
    config.windowed = {1, 0};
    const auto half = load(config, tiny_llama(config), Precision::kFloat32);
    CHECK(piece_of(*half, text.ids)->size_bytes() == (600 + 11) * row);
    const auto bytes = load(config, tiny_llama(config), options_of(Precision::kFloat32, true));
    CHECK(piece_of(*bytes, text.ids)->size_bytes() == (600 + 11) * (row / 4 + 2ULL * 2 * 4));
}

TEST_CASE("what cannot be put together is refused, and the sequence stays") {
    DecoderConfig config = tiny_llama_config();
    const auto decoder = load(config, tiny_llama(config), Precision::kFloat32);
    const auto other = load(config, tiny_llama(config), Precision::kFloat32);
    const TinyBatch text({400, 320});
    const Ids ids = text.ids;
    const auto piece = piece_of(*decoder, ids.first(400));
    const auto session = session_of(*decoder);
    std::unique_ptr<BackendPiece> none;
    CHECK_THAT(decoder->copy_piece(*session, none).text, Contains("without tokens"));
    REQUIRE(forward(*decoder, *session, ids.subspan(400, 320), {}).ok());
    CHECK_THAT(decoder->append_piece(*session, *piece).text, Contains("320") && Contains("400") && Contains("700"));
    CHECK_THAT(other->append_piece(*session, *piece).text, Contains("another model"));
    CHECK_THAT(other->append_piece(*session_of(*other), *piece).text, Contains("another model"));
    CHECK(other->copy_piece(*session, none).code == static_cast<std::int32_t>(Code::kInvalidArgument));
    CHECK(session->length() == 320);

    config.rotary.dynamic_factor = 2.0;
    config.rotary.dynamic_theta = 10000.0;
    config.rotary.original_context = 100;
    const auto dynamic = load(config, tiny_llama(config), Precision::kFloat32);
    const auto begin = session_of(*dynamic);
    const auto early = piece_of(*dynamic, ids.first(60));
    append(*dynamic, *begin, *early);
    const BackendStatus late = dynamic->append_piece(*begin, *early);
    CHECK(late.code == static_cast<std::int32_t>(Code::kUnsupported));
    CHECK_THAT(late.text, Contains("60") && Contains("100") && Contains("dynamic"));
    CHECK(begin->length() == 60);
}
