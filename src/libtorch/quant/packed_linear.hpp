// The weights of one linear layer in the form that a precision computes with. Several layers that read the same input (q, k, v;
// gate, up) are packed as parts of one. Immutable, so that a merged adapter can replace it and the base come back untouched.
// Thread rule: immutable; run() on the model's worker.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

class Int4Matrix;
class Int8PanelLinear;
namespace kernels {
struct TileMatrix;
}

class PackedLinear {
  public:
    virtual ~PackedLinear() = default;

    /// out = x * W^T + bias. x: [rows, in], out: [rows, sum of parts], float32, rows contiguous.
    virtual void run(const at::Tensor& x, at::Tensor& out) const = 0;

    /// Bytes held or mapped, biases included.
    virtual std::uint64_t size_bytes() const = 0;

    /// The weights for tiles, which a block may use for more than run(); null: they are kept otherwise.
    virtual const kernels::TileMatrix* tiles() const { return nullptr; }
    /// Likewise the weights in panels of bytes.
    virtual const Int8PanelLinear* panels() const { return nullptr; }
};

/// What is packed: for each part W [rows, in] in float32, or packed for int4 already, and its bias [rows], or undefined.
struct LinearPartTensors {
    at::Tensor weight;
    at::Tensor bias;
    std::shared_ptr<const Int4Matrix> packed = nullptr;
};

/// What tables of vectors and output layers are kept in where the other layers have `precision`: four bits of them cost too much
/// (the perplexity of SmolLM2 rises by a tenth), so int8 there.
constexpr Precision table_precision(Precision precision) {
    return precision == Precision::kInt4 ? Precision::kInt8 : precision;
}

struct PackOptions {
    bool wide_inputs = false;  // int8: inputs in sixteen bits
    bool tiles = false;        // the layer reads many rows at once: tiles of our own where the processor has them
    c10::Device device{at::kCPU};
};

/// float32: keeps the given tensors (views of the mapped file stay views). bfloat16: oneDNN's layout where the processor has it,
/// else plain. float16: kept in 16 bits, computed in float32. int8: packed_int8.hpp, or with `wide_inputs` int8_panels.hpp.
/// int4: packed_int4.hpp, rounded to nearest. bfloat16 and int8 where tiles are wanted: tile_linear.hpp. On a device:
/// device_linear.hpp.
std::shared_ptr<const PackedLinear> pack_linear(Precision precision, const std::vector<LinearPartTensors>& parts,
                                                const PackOptions& options);

}  // namespace rag::core::libtorch
