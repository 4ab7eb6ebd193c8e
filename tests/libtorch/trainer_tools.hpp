// What the tests of trainers share: opening them, losses to descend, gradients beside differences of the loss, and small models
// of every kind of encoder and decoder.
#pragma once

#include <catch2/catch.hpp>

#include <cmath>
#include <functional>
#include <numeric>

#include "core/error.hpp"
#include "model/backend_training.hpp"
#include "tiny_models.hpp"

namespace rag::core::test {

inline constexpr std::int32_t kVocab = 50;

// The tensors of a file that the test trains: all of them.
inline std::vector<std::string> names(const TinyWeights& weights) {
    std::vector<std::string> out;
    for (const auto& [name, tensor] : weights.tensors) {
        out.push_back(name);
    }
    return out;
}

template <typename Config>
inline BackendStatus try_open(const Config& config, const TinyWeights& weights, TrainerOptions options,
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

inline TrainerOptions all_of(const TinyWeights& weights) {
    TrainerOptions options;
    options.precision = Precision::kFloat32;
    options.tensors = names(weights);
    return options;
}

inline void require_ok(const BackendStatus& status) {
    INFO(status.text);
    REQUIRE(status.ok());
}

inline std::size_t count(const TrainedTensor& tensor) {
    return static_cast<std::size_t>(
        std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1}, std::multiplies<>()));
}

inline std::vector<float> read(BackendTrainer& trainer, std::size_t index, TrainedPart part = TrainedPart::kValue) {
    std::vector<float> out(count(trainer.tensors()[index]));
    require_ok(trainer.read(index, part, out));
    return out;
}

inline void write(BackendTrainer& trainer, std::size_t index, const std::vector<float>& values) {
    require_ok(trainer.write(index, TrainedPart::kValue, values));
}

// Something to descend: computes the loss, and with `keep` adds its gradient.
using Loss = std::function<double(BackendTrainer&, bool keep)>;

// sum of outputs * factors over a batch, an arbitrary differentiable number.
inline Loss vector_loss(const TinyBatch& batch, std::int64_t outputs, ForwardOptions options = {}) {
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

inline std::vector<std::int32_t> some_targets(const TinyBatch& batch) {
    std::vector<std::int32_t> targets(batch.ids.size(), -1);
    for (std::size_t i = 0; i < targets.size(); ++i) {
        if (i % 3 != 1) {
            targets[i] = static_cast<std::int32_t>((i * 7 + 3) % kVocab);
        }
    }
    return targets;
}

inline Loss token_loss(const TinyBatch& batch, const std::vector<float>& teacher = {}, float weight = 0.0F) {
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

/// Moves every tensor a little along a random direction: the loss must change as the gradient says.
void check_gradients(BackendTrainer& trainer, const Loss& loss);
/// Of all trained tensors.
std::vector<std::vector<float>> gradients(BackendTrainer& trainer, const Loss& loss);
/// The largest, beside each tensor's largest number.
float difference(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b);

struct EncoderKind {
    EncoderConfig config;
    TinyWeights weights;
};

/// BERT, RoBERTa, DistilBERT or MPNet with random weights, of the sizes in `config`.
EncoderKind post_norm(const std::string& architecture, const EncoderConfig& config = tiny_bert_config());
/// One of those, or ModernBERT.
EncoderKind encoder_kind(const std::string& architecture);

struct DecoderKind {
    std::string name;
    DecoderConfig config;
    TinyWeights weights;
};

std::vector<DecoderKind> decoder_kinds();

}  // namespace rag::core::test
