// DistilBERT: no token types, names of its own.
#include "core/error.hpp"
#include "model/encoder_family.hpp"

namespace rag::core {
namespace {

EncoderConfig read_config(const std::filesystem::path& folder) {
    return bert_like_config(read_distilbert_config(folder), "distilbert", (folder / "config.json").string());
}

std::vector<ExpectedTensor> list_tensors(const EncoderConfig& config) {
    const std::int64_t hidden = config.hidden_size;
    std::vector<ExpectedTensor> tensors;
    expect_table(tensors, "embeddings.word_embeddings", config.vocab_size, hidden);
    expect_table(tensors, "embeddings.position_embeddings", config.max_positions, hidden);
    expect_norm(tensors, "embeddings.LayerNorm", hidden);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string layer = fmt::format("transformer.layer.{}.", i);
        for (const char* part : {"q_lin", "k_lin", "v_lin", "out_lin"})
            expect_linear(tensors, layer + "attention." + part, hidden, hidden);
        expect_norm(tensors, layer + "sa_layer_norm", hidden);
        expect_linear(tensors, layer + "ffn.lin1", config.intermediate_size, hidden);
        expect_linear(tensors, layer + "ffn.lin2", hidden, config.intermediate_size);
        expect_norm(tensors, layer + "output_layer_norm", hidden);
    }
    return tensors;
}

ClassifierHead read_head(const EncoderConfig& config, const ClassifierFolderConfig& classifier, const std::string&) {
    ClassifierHead head;
    head.stages = {{"pre_classifier", config.hidden_size, true, Activation::kRelu, ""},
                   {"classifier", static_cast<std::int64_t>(classifier.labels.size()), true, Activation::kIdentity, ""}};
    return head;
}

}  // namespace

const EncoderFamily kDistilBertFamily = {"distilbert",
                                         "distilbert",
                                         "distilbert.",
                                         "embeddings.word_embeddings.weight",
                                         &read_config,
                                         &list_tensors,
                                         &read_head,
                                         "",
                                         {"vocab_transform", "vocab_layer_norm", "vocab_projector.bias"}};

}  // namespace rag::core
