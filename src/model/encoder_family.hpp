// What each family of encoders brings: how its config.json becomes an EncoderConfig, which tensors its layers need, and how its
// classification head looks (docs/encoders.md). One family a file (NAME_files.cpp); encoder_files.cpp puts a folder together with
// them. Stateless, any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "formats/encoder_config.hpp"
#include "model/backend.hpp"
#include "model/weights.hpp"

namespace rag::core {

/// The head of a sequence classifier: which vector it reads, and its layers, the last of which gives a value a label.
struct ClassifierHead {
    Pooling pooling = Pooling::kCls;
    std::vector<EncoderStage> stages;
    /// The first stage's tensors carry the body's prefix in the file ("bert.pooler.dense.weight").
    bool first_in_body = false;
};

/// The head of NAMEForMaskedLM: modules and a tensor; empty: librag does not train it.
struct TokenHeadNames {
    std::string_view dense, norm, bias;
};

struct EncoderFamily {
    std::string_view model_type;      // of config.json
    std::string_view architecture;    // of the backend
    std::string_view prefix;          // "bert.": what tensors may carry in front
    std::string_view word_embedding;  // the tensor by which the prefix is seen
    /// Throws kCorrupt and kUnsupported naming file, key and value. Pooling and stages are left to the caller.
    EncoderConfig (*read_config)(const std::filesystem::path& folder);
    /// Without a prefix: name and file_name are the same.
    std::vector<ExpectedTensor> (*list_tensors)(const EncoderConfig& config);
    ClassifierHead (*read_head)(const EncoderConfig& config, const ClassifierFolderConfig& classifier, const std::string& file);
    /// A linear layer that checkpoints have and vectors do not depend on, so that adapters may name it; empty: none.
    std::string_view unused_layer;
    TokenHeadNames token_head = {};
};

extern const EncoderFamily kBertFamily;
extern const EncoderFamily kRobertaFamily;
extern const EncoderFamily kXlmRobertaFamily;
extern const EncoderFamily kDistilBertFamily;
extern const EncoderFamily kMpnetFamily;
extern const EncoderFamily kModernBertFamily;
/// Every decoder whose config.json librag reads, without its output layer (decoder_encoder_files.cpp).
extern const EncoderFamily kDecoderBodyFamily;

/// hidden_act's names. Throws kUnsupported naming file and value. `key`: for the message.
Activation read_activation(const std::string& name, const char* key, const std::string& file);

/// What the relatives of BERT have in common; checks what none of them can do. `file`: config.json.
EncoderConfig bert_like_config(const BertFolderConfig& from, std::string_view architecture, const std::string& file);

/// Adds NAME.weight [rows, columns], and NAME.bias [rows] with `bias`.
void expect_linear(std::vector<ExpectedTensor>& out, const std::string& name, std::int64_t rows, std::int64_t columns,
                   bool bias = true);
/// Adds NAME.weight [size], and NAME.bias [size] with `bias`.
void expect_norm(std::vector<ExpectedTensor>& out, const std::string& name, std::int64_t size, bool bias = true);
/// Adds NAME.weight [rows, columns], which is no linear layer.
void expect_table(std::vector<ExpectedTensor>& out, const std::string& name, std::int64_t rows, std::int64_t columns);

/// The tensors of BertModel, which RobertaModel and XLMRobertaModel have too; `position_rows`: of the table of positions.
std::vector<ExpectedTensor> list_bert_tensors(const EncoderConfig& config, std::int64_t position_rows);

}  // namespace rag::core
