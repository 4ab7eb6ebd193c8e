// Tokenizer::from_pretrained: which file of a folder is the tokenizer.
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

TokenizerParts load(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) fail(Code::kNotFound, "no tokenizer at {}", quote(path.string()));
    if (std::filesystem::is_directory(path, ignored)) {
        if (std::filesystem::exists(path / "tokenizer.json", ignored)) {
            TokenizerParts parts = load_json_file(path / "tokenizer.json");
            load_configuration(path, parts);
            return parts;
        }
        if (std::filesystem::exists(path / "vocab.txt", ignored)) return load_vocab_text(path / "vocab.txt");
        fail(Code::kNotFound, "no tokenizer.json or vocab.txt in {}", quote(path.string()));
    }
    if (is_gguf(path)) return load_gguf(path);
    return path.extension() == ".txt" ? load_vocab_text(path) : load_json_file(path);
}

}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::from_pretrained(const std::filesystem::path& path) {
    return std::make_shared<const Tokenizer>(load(path));
}

std::shared_ptr<const Tokenizer> Tokenizer::from_json(std::string_view json, const std::string& name) {
    return std::make_shared<const Tokenizer>(load_json(json, name));
}

}  // namespace rag::core
