// Makes a tokenizer from the vocabulary of a GGUF file: the stages that the model's own tokenizer.json has, so that the ids are
// the same. tokenizer.ggml.model says the kind: gpt2 (BPE over bytes), llama (SentencePiece BPE), bert (WordPiece), t5 (Unigram).
// What a GGUF file does not hold is not guessed: names of pre-tokenizers without an oracle are refused, and the white space that
// special tokens of some models swallow is only known for Phi-3.
#include <algorithm>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "formats/gguf.hpp"
#include "tokenizer/loading/build_stages.hpp"
#include "tokenizer/loading/gguf_vocabulary.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/loading/named.hpp"

namespace rag::core {

GgufVocabulary::GgufVocabulary(const GgufFile& gguf) : file(gguf) {
    const auto texts = gguf.texts("tokenizer.ggml.tokens");
    if (!texts) fail(Code::kCorrupt, "{}: tokenizer.ggml.tokens is missing", gguf.name());
    if (texts->size() > static_cast<std::size_t>(kMaxTokenId)) {
        fail(Code::kCorrupt, "{}: {} tokens, {} is the most", gguf.name(), texts->size(), kMaxTokenId);
    }
    const auto types = gguf.integers("tokenizer.ggml.token_type");
    const auto scores = gguf.numbers("tokenizer.ggml.scores");
    if (types && types->size() != texts->size()) {
        fail(Code::kCorrupt, "{}: {} tokens and {} token types", gguf.name(), texts->size(), types->size());
    }
    if (scores && scores->size() != texts->size()) {
        fail(Code::kCorrupt, "{}: {} tokens and {} scores", gguf.name(), texts->size(), scores->size());
    }
    has_scores = scores.has_value();
    tokens.reserve(texts->size());
    for (std::size_t i = 0; i < texts->size(); ++i) {
        GgufToken token{std::string((*texts)[i]), types ? (*types)[i] : GgufToken::kNormal, scores ? (*scores)[i] : 0.0};
        require_utf8(token.text, gguf.name() + ": a token");
        if (!(token.score >= -1e30 && token.score <= 1e30)) {
            fail(Code::kCorrupt, "{}: token {} has a score that is no number", gguf.name(), i);
        }
        // What converters fill holes with is no token.
        if (token.type == GgufToken::kUnused && token.text == fmt::format("[PAD{}]", i)) token.type = GgufToken::kAbsent;
        tokens.push_back(std::move(token));
    }
}

std::optional<std::int32_t> GgufVocabulary::id(const char* key) const {
    const auto id = file.integer(key);
    if (!id) return std::nullopt;
    if (*id < 0 || static_cast<std::size_t>(*id) >= tokens.size()) {
        fail(Code::kCorrupt, "{}: {} is {}, there are {} tokens", file.name(), key, *id, tokens.size());
    }
    return static_cast<std::int32_t>(*id);
}

Vocabulary GgufVocabulary::vocabulary() const {
    Vocabulary out;
    out.reserve(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i].type != GgufToken::kAbsent) out.add(tokens[i].text, static_cast<std::int64_t>(i));
    }
    return out;
}

namespace {

class Loader {
  public:
    explicit Loader(const GgufFile& file) : file_(file), vocabulary_(file) {}

    TokenizerParts load() {
        parts_.name = file_.name();
        const auto model = file_.text("tokenizer.ggml.model");
        if (!model) fail(Code::kCorrupt, "{}: tokenizer.ggml.model is missing", file_.name());
        GgufSpecialTokens special;
        if (*model == "gpt2") {
            special = make_gguf_bpe(vocabulary_, stages_, parts_);
        } else if (*model == "llama") {
            special = make_gguf_sentence_piece(vocabulary_, stages_, parts_);
        } else if (*model == "bert") {
            special = make_gguf_word_piece(vocabulary_, stages_, parts_);
        } else if (*model == "t5") {
            special = make_gguf_unigram(vocabulary_, stages_, parts_);
        } else {
            fail(Code::kUnsupported, "{}: tokenizer.ggml.model is {}; gpt2, llama, bert and t5 are supported", file_.name(),
                 quote(*model));
        }
        add_special_tokens();
        describe_post_processor(special);
        build_stages(StageFields(stages_, file_.name()), parts_);
        read_chat_templates();
        return std::move(parts_);
    }

