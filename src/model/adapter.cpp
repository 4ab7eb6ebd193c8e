#include "model/adapter.hpp"

#include <cmath>
#include <map>
#include <optional>

#include "core/error.hpp"
#include "formats/safetensors.hpp"
#include "tokenizer/regex.hpp"

namespace rag::core {
namespace {

constexpr std::string_view kRoot = "base_model.model.";
constexpr std::string_view kSuffixA = ".lora_A.weight";
constexpr std::string_view kSuffixB = ".lora_B.weight";

/// Of ranks or alphas: each is compared with every layer.
constexpr std::size_t kMaxPatterns = 1024;

struct Pair {
    const TensorInfo* a = nullptr;
    const TensorInfo* b = nullptr;
};

/// Whether a key of a pattern names `module`, as PEFT decides: the regular expression (.*\.)?(key)$. A plain dotted name needs
/// none.
bool pattern_matches(const std::string& key, std::string_view module, const std::string& file) {
    if (key.find_first_of("^$*+?()[]{}|\\") != std::string::npos) {
        const Regex expression("^(?:.*\\.)?(?:" + key + ")$");
        std::vector<Span> found;
        expression.find_all(module, {0, static_cast<std::uint32_t>(module.size())}, found);
        return !found.empty();
    }
    if (key.empty()) fail(Code::kCorrupt, "{}: a pattern is empty", quote(file, 400));
    if (module == key) return true;
    return module.size() > key.size() && module.ends_with(key) && module[module.size() - key.size() - 1] == '.';
}

/// The value of the patterns for `module`. PEFT takes the first match in the file's order; two that disagree are refused.
template <typename T>
std::optional<T> pattern_value(const std::map<std::string, T>& patterns, std::string_view module, const std::string& file) {
    if (patterns.size() > kMaxPatterns)
        fail(Code::kUnsupported, "{}: {} patterns, at most {} are supported", quote(file, 400), patterns.size(), kMaxPatterns);
    std::optional<T> found;
    for (const auto& [key, value] : patterns) {
        if (!pattern_matches(key, module, file)) continue;
        if (found && *found != value)
            fail(Code::kUnsupported, "{}: the patterns give {} two values, {} and {}", quote(file, 400), quote(module), *found,
                 value);
        found = value;
    }
    return found;
}

/// The model's name of a module, or empty.
std::string layer_name(std::string_view module, const LinearShapes& layers) {
    if (layers.contains(module)) return std::string(module);
    constexpr std::string_view kBert = "bert.";
    if (module.starts_with(kBert) && layers.contains(module.substr(kBert.size())))
        return std::string(module.substr(kBert.size()));
    const std::string longer = "model." + std::string(module);
    return layers.contains(longer) ? longer : std::string();
}

std::map<std::string, Pair> find_pairs(const SafetensorsFile& file) {
    std::map<std::string, Pair> pairs;
    for (const TensorInfo& tensor : file.tensors()) {
        const std::string_view key = tensor.name;
        const bool is_a = key.ends_with(kSuffixA);
        if (!key.starts_with(kRoot) || !(is_a || key.ends_with(kSuffixB)) || key.size() <= kRoot.size() + kSuffixA.size())
            fail(Code::kUnsupported, "{}: key {} is not of the form base_model.model.MODULE.lora_A.weight or lora_B",
                 quote(file.name(), 400), quote(key));
        Pair& pair = pairs[std::string(key.substr(kRoot.size(), key.size() - kRoot.size() - kSuffixA.size()))];
        (is_a ? pair.a : pair.b) = &tensor;
    }
    return pairs;
}

void check_shape(const TensorInfo& tensor, std::int64_t rows, std::int64_t columns, const std::string& layer) {
    const std::vector<std::int64_t> expected = {rows, columns};
    if (tensor.shape != expected)
        fail(Code::kCorrupt, "{}: tensor {} has shape {}, the layer {} and the rank ask for {}", quote(tensor.file, 400),
             quote(tensor.name), describe_shape(tensor.shape), quote(layer), describe_shape(expected));
}

}  // namespace

std::int64_t adapter_rank(const LoraFolderConfig& config, std::string_view module, const std::string& file) {
    return pattern_value(config.rank_pattern, module, file).value_or(config.r);
}

float adapter_scale(const LoraFolderConfig& config, std::string_view module, std::int64_t rank, const std::string& file) {
    const double alpha = pattern_value(config.alpha_pattern, module, file).value_or(config.lora_alpha);
    const auto r = static_cast<double>(rank);
    return static_cast<float>(config.use_rslora ? alpha / std::sqrt(r) : alpha / r);
}

AdapterWeights read_adapter(const std::filesystem::path& folder, const LinearShapes& layers) {
    const LoraFolderConfig config = read_lora_config(folder);
    const std::string config_file = (folder / "adapter_config.json").string();
    const auto file = SafetensorsFile::open(folder / "adapter_model.safetensors");
    AdapterWeights adapter;
    adapter.owner = file;
    adapter.source = folder.string();
    for (const auto& [module, pair] : find_pairs(*file)) {
        if (pair.a == nullptr || pair.b == nullptr)
            fail(Code::kCorrupt, "{}: module {} has no {}", quote(file->name(), 400), quote(module),
                 pair.a == nullptr ? "lora_A" : "lora_B");
        const std::string layer = layer_name(module, layers);
        if (layer.empty()) fail(Code::kCorrupt, "{}: the model has no linear layer {}", quote(file->name(), 400), quote(module));
        const auto& shape = layers.find(layer)->second;
        if (shape.empty()) continue;
        const std::int64_t rank = adapter_rank(config, module, config_file);
        check_shape(*pair.a, rank, shape[1], layer);
        check_shape(*pair.b, shape[0], rank, layer);
        adapter.pairs.push_back({layer, view_tensor(*pair.a, pair.a->name), view_tensor(*pair.b, pair.b->name),
                                 adapter_scale(config, module, rank, config_file)});
    }
    if (adapter.pairs.empty()) fail(Code::kCorrupt, "{} holds no adapter weights", quote(file->name(), 400));
    return adapter;
}

}  // namespace rag::core
