// What a method trains: LoRA pairs on the layers that target_modules names, or the model's own tensors less the frozen ones.
// Pure functions.
#pragma once

#include <string>
#include <vector>

#include "model/backend_training.hpp"
#include "model/weights.hpp"
#include "train/config.hpp"

namespace rag::core {

/// Pairs for config.target_modules: a layer is meant by its name or by the last parts of it, as PEFT decides; "all-linear" means
/// all but output layers, routers and `heads`; without targets queries and values are. Throws kInvalidArgument naming a target
/// that no layer has.
std::vector<TrainedPair> choose_pairs(const LinearShapes& layers, const std::vector<std::string>& heads,
                                      const TrainerConfig& config);

/// Tensors of method full, in the weights' order: all but embeddings (freeze_embeddings) and the first freeze_layers layers.
/// Throws kInvalidArgument when nothing is left.
std::vector<std::string> choose_full(const Weights& weights, const TrainerConfig& config);

/// What adapter_config.json calls the targets of `pairs`: the names that were asked for, or each layer's own for "all-linear".
std::vector<std::string> target_names(const std::vector<TrainedPair>& pairs, const TrainerConfig& config);

/// alpha / r, or alpha / sqrt(r) (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732).
float pair_scale(const TrainerConfig& config);

}  // namespace rag::core
