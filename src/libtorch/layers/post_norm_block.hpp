// The transformer block that BERT and its relatives share (Devlin et al. 2018): attention, sum, LayerNorm; feed-forward, sum,
// LayerNorm. The architectures differ in the names of its modules and in what attention sees besides the tokens.
// Thread rule: run() on the model's worker.
#pragma once

#include <functional>

#include "libtorch/layers/linear.hpp"
#include "libtorch/layers/norm.hpp"
#include "libtorch/lora/kept_adapter.hpp"

namespace rag::core::libtorch {

/// What the modules of a block are called, behind the block's prefix.
struct PostNormNames {
    const char* query;
    const char* key;
    const char* value;
    const char* attention_output;
    const char* attention_norm;
    const char* intermediate;
    const char* output;
    const char* output_norm;
};

class PostNormBlock {
  public:
    /// Sizes, epsilon and activation are the configuration's.
    PostNormBlock(std::shared_ptr<const WeightSource> source, const std::string& prefix, const PostNormNames& names,
                  const EncoderConfig& config, const PrecisionPlan& plan);

    /// qkv [tokens, 3 * hidden] -> [tokens, hidden]
    using Attend = std::function<at::Tensor(const at::Tensor& qkv)>;
    /// x: [tokens, hidden] float32 -> the same shape; with `rows` (indices, [wanted] int64) only those, [wanted, hidden]. The
    /// result may lie in x's memory: what x was is then gone.
    at::Tensor run(at::Tensor& x, const Attend& attend, const RowAdapters& adapters,
                   const std::optional<at::Tensor>& rows = {}) const;

    void list_linears(std::vector<Linear*>& out);
    void list_norms(std::vector<NormTensors>& out);
    std::uint64_t norm_bytes() const { return attention_norm_.size_bytes() + output_norm_.size_bytes(); }

  private:
    bool runs_in_tiles() const;
    /// What follows attention, block of rows by block of rows, so that nothing between the layers leaves the caches. x: the sum's
    /// other side, and the result.
    void run_tiles(const at::Tensor& attended, const RowAdapters& adapters, at::Tensor& x) const;

    Linear qkv_;
    Linear attention_output_;
    LayerNorm attention_norm_;
    Linear intermediate_;
    Linear output_;
    LayerNorm output_norm_;
    Activation activation_;
};

}  // namespace rag::core::libtorch
