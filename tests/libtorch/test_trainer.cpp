// Training through the backend's interface: a trainer computes what the model it trains computes; every trained tensor's gradient
// agrees with differences of the loss; layers computed again, texts in another order and several batches give the same gradients;
// frozen tensors stay; steps do what AdamW says; what is wrong is an error. Parity with transformers and peft:
// tests/python/test_training_parity.py.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "model/backend_training.hpp"
#include "tiny_models.hpp"

using namespace rag::core;
using namespace rag::core::test;
using Catch::Matchers::Contains;

namespace {

constexpr std::int32_t kVocab = 50;

// The tensors of a file that the test trains: all of them.
std::vector<std::string> names(const TinyWeights& weights) {
    std::vector<std::string> out;
    for (const auto& [name, tensor] : weights.tensors) {
        out.push_back(name);
    }
    return out;
}

template <typename Config>
BackendStatus try_open(const Config& config, const TinyWeights& weights, TrainerOptions options,
                       std::unique_ptr<BackendTrainer>& out) {
    options.threads = 2;
    if constexpr (std::is_same_v<Config, EncoderConfig>) {
        return backend().train_encoder(config, weights.to_weights(), options, out);
    } else {
        return backend().train_decoder(config, weights.to_weights(), options, out);
    }
}

template <typename Config>
std::unique_ptr<BackendTrainer> open(const Config& config, const TinyWeights& weights, const TrainerOptions& options) {
    std::unique_ptr<BackendTrainer> out;
    const BackendStatus status = try_open(config, weights, options, out);
    INFO(status.text);
    REQUIRE(status.ok());
    return out;
}

TrainerOptions all_of(const TinyWeights& weights) {
    TrainerOptions options;
    options.precision = Precision::kFloat32;
    options.tensors = names(weights);
    return options;
}

void require_ok(const BackendStatus& status) {
    INFO(status.text);
    REQUIRE(status.ok());
}

std::size_t count(const TrainedTensor& tensor) {
    return static_cast<std::size_t>(
        std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1}, std::multiplies<>()));
}

std::vector<float> read(BackendTrainer& trainer, std::size_t index, TrainedPart part = TrainedPart::kValue) {
    std::vector<float> out(count(trainer.tensors()[index]));
    require_ok(trainer.read(index, part, out));
    return out;
}

void write(BackendTrainer& trainer, std::size_t index, const std::vector<float>& values) {
    require_ok(trainer.write(index, TrainedPart::kValue, values));
}

// Something to descend: computes the loss, and with `keep` adds its gradient.
using Loss = std::function<double(BackendTrainer&, bool keep)>;

// sum of outputs * factors over a batch, an arbitrary differentiable number.
Loss vector_loss(const TinyBatch& batch, std::int64_t outputs, ForwardOptions options = {}) {
    const std::size_t size = (batch.offsets.size() - 1) * static_cast<std::size_t>(outputs);
    return [batch, factors = random_values(77, size), options](BackendTrainer& trainer, bool keep) {
        ForwardOptions pass = options;
        pass.keep = keep;
        std::vector<float> out(factors.size());
        require_ok(trainer.forward(batch.view(), pass, out, {}));
        if (keep) {
            require_ok(trainer.backward(factors, {}));
        }
        return std::inner_product(out.begin(), out.end(), factors.begin(), 0.0);
    };
}

std::vector<std::int32_t> some_targets(const TinyBatch& batch) {
    std::vector<std::int32_t> targets(batch.ids.size(), -1);
    for (std::size_t i = 0; i < targets.size(); ++i) {
        if (i % 3 != 1) {
            targets[i] = static_cast<std::int32_t>((i * 7 + 3) % kVocab);
        }
    }
    return targets;
}

Loss token_loss(const TinyBatch& batch, const std::vector<float>& teacher = {}, float weight = 0.0F) {
    return [batch, targets = some_targets(batch), teacher, weight](BackendTrainer& trainer, bool keep) {
        ForwardOptions pass;
        pass.keep = keep;
        TokenLoss loss;
        TokenTargets wanted{targets, teacher, teacher.empty() ? 1.0F : 2.0F, weight};
        require_ok(trainer.token_loss(batch.view(), wanted, 1.0, pass, loss, {}));
        const double hard = teacher.empty() ? 1.0 : 1.0 - static_cast<double>(weight);
        return hard * loss.cross_entropy + static_cast<double>(weight) * loss.teacher;
    };
}

