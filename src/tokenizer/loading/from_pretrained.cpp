// Tokenizer::from_pretrained: which file of a folder is the tokenizer.
#include <algorithm>
#include <iterator>
#include <string_view>

#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kMaxTokenizerJson = std::size_t{256} << 20;

TokenizerParts load_json_file(const std::filesystem::path& path) {
    return load_json(read_text_file(path, kMaxTokenizerJson), path.string());
}

bool is_gguf(const std::filesystem::path& path) {
    const auto file = MappedFile::open(path);
    const auto bytes = file->bytes();
    return bytes.size() >= 4 && std::string_view(reinterpret_cast<const char*>(bytes.data()), 4) == "GGUF";
}

// A file of text: a BERT's or an RWKV's vocabulary.
TokenizerParts load_text(const std::filesystem::path& path) {
    const std::string text = read_text_file(path, kMaxTokenizerJson);
    return is_rwkv_vocabulary(text) ? load_rwkv(text, path.string()) : load_vocab_text(path);
}

// The one file of a folder that `is_it` says yes to; empty if there is none.
template <typename Predicate>
std::filesystem::path find_one(const std::filesystem::path& folder, Predicate is_it) {
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (!is_it(entry.path())) continue;
        if (!found.empty()) {
            fail(Code::kInvalidArgument, "{} and {} may both be the tokenizer: name one of them", quote(found.string()),
                 quote(entry.path().string()));
        }
        found = entry.path();
    }
    return found;
}

TokenizerParts load_folder(const std::filesystem::path& folder) {
    const auto has = [&](const char* name) { return std::filesystem::exists(folder / name); };
    if (has("tokenizer.json")) {
        TokenizerParts parts = load_json_file(folder / "tokenizer.json");
        load_configuration(folder, parts);
        add_missing_tokens(folder, parts);
        return parts;
    }
    if (has("vocab.json") && has("merges.txt")) return load_vocab_merges(folder);
    const auto tiktoken = find_one(folder, [](const auto& path) { return path.extension() == ".tiktoken"; });
    if (!tiktoken.empty()) return load_tiktoken(tiktoken);
    const auto sentencepiece = find_one(folder, [](const auto& path) { return path.extension() == ".model"; });
    if (!sentencepiece.empty()) return load_sentencepiece_folder(sentencepiece);
    if (has("vocab.txt")) return load_text(folder / "vocab.txt");
    const auto rwkv = find_one(folder, [](const auto& path) {
        return path.extension() == ".txt" && path.filename().string().starts_with("rwkv_vocab");
    });
    if (!rwkv.empty()) return load_text(rwkv);
    fail(Code::kNotFound,
         "no tokenizer.json, vocab.json with merges.txt, *.tiktoken, *.model, vocab.txt or rwkv_vocab*.txt in {}",
         quote(folder.string()));
}

// Files beside a tokenizer's that are none themselves.
void refuse_part(const std::filesystem::path& path) {
    static constexpr std::string_view kParts[] = {"vocab.json",
                                                  "merges.txt",
                                                  "config.json",
                                                  "tokenizer_config.json",
                                                  "special_tokens_map.json",
                                                  "added_tokens.json",
                                                  "generation_config.json"};
    const std::string name = path.filename().string();
    if (std::find(std::begin(kParts), std::end(kParts), name) == std::end(kParts)) return;
    fail(Code::kInvalidArgument, "{} is one of several files of a tokenizer: open the folder that it is in",
         quote(path.string()));
}

TokenizerParts load(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
        fail(Code::kNotFound, "no tokenizer at {}: there is no such file or folder, and nothing is downloaded",
             quote(path.string()));
    }
    if (std::filesystem::is_directory(path, ignored)) return load_folder(path);
    refuse_part(path);
    if (is_gguf(path)) return load_gguf(path);
    if (path.extension() == ".tiktoken") return load_tiktoken(path);
    if (path.extension() == ".model" || path.extension() == ".spm") {
        return load_sentencepiece(MappedFile::open(path)->bytes(), path.string());
    }
    return path.extension() == ".txt" ? load_text(path) : load_json_file(path);
}

}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::from_pretrained(const std::filesystem::path& path) {
    return std::make_shared<const Tokenizer>(load(path));
}

std::shared_ptr<const Tokenizer> Tokenizer::from_json(std::string_view json, const std::string& name,
                                                      std::string_view configuration) {
    TokenizerParts parts = load_json(std::string(json), name);
    if (!configuration.empty()) read_configuration(configuration, "tokenizer_config.json", parts);
    return std::make_shared<const Tokenizer>(std::move(parts));
}

}  // namespace rag::core
