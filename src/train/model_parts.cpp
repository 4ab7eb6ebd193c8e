#include "train/model_parts.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "core/error.hpp"
#include "core/sha256.hpp"
#include "formats/file_sums.hpp"

namespace rag::core {
namespace {

using json = nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kMostNamed = 5;
constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

constexpr std::array<std::string_view, 15> kRead = {"config.json",
                                                    "tokenizer.json",
                                                    "tokenizer_config.json",
                                                    "special_tokens_map.json",
                                                    "added_tokens.json",
                                                    "generation_config.json",
                                                    "chat_template.jinja",
                                                    "vocab.json",
                                                    "merges.txt",
                                                    "vocab.txt",
                                                    "pattern.txt",
                                                    "modules.json",
                                                    "sentence_bert_config.json",
                                                    "config_sentence_transformers.json",
                                                    kWeights};

/// Null for what is no JSON: the loader has its say about that.
json read_json(const fs::path& path) {
    std::ifstream in(path);
    return json::parse(in, nullptr, false);
}

/// The index of a model in shards and the shards; nothing where the weights are one file.
std::set<std::string> shards_of(const fs::path& folder) {
    std::error_code ignored;
    std::set<std::string> names;
    if (fs::exists(folder / kWeights, ignored)) return names;
    const json index = read_json(folder / kIndex);
    if (!index.is_object() || !index.contains("weight_map")) return names;
    names.insert(kIndex);
    for (const json& shard : index["weight_map"]) {
        if (shard.is_string()) names.insert(shard.get<std::string>());
    }
    return names;
}

bool is_read(const std::string& name) {
    const std::string suffix = fs::path(name).extension().string();
    if (suffix == ".model" || suffix == ".tiktoken" || (suffix == ".txt" && name.starts_with("rwkv_vocab"))) return true;
    return std::find(kRead.begin(), kRead.end(), name) != kRead.end();
}

}  // namespace

std::vector<fs::path> model_folders(const fs::path& model) {
    std::vector<fs::path> folders{model};
    const json modules = read_json(model / "modules.json");
    if (!modules.is_array()) return folders;
    for (const json& module : modules) {
        if (!module.is_object() || !module.contains("path") || !module["path"].is_string()) continue;
        const fs::path path = fs::path(module["path"].get<std::string>()).lexically_normal();
        if (path.empty() || path == "." || path.is_absolute() || *path.begin() == "..") continue;
        folders.push_back(model / path);
    }
    return folders;
}

std::map<std::string, std::string> model_sums(const fs::path& model) {
    std::map<std::string, std::string> sums;
    if (!fs::is_directory(model)) {
        sums[model.filename().string()] = file_sha256(model);
        return sums;
    }
    std::error_code ignored;
    for (const fs::path& folder : model_folders(model)) {
        const std::set<std::string> shards = shards_of(folder);
        for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
            const std::string name = entry.path().filename().string();
            if (!entry.is_regular_file(ignored) || (!is_read(name) && !shards.contains(name))) continue;
            sums[entry.path().lexically_relative(model).generic_string()] = file_sha256(entry.path());
        }
    }
    return sums;
}

std::string model_sha256(const std::map<std::string, std::string>& sums) {
    Sha256 sum;
    for (const auto& [name, value] : sums) {
        const std::string line = fmt::format("{}  {}\n", value, name);
        sum.add(std::as_bytes(std::span(line)));
    }
    return sum.finish();
}

std::string describe_differences(const std::map<std::string, std::string>& before,
                                 const std::map<std::string, std::string>& now) {
    std::map<std::string, std::string> found;  // with what became of each
    for (const auto& [name, sum] : before) {
        const auto same = now.find(name);
        if (same == now.end()) found[name] = " (gone)";
        if (same != now.end() && same->second != sum) found[name] = "";
    }
    for (const auto& [name, sum] : now) {
        if (!before.contains(name)) found[name] = " (added)";
    }
    std::string out;
    std::size_t named = 0;
    for (const auto& [name, fate] : found) {
        if (named++ == kMostNamed) return out + fmt::format(" and {} more", found.size() - kMostNamed);
        out += (out.empty() ? "" : ", ") + quote(name, 100) + fate;
    }
    return out;
}

}  // namespace rag::core
