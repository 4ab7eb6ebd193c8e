// The normalizer of a tokenizer.json; an unknown one is refused by name.
#include "core/base64.hpp"
#include "tokenizer/loading/named.hpp"
#include "tokenizer/loading/stages.hpp"
#include "tokenizer/normalizers/bert.hpp"
#include "tokenizer/normalizers/byte_level.hpp"
#include "tokenizer/normalizers/lowercase.hpp"
#include "tokenizer/normalizers/nmt.hpp"
#include "tokenizer/normalizers/normal_form.hpp"
#include "tokenizer/normalizers/precompiled.hpp"
#include "tokenizer/normalizers/prepend.hpp"
#include "tokenizer/normalizers/replace.hpp"
#include "tokenizer/normalizers/sequence.hpp"
#include "tokenizer/normalizers/strip.hpp"
#include "tokenizer/normalizers/strip_accents.hpp"

namespace rag::core {
namespace {

std::unique_ptr<Normalizer> read_precompiled(const StageFields& fields) {
    const std::string where = fields.inside("precompiled_charsmap");
    const auto bytes = decode_base64(checked_text(fields.required("precompiled_charsmap"), where));
    if (!bytes) fail(Code::kCorrupt, "{} is not base64", where);
    return make_named(where, [&] { return std::make_unique<Precompiled>(CharsMap(*bytes)); });
}

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
    if (type == "Prepend") return std::make_unique<Prepend>(checked_text(fields.required("prepend"), fields.inside("prepend")));
    if (type == "Strip") {
        return std::make_unique<StripSpaces>(fields.boolean("strip_left", true), fields.boolean("strip_right", true));
    }
    if (type == "Replace") {
        return std::make_unique<Replace>(read_pattern(fields),
                                         checked_text(fields.required("content"), fields.inside("content")));
    }
    if (type == "Precompiled") return read_precompiled(fields);
    if (type == "Nmt") return std::make_unique<Nmt>();
    if (type == "ByteLevel") return std::make_unique<ByteLevelNormalizer>();
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
