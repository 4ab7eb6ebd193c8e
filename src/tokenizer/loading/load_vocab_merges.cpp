// Makes a tokenizer from a folder with vocab.json and merges.txt and no tokenizer.json. What is done to text before and behind
// the merges is the class's business, which tokenizer_config.json names: the stages here are those that transformers gives to it.
#include <algorithm>

#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "core/utf8.hpp"
#include "tokenizer/loading/build_stages.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/loading/named.hpp"
#include "tokenizer/models/bpe.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kMaxFile = std::size_t{256} << 20;

struct Class {
    std::string_view name;
    std::vector<std::pair<const char*, const char*>> special_tokens;  // what they are unless the folder says otherwise
    const char* normalizer;
    const char* pre_tokenizer;
    const char* cls;  // RobertaProcessing's tokens by name, or null: no post-processor
    const char* sep;
    bool trim_offsets;
    const char* suffix;
    bool unk_in_model;
};

const Class& find_class(const std::string& name, const std::string& file) {
    static const char* const kEnd = "<|endoftext|>";
    static const char* const kGpt2 = R"({"type": "ByteLevel", "trim_offsets": true})";
    static const std::vector<Class> kClasses = {
        {"GPT2Tokenizer",
         {{"unk_token", kEnd}, {"bos_token", kEnd}, {"eos_token", kEnd}},
         nullptr,
         kGpt2,
         nullptr,
         nullptr,
         false,
         "",
         false},
        {"RobertaTokenizer",
         {{"bos_token", "<s>"},
          {"eos_token", "</s>"},
          {"unk_token", "<unk>"},
          {"sep_token", "</s>"},
          {"pad_token", "<pad>"},
          {"cls_token", "<s>"},
          {"mask_token", "<mask>"}},
         nullptr,
         kGpt2,
         "cls_token",
         "sep_token",
         true,
         "",
         false},
        {"CLIPTokenizer",
         {{"bos_token", "<|startoftext|>"}, {"eos_token", kEnd}, {"unk_token", kEnd}, {"pad_token", kEnd}},
         R"({"type": "Sequence", "normalizers": [{"type": "NFC"},
             {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}]})",
         R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "behavior": "Removed", "invert": true, "pattern": {"Regex":
             "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"}},
             {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}]})",
         "bos_token",
         "eos_token",
         false,
         "</w>",
         true},
        {"Qwen2Tokenizer",
         {{"eos_token", kEnd}, {"unk_token", kEnd}, {"pad_token", kEnd}},
         R"({"type": "NFC"})",
         R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "behavior": "Isolated", "pattern": {"Regex":
             "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
             {"type": "ByteLevel", "use_regex": false, "trim_offsets": true}]})",
         nullptr,
         nullptr,
         false,
         "",
         false},
    };
    std::string_view wanted = name;
    if (wanted.ends_with("Fast")) wanted.remove_suffix(4);
    for (const Class& known : kClasses) {
        if (known.name == wanted) return known;
    }
    fail(Code::kUnsupported,
         "{}: tokenizer_class is {}; without a tokenizer.json GPT2Tokenizer, RobertaTokenizer, CLIPTokenizer and Qwen2Tokenizer "
         "are "
         "supported",
         file, quote(name));
}

// Lines of two tokens with one space between; the first may say "#version: 0.2".
MergeList read_merges(std::string_view text) {
    MergeList merges;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = text.substr(at, end - at);
        at = end + 1;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.starts_with("#version")) continue;
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
            fail(Code::kCorrupt, "merges.txt: merge {} is {}, not two tokens with one space between", merges.size(), quote(line));
        }
        merges.emplace_back(line.substr(0, space), line.substr(space + 1));
    }
    return merges;
}

Vocabulary read_vocabulary(const std::filesystem::path& file) {
    const std::string text = read_text_file(file, kMaxFile);
    const Json json = parse_tokenizer_json(text, file.string());
    if (!json.is_object()) fail(Code::kCorrupt, "{}: expected an object of tokens and ids", file.string());
    Vocabulary vocabulary;
    vocabulary.reserve(json.size());
    for (const auto& [token, id] : json.items()) vocabulary.add(token, checked_integer(id, 0, kMaxTokenId - 1, file.string()));
    return vocabulary;
}

