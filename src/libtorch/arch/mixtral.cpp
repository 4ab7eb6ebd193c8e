// Mixtral: Mistral's attention, a mixture of experts in every layer under names of its own (w1 is the gate, w3 up, w2 down).
#include "libtorch/arch/arch.hpp"

namespace rag::core::libtorch {

DecoderParts mixtral_parts(const DecoderConfig&) {
    DecoderParts parts;
    parts.experts = {"block_sparse_moe.gate", "block_sparse_moe.experts.{}.w1", "block_sparse_moe.experts.{}.w3",
                     "block_sparse_moe.experts.{}.w2"};
    return parts;
}

}  // namespace rag::core::libtorch
