#include "tokenizer/loading/build_stages.hpp"

#include "core/error.hpp"
#include "tokenizer/loading/stages.hpp"

namespace rag::core {

void build_stages(const StageFields& document, TokenizerParts& parts, bool bytes) {
    Json kept = Json::object();
    const auto build = [&](const char* key, auto read, auto& stage) {
        const Json* found = document.find(key);
        if (found != nullptr) stage = read(*found, document.inside(key));
        kept[key] = found != nullptr ? *found : Json();
    };
    build("normalizer", read_normalizer, parts.normalizer);
    const auto pre_tokenizer = [&](const Json& json, const std::string& where) { return read_pre_tokenizer(json, where, bytes); };
    build("pre_tokenizer", pre_tokenizer, parts.pre_tokenizer);
    // Hugging Face's ByteLevel writes the bytes of a piece that comes from nowhere in front of the piece, not in its place.
    if (parts.normalizer && parts.normalizer->may_insert() && parts.pre_tokenizer && parts.pre_tokenizer->is_byte_level()) {
        fail(Code::kUnsupported, "{}: a Replace that may match nothing in front of ByteLevel, which is not supported",
             document.inside("pre_tokenizer"));
    }
    build("post_processor", read_post_processor, parts.post_processor);
    build("decoder", read_decoder, parts.decoder);
    parts.stages_json = kept.dump();
}

}  // namespace rag::core
