// The four kinds of GGUF vocabularies, each as the stages of the tokenizer.json that it was converted from.
#include <algorithm>
#include <limits>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "tokenizer/loading/gguf_pre_tokenizers.hpp"
#include "tokenizer/loading/gguf_vocabulary.hpp"
#include "tokenizer/loading/merges_by_score.hpp"
#include "tokenizer/loading/score_text.hpp"
#include "tokenizer/models/unigram.hpp"
#include "tokenizer/models/word_piece.hpp"

namespace rag::core {
namespace {

constexpr std::string_view kMeta = "\xe2\x96\x81";  // U+2581, which stands for a space

MergeList split_merges(const GgufFile& file) {
    const auto lines = file.texts("tokenizer.ggml.merges");
    if (!lines) fail(Code::kCorrupt, "{}: tokenizer.ggml.merges is missing", file.name());
    MergeList merges;
    merges.reserve(lines->size());
    for (const std::string_view line : *lines) {
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
            fail(Code::kCorrupt, "{}: tokenizer.ggml.merges[{}] is {}, not two tokens with one space between", file.name(),
                 merges.size(), quote(line));
        }
        merges.emplace_back(line.substr(0, space), line.substr(space + 1));
    }
    return merges;
}

std::string pre_name(const GgufFile& file) {
    return std::string(file.text("tokenizer.ggml.pre").value_or(""));
}

[[noreturn]] void refuse_pre(const GgufFile& file) {
    if (!file.text("tokenizer.ggml.pre")) {
        fail(Code::kUnsupported,
             "{}: tokenizer.ggml.pre is missing, so the file does not say how text is cut into pieces; use the model's "
             "tokenizer.json",
             file.name());
    }
    fail(Code::kUnsupported,
         "{}: tokenizer.ggml.pre is {}, for which there is no tokenizer to compare with; use the model's tokenizer.json",
         file.name(), quote(pre_name(file)));
}

void require_flag(const GgufFile& file, const char* key, bool otherwise, bool wanted) {
    const bool found = file.boolean(key).value_or(otherwise);
    if (found == wanted) return;
    fail(Code::kUnsupported, "{}: {} is {} in a vocabulary of the kind {}", file.name(), key, found,
         quote(file.text("tokenizer.ggml.model").value_or("")));
}

void require_scores(const GgufVocabulary& vocabulary) {
    if (!vocabulary.has_scores) fail(Code::kCorrupt, "{}: tokenizer.ggml.scores is missing", vocabulary.file.name());
}

std::optional<std::int32_t> find_unknown(const GgufVocabulary& vocabulary) {
    if (const auto id = vocabulary.id("tokenizer.ggml.unknown_token_id")) return id;
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
        if (vocabulary.tokens[i].type == GgufToken::kUnknown) return static_cast<std::int32_t>(i);
    }
    return std::nullopt;
}

std::string with_replaced(std::string_view text, std::string_view what, std::string_view with) {
    std::string out;
    for (std::size_t at = 0;;) {
        const std::size_t found = text.find(what, at);
        out += text.substr(at, found - at);
        if (found == std::string_view::npos) return out;
        out += with;
        at = found + what.size();
    }
}

}  // namespace