  private:
    void read_chat_template(const std::string& name, const std::string& key) {
        const auto text = file_.text(key);
        if (!text) return;
        require_utf8(*text, file_.name() + ": " + key);
        parts_.chat_templates[name] = *text;
    }

    // The default one, and those that tokenizer.chat_templates names.
    void read_chat_templates() {
        read_chat_template("default", "tokenizer.chat_template");
        for (const std::string_view name : file_.texts("tokenizer.chat_templates").value_or(std::vector<std::string_view>())) {
            require_utf8(name, file_.name() + ": tokenizer.chat_templates");
            read_chat_template(std::string(name), "tokenizer.chat_template." + std::string(name));
        }
    }

    void add_special_tokens() {
        const auto name = file_.text("general.name").value_or("");
        const bool phi3 = name.find("phi-3") != std::string_view::npos || name.find("Phi-3") != std::string_view::npos ||
                          name.find("Phi 3") != std::string_view::npos;
        for (std::size_t i = 0; i < vocabulary_.tokens.size(); ++i) {
            const GgufToken& token = vocabulary_.tokens[i];
            const bool special = token.type == GgufToken::kControl || token.type == GgufToken::kUnknown;
            if (!special && token.type != GgufToken::kUserDefined) continue;
            AddedToken added{token.text, static_cast<std::int32_t>(i), false, false, false, false, special};
            added.rstrip = phi3 && token.text != "<unk>" && token.text != "<s>" && token.text != "<|endoftext|>";
            parts_.added_tokens.push_back(std::move(added));
        }
        const auto take = [&](const char* role, const char* key) {
            if (const auto id = vocabulary_.id(key))
                parts_.special_tokens[role] = vocabulary_.tokens[static_cast<std::size_t>(*id)].text;
        };
        take("bos_token", "tokenizer.ggml.bos_token_id");
        take("eos_token", "tokenizer.ggml.eos_token_id");
        take("unk_token", "tokenizer.ggml.unknown_token_id");
        take("sep_token", "tokenizer.ggml.seperator_token_id");
        take("pad_token", "tokenizer.ggml.padding_token_id");
        take("cls_token", "tokenizer.ggml.cls_token_id");
        take("mask_token", "tokenizer.ggml.mask_token_id");
    }

    void describe_post_processor(const GgufSpecialTokens& special) {
        Json single = Json::array(), pair = Json::array(), known = Json::object();
        const auto put = [&](const char* key, const char* id_key, bool otherwise, std::uint32_t type_id, bool in_single) {
            if (!file_.boolean(key).value_or(otherwise)) return;
            const auto id = vocabulary_.id(id_key);
            if (!id && !file_.has(key)) return;  // only a default
            if (!id) fail(Code::kCorrupt, "{}: {} is set and {} is missing", file_.name(), key, id_key);
            const std::string& token = vocabulary_.tokens[static_cast<std::size_t>(*id)].text;
            known[token] = {{"id", token}, {"ids", Json::array({*id})}, {"tokens", Json::array({token})}};
            const Json piece{{"SpecialToken", {{"id", token}, {"type_id", type_id}}}};
            if (in_single) single.push_back(piece);
            pair.push_back(piece);
        };
        const auto bos = [&](std::uint32_t type_id, bool in_single) {
            put("tokenizer.ggml.add_bos_token", special.bos_key, special.add_bos, type_id, in_single);
        };
        const auto eos = [&](std::uint32_t type_id, bool in_single) {
            put("tokenizer.ggml.add_eos_token", special.eos_key, special.add_eos, type_id, in_single);
        };
        const auto sequence = [](const char* name, std::uint32_t type_id) {
            return Json{{"Sequence", {{"id", name}, {"type_id", type_id}}}};
        };
        bos(0, true);
        single.push_back(sequence("A", 0));
        pair.push_back(sequence("A", 0));
        eos(0, true);
        if (special.bos_before_second) bos(1, false);
        pair.push_back(sequence("B", special.second_type_id));
        eos(special.second_type_id, false);
        stages_["post_processor"] = {
            {"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", known}};
    }

    const GgufFile& file_;
    GgufVocabulary vocabulary_;
    Json stages_ = Json::object();
    TokenizerParts parts_;
};

}  // namespace

TokenizerParts load_gguf(const GgufFile& file) {
    return make_named(file.name(), [&] { return Loader(file).load(); });
}

TokenizerParts load_gguf(const std::filesystem::path& path) {
    return load_gguf(*GgufFile::open(path));
}

}  // namespace rag::core
