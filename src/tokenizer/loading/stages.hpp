// The stages of tokenizer.json, each from its JSON object. Private to loading/. All throw kCorrupt for wrong types and values and
// kUnsupported, naming the stage, for what librag does not know.
#pragma once

#include <memory>

#include "tokenizer/loading/stage_fields.hpp"
#include "tokenizer/pre_tokenizers/metaspace.hpp"
#include "tokenizer/regex.hpp"
#include "tokenizer/tokenizer_parts.hpp"

namespace rag::core {

class TokenizerJson;

std::unique_ptr<Normalizer> read_normalizer(const Json& json, const std::string& where);
/// `bytes`: the model takes bytes, see takes_bytes().
std::unique_ptr<PreTokenizer> read_pre_tokenizer(const Json& json, const std::string& where, bool bytes = true);
/// Whether the model of a file can do with bytes where Hugging Face writes them in the byte alphabet.
bool takes_bytes(const TokenizerJson& file);
/// `bytes`: the pre-tokenizer makes bytes.
std::unique_ptr<TokenModel> read_model(const TokenizerJson& file, bool bytes);
std::unique_ptr<PostProcessor> read_post_processor(const Json& json, const std::string& where);
std::unique_ptr<TokenDecoder> read_decoder(const Json& json, const std::string& where);

/// "pattern" of Split and Replace: {"Regex": ...} or {"String": ...}.
Regex read_pattern(const StageFields& fields);

/// What Metaspace says as a pre-tokenizer and as a decoder.
struct MetaspaceFields {
    std::string replacement;
    PrependScheme scheme;
};
MetaspaceFields read_metaspace_fields(const StageFields& fields);

/// A field that holds one character.
std::string read_character(const StageFields& fields, const char* key);

/// Sequences inside sequences go no deeper.
inline constexpr int kMaxStageDepth = 16;

/// Throws kUnsupported: "file: normalizer "Foo" is not known".
[[noreturn]] inline void refuse_stage(const StageFields& fields) {
    fail(Code::kUnsupported, "{}: a stage of type {} is not supported", fields.where(), quote(fields.type()));
}

/// The stages of a Sequence, `key` being the array that holds them.
template <typename Stage, typename Read>
std::vector<std::unique_ptr<Stage>> read_stages(const StageFields& fields, const char* key, int depth, Read read) {
    if (depth >= kMaxStageDepth) fail(Code::kCorrupt, "{}: sequences nested more than {} deep", fields.where(), kMaxStageDepth);
    std::vector<std::unique_ptr<Stage>> stages;
    for (const Json& json : fields.array(key)) {
        stages.push_back(read(json, fmt::format("{}.{}[{}]", fields.where(), key, stages.size()), depth + 1));
    }
    return stages;
}

}  // namespace rag::core