// Moves every tensor a little along a random direction: the loss must change as the gradient says.
void check_gradients(BackendTrainer& trainer, const Loss& loss) {
    require_ok(trainer.clear_gradients());
    static_cast<void>(loss(trainer, true));
    const std::vector<TrainedTensor> tensors = trainer.tensors();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const std::vector<float> gradient = read(trainer, i, TrainedPart::kGradient);
        const std::vector<float> before = read(trainer, i);
        const std::vector<float> direction = random_values(1000 + i, before.size());
        const double length = std::sqrt(std::inner_product(direction.begin(), direction.end(), direction.begin(), 0.0));
        const double slope = std::inner_product(gradient.begin(), gradient.end(), direction.begin(), 0.0) / length;
        // Two distances: their difference tells how exact the numbers are.
        const auto difference = [&](double step) {
            const auto moved = [&](double by) {
                std::vector<float> values = before;
                for (std::size_t k = 0; k < values.size(); ++k) {
                    values[k] += static_cast<float>(by / length) * direction[k];
                }
                write(trainer, i, values);
                return loss(trainer, false);
            };
            const double up = moved(step);
            return (up - moved(-step)) / (2.0 * step);
        };
        const double near = difference(0.01);
        const double far = difference(0.02);
        write(trainer, i, before);
        const double size = std::sqrt(std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0) /
                                      static_cast<double>(gradient.size()));
        INFO(tensors[i].name << ": gradient " << slope << ", differences " << near << " and " << far << ", typical " << size);
        CHECK(std::abs(slope - near) <= 0.02 * std::abs(near) + 2.0 * std::abs(near - far) + 0.03 * size + 2e-3);
        const bool moves = std::any_of(gradient.begin(), gradient.end(), [](float g) { return g != 0.0F; });
        // Keys' biases move every score of a query alike, which softmax takes out again.
        const bool without_effect = tensors[i].name.find("key.bias") != std::string::npos ||
                                    tensors[i].name.find("k_lin.bias") != std::string::npos ||
                                    tensors[i].name.find("attn.k.bias") != std::string::npos;
        CHECK((moves || without_effect));
    }
}

std::vector<std::vector<float>> gradients(BackendTrainer& trainer, const Loss& loss) {
    require_ok(trainer.clear_gradients());
    static_cast<void>(loss(trainer, true));
    std::vector<std::vector<float>> out;
    for (std::size_t i = 0; i < trainer.tensors().size(); ++i) {
        out.push_back(read(trainer, i, TrainedPart::kGradient));
    }
    return out;
}

float difference(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
    REQUIRE(a.size() == b.size());
    float worst = 0.0F;
    for (std::size_t i = 0; i < a.size(); ++i) {
        float range = 1e-3F;
        for (const float value : a[i]) {
            range = std::max(range, std::abs(value));
        }
        worst = std::max(worst, max_difference(a[i], b[i]) / range);
    }
    return worst;
}

struct EncoderKind {
    EncoderConfig config;
    TinyWeights weights;
};

EncoderKind post_norm(const std::string& architecture) {
    EncoderKind kind{tiny_bert_config(), {}};
    kind.config.architecture = architecture;
    const bool bert = architecture == "bert" || architecture == "roberta";
    const bool behind = architecture == "roberta" || architecture == "mpnet";
    kind.config.padding_id = behind ? 1 : 0;
    kind.config.type_vocab_size = architecture == "bert" ? 2 : architecture == "roberta" ? 1 : 0;
    kind.config.relative_buckets = architecture == "mpnet" ? 8 : 0;
    const std::int64_t hidden = kind.config.hidden_size;
    const std::int64_t inner = kind.config.intermediate_size;
    TinyWeights& w = kind.weights;
    const auto linear = [&](const std::string& name, std::int64_t rows, std::int64_t inputs) {
        w.add(name + ".weight", {rows, inputs}, 1.0F / std::sqrt(static_cast<float>(inputs)));
        w.add(name + ".bias", {rows}, 0.1F);
    };
    const auto norm = [&](const std::string& name) {
        w.add(name + ".weight", {hidden}, 0.1F, 1.0F);
        w.add(name + ".bias", {hidden}, 0.1F);
    };
    w.add("embeddings.word_embeddings.weight", {kind.config.vocab_size, hidden}, 1.0F);
    w.add("embeddings.position_embeddings.weight", {kind.config.max_positions + (behind ? 2 : 0), hidden}, 0.3F);
    if (kind.config.type_vocab_size > 0) {
        w.add("embeddings.token_type_embeddings.weight", {kind.config.type_vocab_size, hidden}, 0.3F);
    }
    if (architecture == "mpnet") {
        w.add("encoder.relative_attention_bias.weight", {8, kind.config.heads}, 0.5F);
    }
    norm("embeddings.LayerNorm");
    for (std::int64_t i = 0; i < kind.config.layers; ++i) {
        const std::string number = std::to_string(i) + ".";
        const std::string prefix = architecture == "distilbert" ? "transformer.layer." + number : "encoder.layer." + number;
        const std::vector<std::string> names =
            bert ? std::vector<std::string>{"attention.self.query",
                                            "attention.self.key",
                                            "attention.self.value",
                                            "attention.output.dense",
                                            "attention.output.LayerNorm",
                                            "intermediate.dense",
                                            "output.dense",
                                            "output.LayerNorm"}
            : architecture == "mpnet"
                ? std::vector<std::string>{"attention.attn.q",    "attention.attn.k",   "attention.attn.v", "attention.attn.o",
                                           "attention.LayerNorm", "intermediate.dense", "output.dense",     "output.LayerNorm"}
                : std::vector<std::string>{"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
                                           "sa_layer_norm",   "ffn.lin1",        "ffn.lin2",        "output_layer_norm"};
        for (int part = 0; part < 4; ++part) {
            linear(prefix + names[static_cast<std::size_t>(part)], hidden, hidden);
        }
        norm(prefix + names[4]);
        linear(prefix + names[5], inner, hidden);
        linear(prefix + names[6], hidden, inner);
        norm(prefix + names[7]);
    }
    return kind;
}

