// How a model is trained: the part of the interface between librag.so and librag_torch.so that changes weights. The loop, data,
// batches, schedules, losses over few numbers (vectors, scores) and checkpoints are the host's (train/); the backend computes
// forward and backward passes, losses over vocabularies, and optimiser steps.
//
// Thread rule: a trainer belongs to one thread at a time; it computes on a thread of its own. After a call that failed or was
// stopped gradients are undefined until clear_gradients(), weights and moments are as before.
#pragma once

#include "model/backend.hpp"

namespace rag::core {

/// A LoRA pair (Hu et al. 2021, https://arxiv.org/abs/2106.09685) that is trained beside a frozen linear layer:
/// y = W x + scale * B (A x). Its tensors are MODULE.lora_A.weight [rank, inputs] and MODULE.lora_B.weight [outputs, rank]; both
/// are zero until they are written.
struct TrainedPair {
    std::string module;  // a Hugging Face name without ".weight"
    std::int64_t rank = 0;
    float scale = 1.0F;
};

/// The head of an encoder that fills in tokens: logits = E norm(activation(D x + d)) + bias, E being the table of words.
struct TokenHead {
    std::string dense;  // module; empty: the model has no such head
    std::string norm;   // module
    std::string bias;   // tensor, [vocab]
    Activation activation = Activation::kGelu;
};

struct TrainerOptions {
    /// kFloat32, or kBFloat16: products in bfloat16 over float32 masters; norms, sums, losses and the optimiser in float32. kInt8
    /// and kInt4: so the frozen weights lie in memory (QLoRA, Dettmers et al. 2023, https://arxiv.org/abs/2305.14314), products
    /// in bfloat16; nothing but pairs and heads is trained then.
    Precision precision = Precision::kBFloat16;
    std::string device = "cpu";
    std::uint32_t threads = 0;
    std::vector<TrainedPair> pairs;
    std::vector<std::string> tensors;  // trained themselves, by name; every other tensor is frozen
    float dropout = 0.0F;              // of embeddings and of what a block adds
    float pair_dropout = 0.0F;         // of a pair's inputs
    /// Activations within a layer are computed again for the backward pass instead of being kept (Chen et al. 2016,
    /// https://arxiv.org/abs/1604.06174).
    bool recompute_layers = false;
    /// Weights by channel and inputs by row are rounded to int8 on the way forward, gradients pass as if they were not
    /// (straight-through estimator, Jacob et al. 2017, https://arxiv.org/abs/1712.05877).
    bool fake_int8 = false;
    TokenHead token_head;  // of encoders
};

/// A tensor that is trained. Tensors of one dimension (biases, norms) do not decay.
struct TrainedTensor {
    std::string name;
    std::vector<std::int64_t> shape;
};
enum class TrainedPart : std::uint32_t { kValue, kFirstMoment, kSecondMoment, kGradient };

struct ForwardOptions {
    bool training = false;   // dropout
    bool keep = false;       // what backward() needs is kept, instead of what an earlier pass kept
    std::uint64_t seed = 0;  // of dropout: the same seed and batch drop the same
};

/// What tokens should be. For a decoder target i is the token behind id i, for an encoder the token in its place.
struct TokenTargets {
    std::span<const std::int32_t> targets;  // one an id; below 0: not asked
    /// Logits of a teacher for the positions that are asked, [asked, vocab]; empty: none. Then the loss of a position is
    /// (1 - teacher_weight) * cross entropy + teacher_weight * temperature^2 * KL(teacher || student), both softened by
    /// temperature (Hinton et al. 2015, https://arxiv.org/abs/1503.02531).
    std::span<const float> teacher;
    float temperature = 1.0F, teacher_weight = 0.0F;
};
struct TokenLoss {
    double cross_entropy = 0.0;  // summed over the positions asked, nats
    double teacher = 0.0;        // likewise temperature^2 * KL
    std::int64_t count = 0;      // positions asked
    std::int64_t right = 0;      // of those where the target has the highest logit
};

/// AdamW (Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101), as torch.optim.AdamW computes it.
struct OptimizerStep {
    std::int64_t number = 1;  // from 1: corrects the moments' bias
    double learning_rate = 0.0, weight_decay = 0.0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double max_gradient_norm = 0.0;  // above 0: gradients are scaled so that all together have at most this norm
};

class BackendTrainer {
  public:
    virtual ~BackendTrainer() = default;
    virtual std::vector<TrainedTensor> tensors() const = 0;
    /// Of tensors()[index], float32, row-major; moments are zero before the first step.
    virtual BackendStatus read(std::size_t index, TrainedPart part, std::span<float> out) noexcept = 0;
    virtual BackendStatus write(std::size_t index, TrainedPart part, std::span<const float> values) noexcept = 0;
    /// Bytes of weights, masters and moments.
    virtual std::uint64_t state_bytes() const noexcept = 0;

    /// Encoders. `out`: [texts, outputs()], as BackendEncoder::encode.
    virtual BackendStatus forward(const TokenBatch& batch, const ForwardOptions& options, std::span<float> out,
                                  const HostCall& call) noexcept = 0;
    /// Adds to the gradients what `gradient` (of the loss by the last kept pass' `out`, of the same shape) makes of them, and
    /// forgets the pass. kInvalidState when none is kept.
    virtual BackendStatus backward(std::span<const float> gradient, const HostCall& call) noexcept = 0;

    /// Decoders, and encoders with a token head: the loss over tokens. With options.keep it adds the gradient of scale * (summed
    /// loss) to the gradients; the logits of all positions together never lie in memory.
    virtual BackendStatus token_loss(const TokenBatch& batch, const TokenTargets& targets, double scale,
                                     const ForwardOptions& options, TokenLoss& loss, const HostCall& call) noexcept = 0;

    virtual BackendStatus clear_gradients() noexcept = 0;
    /// One step with the gradients gathered, which are cleared. `gradient_norm`: of all gradients, before scaling; where it is
    /// not finite nothing is changed.
    virtual BackendStatus step(const OptimizerStep& step, double& gradient_norm) noexcept = 0;
};

}  // namespace rag::core
