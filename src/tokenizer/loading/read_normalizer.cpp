// The normalizer of a tokenizer.json; an unknown one is refused by name.
#include "tokenizer/loading/stages.hpp"
#include "tokenizer/normalizers/bert.hpp"
#include "tokenizer/normalizers/lowercase.hpp"
#include "tokenizer/normalizers/normal_form.hpp"
#include "tokenizer/normalizers/sequence.hpp"
#include "tokenizer/normalizers/strip_accents.hpp"

namespace rag::core {
namespace {

std::unique_ptr<Normalizer> read(const Json& json, const std::string& where, int depth) {
    const StageFields fields(json, where);
    const std::string type = fields.type();
    if (type == "BertNormalizer") {
        BertNormalizerOptions options;
        options.clean_text = fields.boolean("clean_text", true);
        options.handle_chinese_chars = fields.boolean("handle_chinese_chars", true);
        options.lowercase = fields.boolean("lowercase", true);
        options.strip_accents = fields.boolean("strip_accents", options.lowercase);
        return std::make_unique<BertNormalizer>(options);
    }
    if (type == "Sequence") {
        return std::make_unique<NormalizerSequence>(read_stages<Normalizer>(fields, "normalizers", depth, read));
    }
    if (type == "Lowercase") return std::make_unique<Lowercase>();
    if (type == "StripAccents") return std::make_unique<StripAccents>();
    if (type == "NFC") return std::make_unique<NormalFormNormalizer>(NormalForm::kNfc);
    if (type == "NFD") return std::make_unique<NormalFormNormalizer>(NormalForm::kNfd);
    if (type == "NFKC") return std::make_unique<NormalFormNormalizer>(NormalForm::kNfkc);
    if (type == "NFKD") return std::make_unique<NormalFormNormalizer>(NormalForm::kNfkd);
    refuse_stage(fields);
}

}  // namespace

std::unique_ptr<Normalizer> read_normalizer(const Json& json, const std::string& where) {
    return read(json, where, 0);
}

}  // namespace rag::core