EncoderKind modernbert() {
    EncoderKind kind{tiny_bert_config(), {}};
    EncoderConfig& config = kind.config;
    config.architecture = "modernbert";
    config.type_vocab_size = 0;
    config.layers = 3;
    config.global_layers = {true, false, true};
    config.local_reach = 4;
    config.global_theta = 1000.0;
    config.local_theta = 100.0;
    config.attention_bias = config.mlp_bias = config.norm_bias = false;
    TinyWeights& w = kind.weights;
    w.add("embeddings.tok_embeddings.weight", {config.vocab_size, 48}, 1.0F);
    w.add("embeddings.norm.weight", {48}, 0.1F, 1.0F);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string prefix = "layers." + std::to_string(i) + ".";
        if (i > 0) {
            w.add(prefix + "attn_norm.weight", {48}, 0.1F, 1.0F);
        }
        w.add(prefix + "attn.Wqkv.weight", {144, 48}, 0.14F);
        w.add(prefix + "attn.Wo.weight", {48, 48}, 0.14F);
        w.add(prefix + "mlp_norm.weight", {48}, 0.1F, 1.0F);
        w.add(prefix + "mlp.Wi.weight", {200, 48}, 0.14F);
        w.add(prefix + "mlp.Wo.weight", {48, 100}, 0.1F);
    }
    w.add("final_norm.weight", {48}, 0.1F, 1.0F);
    return kind;
}

EncoderKind encoder_kind(const std::string& architecture) {
    return architecture == "modernbert" ? modernbert() : post_norm(architecture);
}

struct DecoderKind {
    std::string name;
    DecoderConfig config;
    TinyWeights weights;
};

std::vector<DecoderKind> decoder_kinds() {
    std::vector<DecoderKind> kinds;
    kinds.push_back({"llama", tiny_llama_config(), tiny_llama()});
    kinds.push_back({"windowed", tiny_llama_config(), tiny_llama()});
    kinds.back().config.architecture = "mistral";
    kinds.back().config.window = 5;
    kinds.back().config.windowed = {1, 0};
    kinds.push_back({"gemma", tiny_llama_config(), tiny_llama()});
    DecoderConfig& gemma = kinds.back().config;
    gemma.architecture = "gemma2";
    gemma.window = 7;
    gemma.windowed = {0, 1};
    gemma.attention_softcap = 3.0F;
    gemma.logit_softcap = 20.0F;
    gemma.local_rotary.frequencies = plain_frequencies(16, 100.0);
    gemma.unit_offset_norms = true;
    kinds.push_back({"experts", tiny_llama_config(), tiny_llama()});
    DecoderConfig& experts = kinds.back().config;
    experts.architecture = "qwen3_moe";
    experts.experts = 4;
    experts.experts_per_token = 2;
    experts.expert_size = 40;
    experts.normalize_experts = true;
    experts.sparse = {0, 1};
    for (const char* layer : {"model.layers.0.", "model.layers.1."}) {
        kinds[2].weights.add(std::string(layer) + "pre_feedforward_layernorm.weight", {64}, 0.2F);
        kinds[2].weights.add(std::string(layer) + "post_feedforward_layernorm.weight", {64}, 0.2F);
        for (const char* norm : {"self_attn.q_norm.weight", "self_attn.k_norm.weight"}) {
            kinds[3].weights.add(std::string(layer) + norm, {16}, 0.2F, 1.0F);
        }
    }
    TinyWeights& w = kinds[3].weights;
    w.add("model.layers.1.mlp.gate.weight", {4, 64}, 0.3F);
    for (int expert = 0; expert < 4; ++expert) {
        const std::string prefix = "model.layers.1.mlp.experts." + std::to_string(expert) + ".";
        w.add(prefix + "gate_proj.weight", {40, 64}, 0.15F);
        w.add(prefix + "up_proj.weight", {40, 64}, 0.15F);
        w.add(prefix + "down_proj.weight", {64, 40}, 0.15F);
    }
    for (const char* unused : {"gate_proj.weight", "up_proj.weight", "down_proj.weight"}) {
        w.tensors.erase(std::string("model.layers.1.mlp.") + unused);
    }
    return kinds;
}

}  // namespace

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
    const EncoderKind kind = post_norm("bert");
    TrainerOptions options = all_of(kind.weights);
    const auto exact = open(kind.config, kind.weights, options);
    options.precision = Precision::kBFloat16;
    const auto narrow = open(kind.config, kind.weights, options);
    const Loss loss = vector_loss(TinyBatch({3, 9, 9, 17}), 48);
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
