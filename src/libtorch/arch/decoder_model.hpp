// A decoder as the backend's interface wants it: the body, an output layer that is tied to the embedding or its own, sessions,
// and steps over several sequences at once. Long inputs go through the layers in chunks; a sequence grows only when its whole
// part of a call has succeeded. Thread rule: any thread; calls end up on the model's worker one after another.
#pragma once

#include "libtorch/arch/decoder_body.hpp"

namespace rag::core::libtorch {

/// What every architecture's load function does with its parts.
BackendStatus load_decoder_model(const DecoderConfig& config, const DecoderParts& parts, const Weights& weights,
                                 const BackendOptions& options, std::unique_ptr<BackendDecoder>& out) noexcept;

}  // namespace rag::core::libtorch
