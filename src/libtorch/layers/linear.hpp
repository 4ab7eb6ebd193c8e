// A linear layer (or several over one input, packed together) that remembers where its weights came from, so that adapters can be
// merged into the original values and taken out again.
// Thread rule: run() and install() on the model's worker.
#pragma once

#include "libtorch/quant/input_statistics.hpp"
#include "libtorch/quant/packed_linear.hpp"
#include "libtorch/quant/precision_plan.hpp"
#include "libtorch/quant/weight_source.hpp"

namespace rag::core::libtorch {

struct LinearPart {
    std::string module;  // "encoder.layer.0.attention.self.query"; ".weight" and ".bias" are its tensors
    std::int64_t rows = 0;
    /// Above 0: the file stores the rows of each of so many heads as neighbouring pairs (GGUF's llama); they are put back into
    /// Hugging Face's halves.
    std::int64_t interleaved_heads = 0;
};

struct LinearSpec {
    std::vector<LinearPart> parts;
    std::int64_t inputs = 0;
    bool bias = false;
    /// The inputs have outliers that one byte does not resolve, as decoders' have: int8 gives them two.
    bool wide_inputs = false;
    /// As in PackOptions: encoders' layers, which read whole texts.
    bool tiles = false;
};

/// What an adapter makes of one part of a layer; undefined: as the file has it. Weights are in Hugging Face's order.
struct PartChange {
    at::Tensor weight;  // instead of the file's, [rows, in] float32
    at::Tensor bias;    // likewise, [rows]
    at::Tensor delta;   // added to the weight, [rows, in]
    bool any() const { return weight.defined() || bias.defined() || delta.defined(); }
};

class Linear {
  public:
    Linear() = default;
    /// Parts of one layer for which `plan` has different precisions are an error that names them.
    Linear(std::shared_ptr<const WeightSource> source, LinearSpec spec, const PrecisionPlan& plan);

    /// x: [rows, in] float32 -> [rows, sum of parts] float32
    at::Tensor run(const at::Tensor& x) const;
    const PackedLinear& packed() const { return *packed_; }
    const LinearSpec& spec() const { return spec_; }
    std::int64_t outputs() const { return outputs_; }

    /// A part that lies in the file with four bits a weight, every value as it is; null: it lies there otherwise.
    std::shared_ptr<const Int4Matrix> four_bits(std::size_t part) const;
    /// The file's weight of a part in Hugging Face's order, float32.
    at::Tensor part_weight(std::size_t part) const;
    /// From now on run() adds its inputs to these; null: no longer. The layer's weights stay.
    void observe(std::shared_ptr<InputStatistics> statistics) { observed_ = std::move(statistics); }
    /// The packed weights for tiles where they are kept so and run() has nobody who watches; else null.
    const kernels::TileMatrix* tiles() const { return observed_ == nullptr ? packed_->tiles() : nullptr; }
    /// Likewise the weights in panels of bytes.
    const Int8PanelLinear* panels() const { return observed_ == nullptr ? packed_->panels() : nullptr; }

    /// A new packing of the file's weights with `changes`, one a part.
    std::shared_ptr<const PackedLinear> with_changes(const std::vector<PartChange>& changes) const;
    /// Puts `packed` in the place of the present weights and returns those.
    std::shared_ptr<const PackedLinear> install(std::shared_ptr<const PackedLinear> packed);

  private:
    /// Under which models of the same files share the packing; empty: they do not.
    std::string shared_key() const;

    std::shared_ptr<const WeightSource> source_;
    LinearSpec spec_;
    Precision precision_ = Precision::kFloat32;
    std::int64_t outputs_ = 0;
    std::shared_ptr<const PackedLinear> packed_;
    std::shared_ptr<InputStatistics> observed_;
};

}  // namespace rag::core::libtorch
