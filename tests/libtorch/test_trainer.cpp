// Training through the backend's interface: a trainer computes what the model it trains computes; frozen tensors stay; steps do
// what AdamW says; what is wrong is an error. Gradients: test_trainer_gradients.cpp; parity with transformers and peft:
// tests/python/test_training_parity.py.
#include <catch2/catch.hpp>

#include <limits>

#include "trainer_tools.hpp"

using namespace rag::core;
using namespace rag::core::test;
using Catch::Matchers::Contains;

TEST_CASE("a trainer of an encoder computes what the encoder computes", "[trainer]") {
    for (const char* architecture : {"bert", "roberta", "distilbert", "mpnet", "modernbert"}) {
        INFO(architecture);
        const EncoderKind kind = encoder_kind(architecture);
        const TinyBatch batch({3, 9, 9, 17, 1});
        const auto trainer = open(kind.config, kind.weights, all_of(kind.weights));
        std::vector<float> out(5 * 48);
        require_ok(trainer->forward(batch.view(), {}, out, {}));
        const auto encoder = load(kind.config, kind.weights, Precision::kFloat32);
        CHECK(max_difference(out, encode(*encoder, batch.view(), 48)) < 1e-5F);
    }
}

TEST_CASE("a decoder's token loss is that of its logits", "[trainer]") {
    for (const DecoderKind& kind : decoder_kinds()) {
        INFO(kind.name);
        const auto trainer = open(kind.config, kind.weights, all_of(kind.weights));
        const TinyBatch batch({6, 13});
        const double loss = token_loss(batch)(*trainer, false);
        const auto decoder = load(kind.config, kind.weights, Precision::kFloat32);
        const std::vector<std::int32_t> targets = some_targets(batch);
        double expected = 0.0;
        for (std::size_t text = 0; text + 1 < batch.offsets.size(); ++text) {
            const auto first = static_cast<std::size_t>(batch.offsets[text]);
            const auto size = static_cast<std::size_t>(batch.offsets[text + 1]) - first;
            std::unique_ptr<BackendSession> session;
            require_ok(decoder->new_session(session));
            std::vector<float> logits(size * kVocab);
            require_ok(forward(*decoder, *session, std::span(batch.ids).subspan(first, size), logits));
            for (std::size_t i = 0; i < size; ++i) {
                if (targets[first + i] < 0) {
                    continue;
                }
                const float* row = logits.data() + i * kVocab;
                const double largest = *std::max_element(row, row + kVocab);
                double total = 0.0;
                for (std::int32_t k = 0; k < kVocab; ++k) {
                    total += std::exp(static_cast<double>(row[k]) - largest);
                }
                expected += largest + std::log(total) - static_cast<double>(row[targets[first + i]]);
            }
        }
        CHECK(loss == Approx(expected).epsilon(1e-5));
    }
}

TEST_CASE("an encoder's head fills in tokens", "[trainer]") {
    EncoderKind kind = post_norm("bert");
    kind.weights.add("cls.predictions.transform.dense.weight", {48, 48}, 0.14F);
    kind.weights.add("cls.predictions.transform.dense.bias", {48}, 0.1F);
    kind.weights.add("cls.predictions.transform.LayerNorm.weight", {48}, 0.1F, 1.0F);
    kind.weights.add("cls.predictions.transform.LayerNorm.bias", {48}, 0.1F);
    kind.weights.add("cls.predictions.bias", {50}, 0.1F);
    TrainerOptions options = all_of(kind.weights);
    options.token_head = {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias",
                          Activation::kGelu};
    const auto trainer = open(kind.config, kind.weights, options);
    check_gradients(*trainer, token_loss(TinyBatch({6, 13, 6})));
}

