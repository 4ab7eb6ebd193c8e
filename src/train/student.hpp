// A smaller encoder made of some layers of a larger one: where a student begins (Sanh et al. 2019, "DistilBERT",
// https://arxiv.org/abs/1910.01108). Pure functions.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "model/encoder_files.hpp"

namespace rag::core {

/// Keeps these layers, numbered anew in their order; embeddings, pooling and modules stay. Throws kInvalidArgument (a layer that
/// the model does not have, or twice), kUnsupported for ModernBERT, whose layers differ by their number.
void keep_layers(EncoderFiles& files, std::span<const std::int64_t> layers);

/// Writes the number of layers into a config.json that was copied from the larger model.
void describe_layers(const std::filesystem::path& config, std::int64_t layers);

}  // namespace rag::core