GgufSpecialTokens make_gguf_bpe(GgufVocabulary& vocabulary, Json& stages, TokenizerParts& parts) {
    const GgufFile& file = vocabulary.file;
    const GgufPreTokenizer* known = find_gguf_pre_tokenizer(pre_name(file));
    if (known == nullptr) refuse_pre(file);
    if (known->normalizer != nullptr) stages["normalizer"] = Json::parse(known->normalizer);
    stages["pre_tokenizer"] = Json::parse(known->pre_tokenizer);
    stages["decoder"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
    BpeOptions options;
    options.bytes = true;
    options.ignore_merges = known->ignore_merges;
    parts.model = std::make_unique<Bpe>(vocabulary.vocabulary(), split_merges(file), std::move(options));
    GgufSpecialTokens special;
    special.add_bos = known->add_bos;
    special.bos_before_second = true;
    return special;
}

// Llama 2's, Phi-3's and Gemma's: no pre-tokenizer, merges by the scores of what they make.
GgufSpecialTokens make_gguf_sentence_piece(GgufVocabulary& vocabulary, Json& stages, TokenizerParts& parts) {
    const GgufFile& file = vocabulary.file;
    require_scores(vocabulary);
    require_flag(file, "tokenizer.ggml.remove_extra_whitespaces", false, false);
    const bool prefix = file.boolean("tokenizer.ggml.add_space_prefix").value_or(true);
    Json normalizer = Json::parse(R"({"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"})");
    Json decoders = Json::parse(R"([{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                                    {"type": "ByteFallback"}, {"type": "Fuse"}])");
    if (prefix) {
        const Json prepend = {{"type", "Prepend"}, {"prepend", std::string(kMeta)}};
        normalizer = {{"type", "Sequence"}, {"normalizers", Json::array({prepend, normalizer})}};
        decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    }
    stages["normalizer"] = normalizer;
    stages["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};

    // Converters write user-defined tokens with spaces for what tokenizer.json writes as U+2581.
    for (GgufToken& token : vocabulary.tokens) token.text = with_replaced(token.text, " ", kMeta);
    std::vector<ScoredToken> scored;
    BpeOptions options;
    for (const GgufToken& token : vocabulary.tokens) {
        options.byte_fallback = options.byte_fallback || token.type == GgufToken::kByte;
        if (token.type != GgufToken::kAbsent) scored.push_back({token.text, token.score});
    }
    options.fuse_unk = true;
    if (const auto unknown = find_unknown(vocabulary)) {
        options.unk_token = vocabulary.tokens[static_cast<std::size_t>(*unknown)].text;
    }
    Vocabulary tokens = vocabulary.vocabulary();
    const MergeList merges = merges_by_score(scored, tokens);
    parts.model = std::make_unique<Bpe>(std::move(tokens), merges, std::move(options));
    GgufSpecialTokens special;
    special.add_bos = true;
    special.bos_before_second = true;
    return special;
}

GgufSpecialTokens make_gguf_word_piece(GgufVocabulary& vocabulary, Json& stages, TokenizerParts& parts) {
    const GgufFile& file = vocabulary.file;
    if (pre_name(file) != "bert-bge") refuse_pre(file);  // others may keep case or accents; the file does not say
    stages["normalizer"] = Json::parse(R"({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                                            "strip_accents": null, "lowercase": true})");
    stages["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
    stages["decoder"] = Json::parse(R"({"type": "WordPiece", "prefix": "##", "cleanup": true})");
    // Converters write "U+2581 word" for "word", and "word" for "##word".
    for (GgufToken& token : vocabulary.tokens) {
        if (token.type == GgufToken::kControl || token.type == GgufToken::kUnknown || token.type == GgufToken::kAbsent) continue;
        const bool begins = token.text.starts_with(kMeta);
        const bool bracketed = token.text.starts_with('[') && token.text.ends_with(']') && token.text.size() > 2;
        if (!begins && bracketed) continue;  // they leave [CLS] and its like alone
        token.text = begins ? token.text.substr(kMeta.size()) : "##" + token.text;
    }
    WordPieceOptions options;
    if (const auto unknown = find_unknown(vocabulary)) {
        options.unk_token = vocabulary.tokens[static_cast<std::size_t>(*unknown)].text;
    }
    parts.model = std::make_unique<WordPiece>(vocabulary.vocabulary(), std::move(options));
    GgufSpecialTokens special;
    special.add_bos = special.add_eos = true;
    special.bos_key = file.has("tokenizer.ggml.cls_token_id") ? "tokenizer.ggml.cls_token_id" : "tokenizer.ggml.bos_token_id";
    special.eos_key =
        file.has("tokenizer.ggml.seperator_token_id") ? "tokenizer.ggml.seperator_token_id" : "tokenizer.ggml.eos_token_id";
    return special;
}

// T5's.
GgufSpecialTokens make_gguf_unigram(GgufVocabulary& vocabulary, Json& stages, TokenizerParts& parts) {
    const GgufFile& file = vocabulary.file;
    require_scores(vocabulary);
    require_flag(file, "tokenizer.ggml.add_space_prefix", true, true);
    require_flag(file, "tokenizer.ggml.remove_extra_whitespaces", true, true);
    const auto charsmap = file.metadata().find("tokenizer.ggml.precompiled_charsmap");
    if (charsmap == file.metadata().end() || charsmap->second.bytes.size() != charsmap->second.count) {
        fail(Code::kUnsupported, "{}: a t5 vocabulary without the bytes of a tokenizer.ggml.precompiled_charsmap", file.name());
    }
    const auto bytes = charsmap->second.bytes;
    stages["normalizer"] = {{"type", "Precompiled"},
                            {"precompiled_charsmap", encode_base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()})}};
    const Json metaspace =
        Json::parse(R"({"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": true})");
    stages["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", Json::array({{{"type", "WhitespaceSplit"}}, metaspace})}};
    stages["decoder"] = metaspace;

    constexpr double kUnknownPenalty = 10;
    double lowest = std::numeric_limits<double>::infinity();
    std::vector<UnigramPiece> pieces;
    UnigramOptions options;
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
        const GgufToken& token = vocabulary.tokens[i];
        options.byte_fallback = options.byte_fallback || token.type == GgufToken::kByte;
        if (token.type != GgufToken::kNormal) continue;  // the others are cut out before
        pieces.push_back({token.text, static_cast<std::int32_t>(i), score_by_serde_json(token.score)});
        lowest = std::min(lowest, pieces.back().score);
    }
    options.unk_id = find_unknown(vocabulary);
    options.unk_score = lowest - kUnknownPenalty;
    Vocabulary tokens = vocabulary.vocabulary();
    const std::size_t count = tokens.size();
    parts.model = std::make_unique<Unigram>(std::move(tokens), count, pieces, options);
    GgufSpecialTokens special;
    special.add_eos = true;
    special.second_type_id = 0;
    return special;
}

}  // namespace rag::core
