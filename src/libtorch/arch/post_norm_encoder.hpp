// The body that BERT and its relatives share: word, position and token type embeddings, a LayerNorm, blocks of PostNormBlock.
// An architecture brings the names of its modules, and may count positions or attend in another way.
// Thread rule: as EncoderCore.
#pragma once

#include "libtorch/arch/encoder_core.hpp"
#include "libtorch/layers/post_norm_block.hpp"

namespace rag::core::libtorch {

struct PostNormEncoderNames {
    const char* words;
    const char* positions;
    const char* types;  // read where the configuration has token types
    const char* embedding_norm;
    const char* blocks;  // block i has the prefix "BLOCKS.i."
    PostNormNames block;
};

class PostNormEncoder : public EncoderCore {
  public:
    /// `names` must live as long as the model.
    PostNormEncoder(const EncoderConfig& config, const Weights& weights, std::string_view prefix,
                    const PostNormEncoderNames& names, const BackendOptions& options)
        : EncoderCore(config, weights, prefix, options), names_(names) {}

  protected:
    /// Rows of the table of positions, and how many the table has.
    virtual std::vector<std::int32_t> positions(const TextGroup& group) const;
    virtual std::int64_t position_rows() const { return config_.max_positions; }
    /// qkv [tokens, 3 * hidden] -> [tokens, hidden]
    virtual at::Tensor attend(const at::Tensor& qkv, const TextGroup& group) const;
    void load_layers() override;
    std::uint64_t other_bytes() const override;

  private:
    at::Tensor run_layers(const TextGroup& group, const HostCall& call) override;
    void list_linears(std::vector<Linear*>& out) override;
    void list_layer_norms(std::vector<NormTensors>& out) override;

    const PostNormEncoderNames& names_;
    Embedding words_;
    Embedding positions_;
    std::optional<Embedding> types_;
    LayerNorm embedding_norm_;
    std::vector<PostNormBlock> blocks_;
};

}  // namespace rag::core::libtorch
