#include "trainer_tools.hpp"

namespace rag::core::test {

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

EncoderKind post_norm(const std::string& architecture, const EncoderConfig& config) {
    EncoderKind kind{config, {}};
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

namespace {

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

}  // namespace

EncoderKind encoder_kind(const std::string& architecture) {
    return architecture == "modernbert" ? modernbert() : post_norm(architecture);
}

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

}  // namespace rag::core::test
