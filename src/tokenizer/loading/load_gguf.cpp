// Makes a tokenizer from the vocabulary of a GGUF file, for the pre-tokenizer names that have an oracle.
#include <algorithm>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "formats/gguf.hpp"
#include "tokenizer/loading/build_stages.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/loading/named.hpp"
#include "tokenizer/models/bpe.hpp"
#include "tokenizer/models/byte_alphabet.hpp"

namespace rag::core {
namespace {

// tokenizer.ggml.token_type
constexpr std::int64_t kControl = 3;
constexpr std::int64_t kUserDefined = 4;

// A name stands for a pattern that only llama.cpp's source writes down. Only those are here whose ids were compared with the
// model's own Hugging Face tokenizer.
Json describe_pre_tokenizer(const std::string& file, std::string_view name) {
    if (name == "smollm") {
        return {{"type", "Sequence"},
                {"pretokenizers",
                 {{{"type", "Digits"}, {"individual_digits", true}},
                  {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}}}}};
    }
    fail(Code::kUnsupported,
         "{}: tokenizer.ggml.pre is {}, for which there is no tokenizer to compare with; use the model's tokenizer.json", file,
         quote(name));
}

MergeList split_merges(const std::string& file, const std::vector<std::string_view>& lines) {
    MergeList merges;
    merges.reserve(lines.size());
    for (const std::string_view line : lines) {
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
            fail(Code::kCorrupt, "{}: tokenizer.ggml.merges[{}] is {}, not two tokens with one space between", file,
                 merges.size(), quote(line));
        }
        merges.emplace_back(line.substr(0, space), line.substr(space + 1));
    }
    return merges;
}

template <typename T>
T required(const std::string& file, std::optional<T> value, const char* key) {
    if (!value) fail(Code::kCorrupt, "{}: {} is missing", file, key);
    return std::move(*value);
}

class Loader {
  public:
    explicit Loader(const GgufFile& file)
        : file_(file), tokens_(required(file.name(), file.texts("tokenizer.ggml.tokens"), "tokenizer.ggml.tokens")) {}

    TokenizerParts load() {
        const auto model = required(file_.name(), file_.text("tokenizer.ggml.model"), "tokenizer.ggml.model");
        if (model != "gpt2")
            fail(Code::kUnsupported, "{}: tokenizer.ggml.model is {}, gpt2 is supported", file_.name(), quote(model));
        parts_.name = file_.name();
        stages_["pre_tokenizer"] = describe_pre_tokenizer(file_.name(), file_.text("tokenizer.ggml.pre").value_or("default"));
        stages_["decoder"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
        read_tokens();
        read_special_tokens();
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

    void read_tokens() {
        const auto types = file_.integers("tokenizer.ggml.token_type");
        if (types && types->size() != tokens_.size()) {
            fail(Code::kCorrupt, "{}: {} tokens and {} token types", file_.name(), tokens_.size(), types->size());
        }
        Vocabulary vocabulary;
        vocabulary.reserve(tokens_.size());
        for (std::size_t i = 0; i < tokens_.size(); ++i) {
            require_utf8(tokens_[i], file_.name() + ": a token");
            vocabulary.add(tokens_[i], static_cast<std::int64_t>(i));
            const std::int64_t type = types ? (*types)[i] : 1;
            if (type != kControl && type != kUserDefined) continue;
            parts_.added_tokens.push_back(
                {std::string(tokens_[i]), static_cast<std::int32_t>(i), false, false, false, false, type == kControl});
        }
        const auto merges = required(file_.name(), file_.texts("tokenizer.ggml.merges"), "tokenizer.ggml.merges");
        BpeOptions options;
        options.bytes = true;
        parts_.model = std::make_unique<Bpe>(std::move(vocabulary), split_merges(file_.name(), merges), std::move(options));
    }

    std::optional<std::int64_t> special(const char* name, const char* key) {
        const auto id = file_.integer(key);
        if (!id) return std::nullopt;
        if (*id < 0 || static_cast<std::size_t>(*id) >= tokens_.size()) {
            fail(Code::kCorrupt, "{}: {} is {}, there are {} tokens", file_.name(), key, *id, tokens_.size());
        }
        const std::string token(tokens_[static_cast<std::size_t>(*id)]);
        parts_.special_tokens[name] = token;
        return id;
    }

    void read_special_tokens() {
        const auto bos = special("bos_token", "tokenizer.ggml.bos_token_id");
        const auto eos = special("eos_token", "tokenizer.ggml.eos_token_id");
        special("unk_token", "tokenizer.ggml.unknown_token_id");
        special("pad_token", "tokenizer.ggml.padding_token_id");
        Json single = Json::array(), pair = Json::array(), known = Json::object();
        const auto add = [&](const char* key, const std::optional<std::int64_t>& id, const char* id_key) {
            if (!file_.boolean(key).value_or(false)) return;
            if (!id) fail(Code::kCorrupt, "{}: {} is set and {} is missing", file_.name(), key, id_key);
            const std::string token(tokens_[static_cast<std::size_t>(*id)]);
            known[token] = {{"id", token}, {"ids", Json::array({*id})}, {"tokens", Json::array({token})}};
            const Json piece{{"SpecialToken", {{"id", token}, {"type_id", 0}}}};
            single.push_back(piece);
            pair.push_back(piece);
        };
        const auto sequence = [](const char* name, int type_id) {
            return Json{{"Sequence", {{"id", name}, {"type_id", type_id}}}};
        };
        add("tokenizer.ggml.add_bos_token", bos, "tokenizer.ggml.bos_token_id");
        single.push_back(sequence("A", 0));
        pair.push_back(sequence("A", 0));
        pair.push_back(sequence("B", 1));
        add("tokenizer.ggml.add_eos_token", eos, "tokenizer.ggml.eos_token_id");
        stages_["post_processor"] = {
            {"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", known}};
    }

    const GgufFile& file_;
    std::vector<std::string_view> tokens_;
    Json stages_ = Json::object();
    TokenizerParts parts_;
};

}  // namespace

TokenizerParts load_gguf(const std::filesystem::path& path) {
    const auto file = GgufFile::open(path);
    return make_named(file->name(), [&] { return Loader(*file).load(); });
}

}  // namespace rag::core
