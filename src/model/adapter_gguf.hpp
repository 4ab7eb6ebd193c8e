// LoRA adapters in GGUF, as llama.cpp's convert_lora_to_gguf.py writes them: general.type "adapter", adapter.type "lora", and two
// tensors a layer (blk.0.attn_q.weight.lora_a and .lora_b). They come out under Hugging Face's names, so that they fit a model
// from either kind of file. Untrusted; stateless, any thread.
#pragma once

#include "formats/gguf.hpp"
#include "model/backend.hpp"
#include "model/weights.hpp"

namespace rag::core {

/// Throws kUnsupported (another kind of file or architecture, a tensor that belongs to no linear layer of the model, by name) and
/// kCorrupt (half a pair, shapes that do not fit). `config` and `layers` are the model's.
AdapterWeights read_gguf_adapter(const std::shared_ptr<const GgufFile>& file, const DecoderConfig& config,
                                 const LinearShapes& layers);

}  // namespace rag::core
