// RoBERTa and XLM-RoBERTa: BERT's tensors, whose table of positions begins with padding_idx + 1 rows that no token of a text
// takes.
#include "core/error.hpp"
#include "model/encoder_family.hpp"

namespace rag::core {
namespace {

EncoderConfig read_config(const std::filesystem::path& folder) {
    const std::string file = (folder / "config.json").string();
    const BertFolderConfig from = read_bert_config(folder);
    EncoderConfig config = bert_like_config(from, "roberta", file);
    config.padding_id = from.pad_token_id;
    config.max_positions = from.max_positions - from.pad_token_id - 1;
    if (config.max_positions < 1)
        fail(Code::kCorrupt, "{}: max_position_embeddings {} leave no position behind pad_token_id {}", quote(file, 400),
             from.max_positions, from.pad_token_id);
    return config;
}

std::vector<ExpectedTensor> list_tensors(const EncoderConfig& config) {
    return list_bert_tensors(config, config.max_positions + config.padding_id + 1);
}

/// RobertaClassificationHead.
ClassifierHead read_head(const EncoderConfig& config, const ClassifierFolderConfig& classifier, const std::string&) {
    ClassifierHead head;
    head.stages = {{"classifier.dense", config.hidden_size, true, Activation::kTanh, ""},
                   {"classifier.out_proj", static_cast<std::int64_t>(classifier.labels.size()), true, Activation::kIdentity, ""}};
    return head;
}

}  // namespace

const EncoderFamily kRobertaFamily = {"roberta",
                                      "roberta",
                                      "roberta.",
                                      "embeddings.word_embeddings.weight",
                                      &read_config,
                                      &list_tensors,
                                      &read_head,
                                      "pooler.dense",
                                      {"lm_head.dense", "lm_head.layer_norm", "lm_head.bias"}};
const EncoderFamily kXlmRobertaFamily = {"xlm-roberta",
                                         "roberta",
                                         "roberta.",
                                         "embeddings.word_embeddings.weight",
                                         &read_config,
                                         &list_tensors,
                                         &read_head,
                                         "pooler.dense",
                                         {"lm_head.dense", "lm_head.layer_norm", "lm_head.bias"}};

}  // namespace rag::core
