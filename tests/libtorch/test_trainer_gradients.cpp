// Gradients of trainers through the backend's interface: every trained tensor's agrees with differences of the loss; layers
// computed again, texts in another order, several batches, bfloat16 and rounding to int8 give the same ones, or near ones.
#include <catch2/catch.hpp>

#include "trainer_tools.hpp"

using namespace rag::core;
using namespace rag::core::test;

TEST_CASE("gradients of encoders agree with differences", "[trainer]") {
    for (const char* architecture : {"bert", "roberta", "distilbert", "mpnet", "modernbert"}) {
        INFO(architecture);
        const EncoderKind kind = encoder_kind(architecture);
        const auto trainer = open(kind.config, kind.weights, all_of(kind.weights));
        CHECK(trainer->tensors().size() == kind.weights.tensors.size());
        check_gradients(*trainer, vector_loss(TinyBatch({3, 9, 9, 17}), 48));
    }
}

TEST_CASE("gradients go through every pooling, heads, norms and token types", "[trainer]") {
    EncoderKind kind = post_norm("bert");
    kind.config.pooling = {Pooling::kMean,           Pooling::kCls,          Pooling::kMax,
                           Pooling::kMeanSqrtLength, Pooling::kWeightedMean, Pooling::kLastToken};
    kind.config.stages = {{"head.dense", 20, true, Activation::kTanh, "head.norm"},
                          {"classifier", 5, true, Activation::kIdentity, ""}};
    kind.weights.add("head.dense.weight", {20, 6 * 48}, 0.06F);
    kind.weights.add("head.dense.bias", {20}, 0.1F);
    kind.weights.add("head.norm.weight", {20}, 0.1F, 1.0F);
    kind.weights.add("head.norm.bias", {20}, 0.1F);
    kind.weights.add("classifier.weight", {5, 20}, 0.3F);
    kind.weights.add("classifier.bias", {5}, 0.1F);
    const auto trainer = open(kind.config, kind.weights, all_of(kind.weights));
    check_gradients(*trainer, vector_loss(TinyBatch({4, 11, 6}), 5));
}

TEST_CASE("gradients of token losses agree with differences, for every kind of decoder", "[trainer]") {
    for (const DecoderKind& kind : decoder_kinds()) {
        INFO(kind.name);
        const auto trainer = open(kind.config, kind.weights, all_of(kind.weights));
        CHECK(trainer->tensors().size() == kind.weights.tensors.size());
        check_gradients(*trainer, token_loss(TinyBatch({6, 6, 13, 2})));
    }
}

TEST_CASE("a teacher's logits: gradients agree, and its own model is at no distance", "[trainer]") {
    const DecoderKind kind = decoder_kinds().front();
    const auto trainer = open(kind.config, kind.weights, all_of(kind.weights));
    const TinyBatch batch({6, 13});
    const auto targets = some_targets(batch);
    const auto asked = static_cast<std::size_t>(std::count_if(targets.begin(), targets.end(), [](auto id) { return id >= 0; }));
    const std::vector<float> teacher = random_values(5, asked * kVocab, 2.0F);
    check_gradients(*trainer, token_loss(batch, teacher, 0.7F));
    check_gradients(*trainer, token_loss(batch, teacher, 1.0F));
}

TEST_CASE("what is computed again for the backward pass gives the same gradients, dropout included", "[trainer]") {
    EncoderKind kind = post_norm("bert");
    TrainerOptions options = all_of(kind.weights);
    options.dropout = 0.2F;
    ForwardOptions pass;
    pass.training = true;
    pass.seed = 9;
    const Loss loss = vector_loss(TinyBatch({3, 9, 9, 17}), 48, pass);
    const auto kept = open(kind.config, kind.weights, options);
    options.recompute_layers = true;
    const auto computed_again = open(kind.config, kind.weights, options);
    CHECK(difference(gradients(*kept, loss), gradients(*computed_again, loss)) < 1e-5F);
    pass.seed = 10;
    const double other = vector_loss(TinyBatch({3, 9, 9, 17}), 48, pass)(*kept, false);
    CHECK(other != Approx(loss(*kept, false)).epsilon(1e-6));
    CHECK(loss(*kept, false) == loss(*computed_again, false));
    pass.training = false;
    const auto plain = open(kind.config, kind.weights, all_of(kind.weights));
    const Loss quiet = vector_loss(TinyBatch({3, 9, 9, 17}), 48, pass);
    CHECK(quiet(*kept, false) == quiet(*plain, false));
}