class Loader {
  public:
    explicit Loader(std::filesystem::path folder) : folder_(std::move(folder)), config_path_(folder_ / "tokenizer_config.json") {
        if (!std::filesystem::exists(config_path_)) {
            fail(Code::kUnsupported,
                 "{}: vocab.json and merges.txt do not say how text is cut: a tokenizer_config.json with tokenizer_class is "
                 "needed",
                 folder_.string());
        }
        config_ = parse_tokenizer_json(read_text_file(config_path_), config_path_.string());
    }

    TokenizerParts load() {
        const StageFields config(config_, config_path_.string());
        const Class& kind = find_class(config.text("tokenizer_class", ""), config.where());
        if (config.boolean("add_bos_token", false) || config.boolean("add_eos_token", false)) {
            fail(Code::kUnsupported, "{}: add_bos_token and add_eos_token without a tokenizer.json", config.where());
        }
        parts_.name = (folder_ / "vocab.json").string();
        for (const auto& [name, token] : kind.special_tokens) parts_.special_tokens[name] = token;
        load_configuration(folder_, parts_);
        parts_.added_tokens = read_declared_tokens(folder_);
        for (const auto& [name, token] : parts_.special_tokens) add_special(token);
        make_stages(kind, config.boolean("add_prefix_space", false), config.boolean("trim_offsets", kind.trim_offsets));
        return std::move(parts_);
    }

  private:
    void add_special(const std::string& token) {
        const auto& known = parts_.added_tokens;
        if (std::any_of(known.begin(), known.end(), [&](const AddedToken& other) { return other.content == token; })) return;
        parts_.added_tokens.push_back({token, 0, false, false, false, false, true});
    }

    void make_stages(const Class& kind, bool add_prefix_space, bool trim_offsets) {
        Json stages = {{"decoder", {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}}}};
        if (kind.normalizer != nullptr) stages["normalizer"] = Json::parse(kind.normalizer);
        Json pre_tokenizer = Json::parse(kind.pre_tokenizer);
        Json& bytes = pre_tokenizer.contains("pretokenizers") ? pre_tokenizer["pretokenizers"].back() : pre_tokenizer;
        if (!bytes.contains("add_prefix_space")) bytes["add_prefix_space"] = add_prefix_space;
        stages["pre_tokenizer"] = pre_tokenizer;

        Vocabulary vocabulary = read_vocabulary(folder_ / "vocab.json");
        const std::string merges = read_text_file(folder_ / "merges.txt", kMaxFile);
        require_utf8(merges, (folder_ / "merges.txt").string());
        if (kind.cls != nullptr) {
            const auto named = [&](const char* name) {
                const std::string& token = parts_.special_tokens.at(name);
                const auto id = vocabulary.find(token);
                if (!id) fail(Code::kCorrupt, "{}: {} {} is not in the vocabulary", parts_.name, name, quote(token));
                return Json::array({token, *id});
            };
            stages["post_processor"] = {{"type", "RobertaProcessing"},
                                        {"cls", named(kind.cls)},
                                        {"sep", named(kind.sep)},
                                        {"trim_offsets", trim_offsets},
                                        {"add_prefix_space", add_prefix_space}};
        }
        build_stages(StageFields(stages, folder_.string()), parts_);
        BpeOptions options;
        options.bytes = true;
        options.end_of_word_suffix = kind.suffix;
        if (kind.unk_in_model) options.unk_token = parts_.special_tokens.at("unk_token");
        parts_.model = std::make_unique<Bpe>(std::move(vocabulary), read_merges(merges), std::move(options));
    }

    std::filesystem::path folder_, config_path_;
    Json config_;
    TokenizerParts parts_;
};

}  // namespace

TokenizerParts load_vocab_merges(const std::filesystem::path& folder) {
    return make_named(folder.string(), [&] { return Loader(folder).load(); });
}

}  // namespace rag::core
