// A loss over the outputs of an encoder (vectors, scores) and its way back into the gradients. Where the texts do not fit one
// pass and the loss needs all outputs together, gradients are cached (Gao, Zhang, Han and Callan 2021, "Scaling Deep Contrastive
// Learning Batch Size under Memory Limited Setup", https://arxiv.org/abs/2101.06983): outputs of all parts first, then the loss,
// then each part once more with what the loss says of it, dropping the same activations. Thread rule: the trainer's.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/backend_training.hpp"
#include "train/token_text.hpp"

namespace rag::core {

/// `outputs`: [texts, width]. Fills `gradient` of the same shape and gives the loss.
using VectorLoss = std::function<double(std::span<const float> outputs, std::span<float> gradient)>;

struct VectorPass {
    BackendTrainer& trainer;
    std::size_t width = 0;
    std::uint64_t micro_tokens = 0;  // tokens computed at once
    std::uint64_t seed = 0;          // of dropout
    std::function<bool()> stop;      // true ends the pass
};

using TextList = std::vector<const TokenText*>;

/// Adds the gradients of `loss` over all texts. Throws what the backend says, Stopped.
double train_on_vectors(const VectorPass& pass, const TextList& texts, const VectorLoss& loss);

/// The same where the loss is a sum over parts of the texts: `loss` is given the outputs of texts [first, first + count), and no
/// text is computed twice.
using PartLoss = std::function<double(std::size_t first, std::span<const float> outputs, std::span<float> gradient)>;
double train_on_parts(const VectorPass& pass, const TextList& texts, const PartLoss& loss);

/// Outputs without dropout and gradients: [texts, width].
std::vector<float> compute_vectors(const VectorPass& pass, const TextList& texts);

}  // namespace rag::core
