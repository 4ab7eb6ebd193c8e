#include "libtorch/arch/post_norm_encoder.hpp"

#include "libtorch/arch/positions.hpp"
#include "libtorch/layers/attention.hpp"

namespace rag::core::libtorch {

namespace {

// The row of each text's first token, [texts] int64.
at::Tensor first_rows(const TextGroup& group) {
    const auto texts = static_cast<std::int64_t>(group.offsets.size()) - 1;
    at::Tensor rows = at::empty({texts}, at::kLong);
    std::copy_n(group.offsets.begin(), texts, rows.mutable_data_ptr<std::int64_t>());
    return rows;
}

}  // namespace

void PostNormEncoder::load_layers() {
    words_ = load_table(names_.words, config_.vocab_size);
    positions_ = load_table(names_.positions, position_rows());
    if (config_.type_vocab_size > 0) {
        types_ = load_table(names_.types, config_.type_vocab_size);
    }
    embedding_norm_ = load_norm(names_.embedding_norm);
    for (std::int64_t i = 0; i < config_.layers; ++i) {
        blocks_.emplace_back(source, std::string(names_.blocks) + "." + std::to_string(i) + ".", names_.block, config_, plan_);
    }
}

std::vector<std::int32_t> PostNormEncoder::positions(const TextGroup& group) const {
    return positions_from_zero(group);
}

at::Tensor PostNormEncoder::attend(const at::Tensor& qkv, const TextGroup& group) const {
    return attend_texts(qkv, group.offsets, attention());
}

at::Tensor PostNormEncoder::run_layers(const TextGroup& group, const HostCall& call) {
    at::Tensor x = at::empty({group.tokens(), config_.hidden_size}, float_on(source->device()));
    words_.lookup(group.ids, x);
    if (types_) {
        types_->lookup(token_types(group), x, true);
    }
    positions_.lookup(positions(group), x, true);
    x = embedding_norm_.run(x);
    for (const PostNormBlock& block : blocks_) {
        poll(call);
        std::optional<at::Tensor> wanted;
        if (&block == &blocks_.back() && first_tokens_suffice(group)) {
            wanted = first_rows(group);
        }
        x = block.run(x, [&](const at::Tensor& qkv) { return attend(qkv, group); }, group.token_adapters, wanted);
    }
    return x;
}

void PostNormEncoder::list_linears(std::vector<Linear*>& out) {
    for (PostNormBlock& block : blocks_) {
        block.list_linears(out);
    }
}

void PostNormEncoder::list_layer_norms(std::vector<NormTensors>& out) {
    out.push_back(embedding_norm_.tensors());
    for (PostNormBlock& block : blocks_) {
        block.list_norms(out);
    }
}

std::uint64_t PostNormEncoder::other_bytes() const {
    std::uint64_t total = words_.size_bytes() + positions_.size_bytes() + embedding_norm_.size_bytes();
    total += types_ ? types_->size_bytes() : 0;
    for (const PostNormBlock& block : blocks_) {
        total += block.norm_bytes();
    }
    return total;
}

}  // namespace rag::core::libtorch
