// Makes a BERT tokenizer from a vocab.txt, one token a line.
#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "core/utf8.hpp"
#include "tokenizer/decoders/word_piece.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/loading/named.hpp"
#include "tokenizer/loading/stage_fields.hpp"
#include "tokenizer/models/word_piece.hpp"
#include "tokenizer/normalizers/bert.hpp"
#include "tokenizer/post_processors/template_processing.hpp"
#include "tokenizer/pre_tokenizers/bert.hpp"

namespace rag::core {
namespace {

// BertTokenizer's defaults and what tokenizer_config.json changes of them.
struct Settings {
    BertNormalizerOptions normalizer;
    std::string unk = "[UNK]", sep = "[SEP]", pad = "[PAD]", cls = "[CLS]", mask = "[MASK]";
};

Settings read_settings(const std::filesystem::path& folder, const TokenizerParts& parts) {
    Settings settings;
    const std::filesystem::path path = folder / "tokenizer_config.json";
    if (std::filesystem::exists(path)) {
        const std::string text = read_text_file(path);
        const Json json = parse_tokenizer_json(text, path.string());
        const StageFields fields(json, path.string());
        settings.normalizer.lowercase = fields.boolean("do_lower_case", true);
        settings.normalizer.handle_chinese_chars = fields.boolean("tokenize_chinese_chars", true);
        settings.normalizer.strip_accents = fields.boolean("strip_accents", settings.normalizer.lowercase);
    }
    const auto take = [&](const char* name, std::string& token) {
        const auto at = parts.special_tokens.find(name);
        if (at != parts.special_tokens.end()) token = at->second;
    };
    take("unk_token", settings.unk);
    take("sep_token", settings.sep);
    take("pad_token", settings.pad);
    take("cls_token", settings.cls);
    take("mask_token", settings.mask);
    return settings;
}

Vocabulary read_lines(const std::string& text) {
    Vocabulary vocabulary;
    std::int64_t id = 0;
    for (std::size_t at = 0; at < text.size(); ++id) {
        std::size_t end = text.find('\n', at);
        if (end == std::string::npos) end = text.size();
        std::string_view line = std::string_view(text).substr(at, end - at);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        vocabulary.add(line, id);
        at = end + 1;
    }
    return vocabulary;
}

TokenizerParts read_file(const std::filesystem::path& file) {
    const std::string text = read_text_file(file);
    TokenizerParts parts;
    parts.name = file.string();
    require_utf8(text, parts.name);
    load_configuration(file.parent_path(), parts);
    const Settings settings = read_settings(file.parent_path(), parts);
    Vocabulary vocabulary = read_lines(text);
    const auto required = [&](const std::string& token) {
        const auto id = vocabulary.find(token);
        if (!id)
            fail(Code::kCorrupt, "{}: the special token {} is not among its {} tokens", parts.name, quote(token),
                 vocabulary.size());
        return TemplatePiece{-1, 0, {*id}, {token}};
    };
    required(settings.unk);
    TemplatePiece cls = required(settings.cls), sep = required(settings.sep), sep_second = sep;
    sep_second.type_id = 1;
    const TemplatePiece first{0, 0, {}, {}}, second{1, 1, {}, {}};
    parts.post_processor = std::make_unique<TemplateProcessing>(std::vector<TemplatePiece>{cls, first, sep},
                                                                std::vector<TemplatePiece>{cls, first, sep, second, sep_second});
    for (const auto& [name, token] : {std::pair{"unk_token", settings.unk},
                                      {"sep_token", settings.sep},
                                      {"pad_token", settings.pad},
                                      {"cls_token", settings.cls},
                                      {"mask_token", settings.mask}}) {
        const auto id = vocabulary.find(token);
        if (!id) continue;  // a vocabulary without padding or mask is a vocabulary all the same
        parts.special_tokens[name] = token;
        parts.added_tokens.push_back({token, *id, false, false, false, false, true});
    }
    parts.normalizer = std::make_unique<BertNormalizer>(settings.normalizer);
    parts.pre_tokenizer = std::make_unique<BertPreTokenizer>();
    parts.decoder = std::make_unique<WordPieceDecoder>("##", true);
    WordPieceOptions options;
    options.unk_token = settings.unk;
    parts.model = std::make_unique<WordPiece>(std::move(vocabulary), std::move(options));
    return parts;
}

}  // namespace

TokenizerParts load_vocab_text(const std::filesystem::path& file) {
    return make_named(file.string(), [&] { return read_file(file); });
}

}  // namespace rag::core