TEST_CASE("gradients of several batches add up, and do not depend on what texts stand beside", "[trainer]") {
    const DecoderKind kind = decoder_kinds().front();
    const auto trainer = open(kind.config, kind.weights, all_of(kind.weights));
    const TinyBatch batch({7, 4, 7});
    const Loss whole = token_loss(batch);
    const auto expected = gradients(*trainer, whole);
    const std::vector<std::int32_t> targets = some_targets(batch);
    require_ok(trainer->clear_gradients());
    for (const std::size_t text : {std::size_t{2}, std::size_t{0}, std::size_t{1}}) {
        const auto first = static_cast<std::size_t>(batch.offsets[text]);
        const std::int64_t size = batch.offsets[text + 1] - batch.offsets[text];
        const std::vector<std::int64_t> offsets = {0, size};
        ForwardOptions pass;
        pass.keep = true;
        TokenLoss loss;
        const auto part = [&](const std::vector<std::int32_t>& of) {
            return std::span(of).subspan(first, static_cast<std::size_t>(size));
        };
        require_ok(trainer->token_loss({part(batch.ids), {}, offsets}, {part(targets), {}}, 1.0, pass, loss, {}));
    }
    std::vector<std::vector<float>> sum;
    for (std::size_t i = 0; i < trainer->tensors().size(); ++i) {
        sum.push_back(read(*trainer, i, TrainedPart::kGradient));
    }
    CHECK(difference(expected, sum) < 1e-4F);
}

TEST_CASE("bfloat16 trains on float32 masters, near the gradients of float32", "[trainer]") {
    // The second has heads of 32, which matrix tiles take where there are some, beside texts that are too short for them.
    EncoderConfig wide = tiny_bert_config();
    wide.hidden_size = 64;
    wide.heads = 2;
    const EncoderKind kind = post_norm("bert", GENERATE_COPY(tiny_bert_config(), wide));
    TrainerOptions options = all_of(kind.weights);
    const auto exact = open(kind.config, kind.weights, options);
    options.precision = Precision::kBFloat16;
    const auto narrow = open(kind.config, kind.weights, options);
    const Loss loss = vector_loss(TinyBatch({3, 30, 9, 97, 17, 64}), kind.config.hidden_size);
    const auto wanted = gradients(*exact, loss);
    const auto found = gradients(*narrow, loss);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        INFO(exact->tensors()[i].name);
        const double size = std::inner_product(wanted[i].begin(), wanted[i].end(), wanted[i].begin(), 0.0);
        if (size > 1e-3) {
            CHECK(cosine(wanted[i].data(), found[i].data(), wanted[i].size()) > 0.99);
        }
    }
    CHECK(read(*narrow, 0) == read(*exact, 0));
}

TEST_CASE("rounding to int8 on the way forward lets gradients pass", "[trainer]") {
    const EncoderKind kind = post_norm("bert");
    TrainerOptions options = all_of(kind.weights);
    const auto exact = open(kind.config, kind.weights, options);
    options.fake_int8 = true;
    const auto rounded = open(kind.config, kind.weights, options);
    const TinyBatch batch({3, 9, 9, 17});
    std::vector<float> plain(4 * 48), coarse(4 * 48);
    require_ok(exact->forward(batch.view(), {}, plain, {}));
    require_ok(rounded->forward(batch.view(), {}, coarse, {}));
    const std::vector<float> int8 = encode(*load(kind.config, kind.weights, Precision::kInt8), batch.view(), 48);
    CHECK(max_difference(plain, coarse) > 1e-4F);
    CHECK(max_difference(int8, coarse) < 0.5F * max_difference(int8, plain));  // it sees the errors that int8 will make
    const Loss loss = vector_loss(batch, 48);
    const auto wanted = gradients(*exact, loss);
    const auto found = gradients(*rounded, loss);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double size = std::inner_product(wanted[i].begin(), wanted[i].end(), wanted[i].begin(), 0.0);
        if (size > 1e-3) {
            INFO(exact->tensors()[i].name);
            CHECK(cosine(wanted[i].data(), found[i].data(), wanted[i].size()) > 0.98);
        }
    }
}