TEST_CASE("pairs are trained beside a frozen base, in every form that it is kept in", "[trainer]") {
    const DecoderKind kind = decoder_kinds().front();
    for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16, Precision::kInt8, Precision::kInt4}) {
        INFO(static_cast<int>(precision));
        TrainerOptions options;
        options.precision = precision;
        options.pairs = {{"model.layers.0.self_attn.q_proj", 4, 2.0F}, {"model.layers.1.mlp.down_proj", 3, 0.5F}};
        const auto trainer = open(kind.config, kind.weights, options);
        const auto tensors = trainer->tensors();
        REQUIRE(tensors.size() == 4);
        CHECK(tensors[0].name == "model.layers.0.self_attn.q_proj.lora_A.weight");
        CHECK(tensors[0].shape == std::vector<std::int64_t>{4, 64});
        CHECK(tensors[1].shape == std::vector<std::int64_t>{64, 4});
        const Loss loss = token_loss(TinyBatch({6, 13}));
        const double before = loss(*trainer, false);
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            CHECK(read(*trainer, i) == std::vector<float>(count(tensors[i]), 0.0F));
            write(*trainer, i, random_values(i, count(tensors[i]), 0.2F));
        }
        if (precision == Precision::kFloat32) {
            check_gradients(*trainer, loss);
        }
        for (std::int64_t step = 1; step <= 30; ++step) {
            static_cast<void>(loss(*trainer, true));
            double norm = 0.0;
            OptimizerStep rule;
            rule.number = step;
            rule.learning_rate = 0.02;
            require_ok(trainer->step(rule, norm));
            CHECK(norm > 0.0);
        }
        CHECK(loss(*trainer, false) < before);
    }
}

TEST_CASE("a step is AdamW's, with clipping and without decay of vectors", "[trainer]") {
    const EncoderKind kind = post_norm("bert");
    TrainerOptions options;
    options.precision = Precision::kFloat32;
    options.tensors = {"encoder.layer.0.output.dense.weight", "encoder.layer.0.output.dense.bias"};
    const auto trainer = open(kind.config, kind.weights, options);
    REQUIRE(trainer->tensors().size() == 2);
    const Loss loss = vector_loss(TinyBatch({3, 9}), 48);
    OptimizerStep rule;
    rule.learning_rate = 0.01;
    rule.weight_decay = 0.1;
    rule.beta1 = 0.8;
    rule.beta2 = 0.9;
    rule.max_gradient_norm = 0.5;
    std::vector<std::vector<double>> value(2), first(2), second(2);
    for (std::size_t i = 0; i < 2; ++i) {
        const auto now = read(*trainer, i);
        value[i].assign(now.begin(), now.end());
        first[i].assign(now.size(), 0.0);
        second[i].assign(now.size(), 0.0);
    }
    for (rule.number = 1; rule.number <= 3; ++rule.number) {
        const auto gradient = gradients(*trainer, loss);
        double squares = 0.0;
        for (const auto& one : gradient) {
            squares += std::inner_product(one.begin(), one.end(), one.begin(), 0.0);
        }
        double norm = 0.0;
        require_ok(trainer->step(rule, norm));
        CHECK(norm == Approx(std::sqrt(squares)).epsilon(1e-5));
        const double factor = std::min(1.0, 0.5 / (norm + 1e-6));
        for (std::size_t i = 0; i < 2; ++i) {
            const double decay = i == 0 || trainer->tensors()[i].shape.size() > 1 ? rule.weight_decay : 0.0;
            const auto now = read(*trainer, i);
            double worst = 0.0;
            for (std::size_t k = 0; k < now.size(); ++k) {
                const double g = factor * static_cast<double>(gradient[i][k]);
                first[i][k] = rule.beta1 * first[i][k] + (1.0 - rule.beta1) * g;
                second[i][k] = rule.beta2 * second[i][k] + (1.0 - rule.beta2) * g * g;
                const double corrected = first[i][k] / (1.0 - std::pow(rule.beta1, static_cast<double>(rule.number)));
                const double spread = second[i][k] / (1.0 - std::pow(rule.beta2, static_cast<double>(rule.number)));
                value[i][k] *= 1.0 - rule.learning_rate * decay;
                value[i][k] -= rule.learning_rate * corrected / (std::sqrt(spread) + rule.epsilon);
                worst = std::max(worst, std::abs(value[i][k] - static_cast<double>(now[k])));
            }
            INFO(trainer->tensors()[i].name << " step " << rule.number);
            CHECK(worst < 1e-5);
        }
    }
    const auto moment = read(*trainer, 0, TrainedPart::kFirstMoment);
    CHECK(std::abs(static_cast<double>(moment[3]) - first[0][3]) < 1e-5);
}

