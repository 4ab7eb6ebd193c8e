// Rotary frequencies from what a model's files say about them: unscaled (Su et al. 2021, https://arxiv.org/abs/2104.09864),
// "linear" (Chen et al. 2023, https://arxiv.org/abs/2306.15595), "dynamic" (NTK-aware, by length), "llama3" (Llama 3.1's report)
// and "yarn" (Peng et al. 2023, https://arxiv.org/abs/2309.00071), each as transformers computes it. Pure functions, any thread.
#pragma once

#include <string>

#include "formats/decoder_folder.hpp"
#include "model/backend.hpp"

namespace rag::core {

struct RotarySizes {
    std::int64_t head_dim = 0;
    std::int64_t max_positions = 0;  // of the configuration, before any scaling
    double default_theta = 10000.0;  // of the family
};

/// Throws kUnsupported (a kind of scaling, or rotation of a part of the head) and kCorrupt (a number is missing, or they give
/// frequencies that are none), naming `source` and the values.
RotaryConfig make_rotary(const RopeFields& rope, const RotarySizes& sizes, const std::string& source);

/// How long a sequence such a scaling is meant for: "linear" and "dynamic" stretch max_positions by the factor, "yarn" the
/// original context. At most 2^24.
std::int64_t scaled_context(const RopeFields& rope, std::int64_t max_positions);

}  // namespace rag::core
