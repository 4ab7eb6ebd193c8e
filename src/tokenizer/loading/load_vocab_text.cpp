// Makes a BERT tokenizer from a vocab.txt, one token a line.
#include <algorithm>
#include <iterator>

#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "core/utf8.hpp"
#include "tokenizer/loading/build_stages.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/loading/named.hpp"
#include "tokenizer/loading/stage_fields.hpp"
#include "tokenizer/models/word_piece.hpp"
#include "tokenizer/normalizers/bert.hpp"

namespace rag::core {
namespace {

// BertTokenizer's defaults and what tokenizer_config.json changes of them.
struct Settings {
    BertNormalizerOptions normalizer;
    std::string unk = "[UNK]", sep = "[SEP]", pad = "[PAD]", cls = "[CLS]", mask = "[MASK]";
};

// Others write vocab.txt too and treat it differently: MPNet, Funnel, the Japanese BERTs.
void require_bert(const StageFields& config) {
    static constexpr std::string_view kKnown[] = {"", "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer"};
    const std::string name = config.text("tokenizer_class", "");
    std::string_view plain = name;
    if (plain.ends_with("Fast")) plain.remove_suffix(4);
    if (std::find(std::begin(kKnown), std::end(kKnown), plain) != std::end(kKnown)) return;
    fail(Code::kUnsupported,
         "{}: tokenizer_class is {}; a vocab.txt without a tokenizer.json is read for BertTokenizer, DistilBertTokenizer and "
         "ElectraTokenizer",
         config.where(), quote(name));
}

Settings read_settings(const std::filesystem::path& folder, const TokenizerParts& parts) {
    Settings settings;
    const std::filesystem::path path = folder / "tokenizer_config.json";
    if (std::filesystem::exists(path)) {
        const std::string text = read_text_file(path);
        const Json json = parse_tokenizer_json(text, path.string());
        const StageFields fields(json, path.string());
        require_bert(fields);
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

// Without a configuration Hugging Face's BertTokenizer lower-cases: a vocabulary with capitals is then used to no purpose.
void require_lowercase(const std::string& text, const std::filesystem::path& file) {
    if (std::filesystem::exists(file.parent_path() / "tokenizer_config.json")) return;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view token = std::string_view(text).substr(at, end - at);
        at = end + 1;
        if (token.starts_with('[') || std::none_of(token.begin(), token.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
            continue;
        }
        fail(Code::kInvalidArgument,
             "{}: has tokens with capital letters ({}), which text never has once it is lower-cased, and there is no "
             "tokenizer_config.json beside it that says whether it is: put the model's there, or one with "
             "{{\"do_lower_case\": false}}",
             file.string(), quote(token, 40));
    }
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

// BertTokenizer's stages as tokenizer.json writes them. `id_of` refuses a token that the vocabulary lacks.
template <typename IdOf>
Json describe_stages(const Settings& settings, IdOf id_of) {
    id_of(settings.unk);
    const auto special = [](const std::string& token, int type_id) {
        return Json{{"SpecialToken", {{"id", token}, {"type_id", type_id}}}};
    };
    const auto sequence = [](const char* name, int type_id) { return Json{{"Sequence", {{"id", name}, {"type_id", type_id}}}}; };
    Json tokens = Json::object();
    for (const std::string& token : {settings.cls, settings.sep}) {
        tokens[token] = {{"id", token}, {"ids", Json::array({id_of(token)})}, {"tokens", Json::array({token})}};
    }
    Json single = Json::array({special(settings.cls, 0), sequence("A", 0), special(settings.sep, 0)});
    Json pair = single;
    pair.push_back(sequence("B", 1));
    pair.push_back(special(settings.sep, 1));
    const BertNormalizerOptions& normalizer = settings.normalizer;
    return {{"normalizer",
             {{"type", "BertNormalizer"},
              {"clean_text", normalizer.clean_text},
              {"handle_chinese_chars", normalizer.handle_chinese_chars},
              {"strip_accents", normalizer.strip_accents},
              {"lowercase", normalizer.lowercase}}},
            {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
            {"post_processor", {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", tokens}}},
            {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}}};
}

TokenizerParts read_file(const std::filesystem::path& file) {
    const std::string text = read_text_file(file);
    TokenizerParts parts;
    parts.name = file.string();
    require_utf8(text, parts.name);
    require_lowercase(text, file);
    load_configuration(file.parent_path(), parts);
    const Settings settings = read_settings(file.parent_path(), parts);
    Vocabulary vocabulary = read_lines(text);
    const Json document = describe_stages(settings, [&](const std::string& token) {
        const auto id = vocabulary.find(token);
        if (!id)
            fail(Code::kCorrupt, "{}: the special token {} is not among its {} tokens", parts.name, quote(token),
                 vocabulary.size());
        return *id;
    });
    build_stages(StageFields(document, parts.name), parts);
    parts.added_tokens = read_declared_tokens(file.parent_path());
    for (const auto& [name, token] : {std::pair{"unk_token", settings.unk},
                                      {"sep_token", settings.sep},
                                      {"pad_token", settings.pad},
                                      {"cls_token", settings.cls},
                                      {"mask_token", settings.mask}}) {
        const auto id = vocabulary.find(token);
        if (!id) continue;  // a vocabulary without padding or mask is a vocabulary all the same
        parts.special_tokens[name] = token;
        const auto& known = parts.added_tokens;
        const bool declared =
            std::any_of(known.begin(), known.end(), [&](const AddedToken& other) { return other.content == token; });
        if (!declared) parts.added_tokens.push_back({token, *id, false, false, false, false, true});
    }
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