TEST_CASE("what a trainer refuses, it names; nothing changes", "[trainer]") {
    const EncoderKind kind = post_norm("bert");
    std::unique_ptr<BackendTrainer> out;
    const auto refused = [&](const TrainerOptions& options) { return try_open(kind.config, kind.weights, options, out).text; };
    TrainerOptions options;
    CHECK_THAT(refused(options), Contains("nothing"));
    options.tensors = {"encoder.layer.7.output.dense.weight"};
    CHECK_THAT(refused(options), Contains("encoder.layer.7.output.dense.weight"));
    options.tensors = {"embeddings.LayerNorm.bias", "embeddings.LayerNorm.bias"};
    CHECK_THAT(refused(options), Contains("twice"));
    options.tensors = {};
    options.pairs = {{"encoder.layer.9.output.dense", 4, 1.0F}};
    CHECK_THAT(refused(options), Contains("encoder.layer.9.output.dense"));
    options.pairs = {{"encoder.layer.0.output.dense", 0, 1.0F}};
    CHECK_THAT(refused(options), Contains("rank 0"));
    options.pairs = {{"encoder.layer.0.output.dense", 4, 1.0F}};
    options.dropout = 1.0F;
    CHECK_THAT(refused(options), Contains("dropout 1"));
    options.dropout = 0.0F;
    options.precision = Precision::kFloat16;
    CHECK_THAT(refused(options), Contains("float16"));
    options.precision = Precision::kFloat32;
    CHECK(out == nullptr);
    EncoderConfig other = kind.config;
    other.architecture = "gpt7";
    CHECK_THAT(try_open(other, kind.weights, options, out).text, Contains("gpt7"));

    const auto trainer = open(kind.config, kind.weights, options);
    const TinyBatch batch({3, 9});
    std::vector<float> vectors(2 * 48);
    TokenLoss loss;
    const std::vector<float> gradient(2 * 48, 1.0F);
    CHECK_THAT(trainer->backward(gradient, {}).text, Contains("forward"));
    CHECK_THAT(trainer->forward(batch.view(), {}, std::span(vectors).first(5), {}).text, Contains("96"));
    std::vector<std::int32_t> bad_ids = batch.ids;
    bad_ids[4] = 50;
    CHECK_THAT(trainer->forward({bad_ids, {}, batch.offsets}, {}, vectors, {}).text, Contains("50"));
    const std::vector<std::int32_t> targets(batch.ids.size(), 3);
    CHECK_THAT(trainer->token_loss(batch.view(), {targets, {}}, 1.0, {}, loss, {}).text, Contains("head"));
    ForwardOptions keep;
    keep.keep = true;
    require_ok(trainer->forward(batch.view(), keep, vectors, {}));
    CHECK_THAT(trainer->backward(std::span(gradient).first(7), {}).text, Contains("7"));
    const HostCall stop{[](void*) { return true; }, nullptr};
    CHECK(trainer->forward(batch.view(), keep, vectors, stop).code == 1);
    CHECK_THAT(trainer->read(99, TrainedPart::kValue, vectors).text, Contains("99"));
    CHECK_THAT(trainer->write(0, TrainedPart::kGradient, std::vector<float>(192)).text, Contains("gradients"));

    // A gradient that is no number changes nothing.
    const auto before = read(*trainer, 1);
    require_ok(trainer->clear_gradients());
    require_ok(trainer->forward(batch.view(), keep, vectors, {}));
    require_ok(trainer->backward(std::vector<float>(96, std::numeric_limits<float>::infinity()), {}));
    double norm = 0.0;
    require_ok(trainer->step({}, norm));
    CHECK_FALSE(std::isfinite(norm));
    CHECK(read(*trainer, 1) == before);
}
