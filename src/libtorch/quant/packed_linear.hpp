// The weights of one linear layer in the form that a precision computes with. Several layers that read the same input (q, k, v;
// gate, up) are packed as parts of one. Immutable, so that a merged adapter can replace it and the base come back untouched.
// Thread rule: immutable; run() on the model's worker.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

class PackedLinear {
  public:
    virtual ~PackedLinear() = default;

    /// out = x * W^T + bias. x: [rows, in], out: [rows, sum of parts], float32, rows contiguous.
    virtual void run(const at::Tensor& x, at::Tensor& out) const = 0;

    /// Bytes held or mapped, biases included.
    virtual std::uint64_t size_bytes() const = 0;
};

/// What is packed: for each part W [rows, in] in float32, and its bias [rows], or undefined.
struct LinearPartTensors {
    at::Tensor weight;
    at::Tensor bias;
};

/// float32: keeps the given tensors (views of the mapped file stay views). bfloat16: oneDNN's layout where the processor has it,
/// else plain. float16: kept in 16 bits, computed in float32. int8: packed_int8.hpp; `wide_inputs` as in Int8Linear.
std::shared_ptr<const PackedLinear> pack_linear(Precision precision, const std::vector<LinearPartTensors>& parts,
                                                bool wide_inputs);

}  // namespace rag::core::libtorch
