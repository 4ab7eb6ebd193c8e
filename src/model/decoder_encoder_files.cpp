// Decoders as encoders (Qwen3-Embedding, Qwen3-Reranker): the configuration and the tensors of a decoder without its output
// layer, under the names that the decoder's own backend knows. A head for sequence classification is transformers'
// GenericForSequenceClassification: one layer without a bias over the last token.
#include "core/error.hpp"
#include "model/decoder_family.hpp"
#include "model/encoder_family.hpp"

namespace rag::core {
namespace {

constexpr std::string_view kPrefix = "model.";

EncoderConfig read_config(const std::filesystem::path& folder) {
    EncoderConfig config;
    config.decoder = decoder_config_of(read_decoder_folder(folder));
    const DecoderConfig& decoder = *config.decoder;
    config.architecture = decoder.architecture;
    config.vocab_size = decoder.vocab_size;
    config.hidden_size = decoder.hidden_size;
    config.layers = decoder.layers;
    config.heads = decoder.heads;
    config.intermediate_size = decoder.intermediate_size;
    config.max_positions = decoder.context_length;
    return config;
}

std::vector<ExpectedTensor> list_tensors(const EncoderConfig& config) {
    std::vector<ExpectedTensor> tensors = expected_decoder_tensors(*config.decoder);
    std::erase_if(tensors, [](const ExpectedTensor& tensor) { return tensor.name == "lm_head.weight"; });
    for (ExpectedTensor& tensor : tensors) tensor.file_name = tensor.name.substr(kPrefix.size());
    return tensors;
}

ClassifierHead read_head(const EncoderConfig&, const ClassifierFolderConfig& classifier, const std::string&) {
    ClassifierHead head;
    head.pooling = Pooling::kLastToken;
    head.stages = {{"score", static_cast<std::int64_t>(classifier.labels.size()), false, Activation::kIdentity, ""}};
    return head;
}

}  // namespace

const EncoderFamily kDecoderBodyFamily = {"decoder",  "decoder", kPrefix, "embed_tokens.weight", &read_config, &list_tensors,
                                          &read_head, "lm_head", {}};

}  // namespace rag::core
