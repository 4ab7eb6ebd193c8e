// A model's layers with gradients: packed texts to hidden states. One body a family of architectures (post_norm_body.cpp,
// modernbert_body.cpp, trained_decoder_body.cpp), over the same descriptions as the bodies in arch/.
// Thread rule: on the trainer's worker.
#pragma once

#include "libtorch/train/trained_layers.hpp"

namespace rag::core::libtorch {

/// Of one pass.
struct PassOptions {
    const HostCall* call = nullptr;
    double dropout = 0.0, pair_dropout = 0.0;
    std::uint64_t seed = 0;
    bool recompute_layers = false;

    /// Of layer `layer` (0: the embeddings).
    Dropout layer_dropout(std::uint64_t layer) const { return {dropout, seed + 0xD1B54A32D192ED03ULL * (2 * layer + 1)}; }
    Dropout layer_pair_dropout(std::uint64_t layer) const {
        return {pair_dropout, seed + 0xD1B54A32D192ED03ULL * (2 * layer + 2)};
    }
};

class TrainedBody {
  public:
    virtual ~TrainedBody() = default;
    /// [rows, hidden] float32, behind the last norm. `anchor`: see look_up.
    virtual at::Tensor run(const TokenBatch& batch, const PassOptions& options, const at::Tensor& anchor) const = 0;
    /// The table of words, [vocab, hidden].
    virtual const ParameterPtr& words() const = 0;

  protected:
    /// One layer, kept or computed again; asks whether to stop.
    static at::Tensor run_layer(const std::function<at::Tensor(const at::Tensor&)>& layer, const at::Tensor& x,
                                const PassOptions& options);
};

std::unique_ptr<TrainedBody> make_encoder_body(const EncoderConfig& config, ParameterSet& set);
std::unique_ptr<TrainedBody> make_decoder_body(const DecoderConfig& config, ParameterSet& set);

/// What WeightSource takes off the names of an encoder's tensors.
std::string_view encoder_prefix(const EncoderConfig& config);

}  // namespace rag::core::libtorch
