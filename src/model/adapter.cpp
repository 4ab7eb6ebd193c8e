#include "model/adapter.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
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

/// The model's name of what PEFT calls `name`, or empty: as it is, without the body's name in front ("bert."), or with "model.".
std::string model_name(std::string_view name, const std::function<bool(std::string_view)>& has) {
    if (has(name)) return std::string(name);
    const std::size_t dot = name.find('.');
    if (dot != std::string_view::npos && has(name.substr(dot + 1))) return std::string(name.substr(dot + 1));
    std::string longer = "model." + std::string(name);
    return has(longer) ? longer : std::string();
}

std::string layer_name(std::string_view module, const LinearShapes& layers) {
    return model_name(module, [&](std::string_view name) { return layers.contains(name); });
}

/// What a PEFT file holds: pairs by module, and whole tensors by the names they have without PEFT's wrappers.
struct AdapterContent {
    std::map<std::string, Pair> pairs;
    std::map<std::string, const TensorInfo*> whole;
};

/// Takes ".base_layer" or the like out of a key.
std::string without(std::string_view key, std::string_view wrapper) {
    std::string out(key);
    if (const std::size_t at = out.find(wrapper); at != std::string::npos) out.erase(at, wrapper.size());
    return out;
}

/// Whether the configuration says that this tensor lies in the file whole.
bool is_whole(const LoraFolderConfig& config, std::string_view name) {
    if (config.trained_biases && name.ends_with(".bias")) return true;
    // As PEFT: a module whose name ends so ("norm" is input_layernorm too), and what is inside it.
    for (std::size_t dot = name.rfind('.'); dot != std::string_view::npos && dot > 0; dot = name.rfind('.', dot - 1)) {
        const std::string_view module = name.substr(0, dot);
        for (const std::string& saved : config.modules_to_save) {
            if (module.ends_with(saved)) return true;
        }
    }
    return false;
}

/// A base weight that PEFT wrote beside the pair of its layer, as it does for output layers (save_embedding_layers). It was not
/// trained, so the model's own stays.
bool is_base_weight(const SafetensorsFile& file, std::string_view key) {
    constexpr std::string_view kBase = ".base_layer.weight";
    if (!key.ends_with(kBase)) return false;
    return file.find(std::string(key.substr(0, key.size() - kBase.size())) + std::string(kSuffixA)) != nullptr;
}

AdapterContent read_content(const SafetensorsFile& file, const LoraFolderConfig& config) {
    constexpr std::string_view kWrapper = ".modules_to_save.", kOriginal = ".original_module.";
    AdapterContent content;
    for (const TensorInfo& tensor : file.tensors()) {
        const std::string_view key = tensor.name;
        const bool is_a = key.ends_with(kSuffixA);
        const bool rooted = key.starts_with(kRoot);
        if (rooted && (is_a || key.ends_with(kSuffixB)) && key.size() > kRoot.size() + kSuffixA.size()) {
            Pair& pair = content.pairs[std::string(key.substr(kRoot.size(), key.size() - kRoot.size() - kSuffixA.size()))];
            (is_a ? pair.a : pair.b) = &tensor;
            continue;
        }
        // With trained biases PEFT writes the head's twice more: as its wrapper calls them.
        if (rooted && config.trained_biases && (key.find(kOriginal) != key.npos || key.find(kWrapper) != key.npos)) continue;
        if (rooted && is_base_weight(file, key)) continue;
        const std::string name = rooted ? without(key.substr(kRoot.size()), ".base_layer") : std::string();
        if (!rooted || !is_whole(config, name) || !content.whole.emplace(name, &tensor).second)
            fail(Code::kUnsupported,
                 "{}: key {} is neither of the form base_model.model.MODULE.lora_A.weight or lora_B nor a tensor of "
                 "modules_to_save or bias",
                 quote(file.name(), 400), quote(key));
    }
    return content;
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

namespace {

void add_pairs(const AdapterContent& content, const SafetensorsFile& file, const LoraFolderConfig& config,
               const std::string& config_file, const LinearShapes& layers, AdapterWeights& adapter) {
    for (const auto& [module, pair] : content.pairs) {
        if (pair.a == nullptr || pair.b == nullptr)
            fail(Code::kCorrupt, "{}: module {} has no {}", quote(file.name(), 400), quote(module),
                 pair.a == nullptr ? "lora_A" : "lora_B");
        const std::string layer = layer_name(module, layers);
        if (layer.empty()) fail(Code::kCorrupt, "{}: the model has no linear layer {}", quote(file.name(), 400), quote(module));
        const auto& shape = layers.find(layer)->second;
        if (shape.empty()) continue;
        const std::int64_t rank = adapter_rank(config, module, config_file);
        check_shape(*pair.a, rank, shape[1], layer);
        check_shape(*pair.b, shape[0], rank, layer);
        adapter.pairs.push_back({layer, view_tensor(*pair.a, pair.a->name), view_tensor(*pair.b, pair.b->name),
                                 adapter_scale(config, module, rank, config_file)});
    }
}

void add_whole(const AdapterContent& content, const SafetensorsFile& file, const LinearShapes& layers, const Weights& weights,
               AdapterWeights& adapter) {
    std::map<std::string_view, const TensorView*> known;
    for (const TensorView& tensor : weights.tensors) known.emplace(tensor.name, &tensor);
    for (const auto& [name, tensor] : content.whole) {
        const std::string layer = layer_name(std::string_view(name).substr(0, name.rfind('.')), layers);
        if (!layer.empty() && layers.find(layer)->second.empty()) continue;  // nothing depends on it
        const std::string ours = model_name(name, [&](std::string_view one) { return known.contains(one); });
        if (ours.empty() && name.ends_with("lm_head.weight"))
            fail(Code::kUnsupported,
                 "{}: tensor {} is an output layer of its own, the model's is its embedding table; "
                 "merge the adapter with peft and open the whole model",
                 quote(file.name(), 400), quote(tensor->name));
        if (ours.empty()) fail(Code::kCorrupt, "{}: the model has no tensor {}", quote(file.name(), 400), quote(name));
        const TensorView& base = *known.find(ours)->second;
        if (layer.empty() && base.shape.size() == 2)
            fail(Code::kUnsupported,
                 "{}: tensor {} would take the place of a table of the model's, which no adapter does here; "
                 "merge the adapter with peft and open the whole model",
                 quote(file.name(), 400), quote(tensor->name));
        if (tensor->shape != base.shape)
            fail(Code::kCorrupt, "{}: tensor {} has shape {}, the model's has {}", quote(file.name(), 400), quote(tensor->name),
                 describe_shape(tensor->shape), describe_shape(base.shape));
        adapter.replaced.push_back(view_tensor(*tensor, ours));
    }
}

}  // namespace

AdapterWeights read_adapter(const std::filesystem::path& folder, const LinearShapes& layers, const Weights* weights) {
    const LoraFolderConfig config = read_lora_config(folder);
    const auto file = SafetensorsFile::open(folder / "adapter_model.safetensors");
    AdapterWeights adapter;
    adapter.owner = file;
    adapter.source = folder.string();
    const AdapterContent content = read_content(*file, config);
    add_pairs(content, *file, config, (folder / "adapter_config.json").string(), layers, adapter);
    if (!content.whole.empty() && weights == nullptr)
        fail(Code::kUnsupported, "{}: tensor {} would take the place of the model's", quote(file->name(), 400),
             quote(content.whole.begin()->second->name));
    if (weights != nullptr) add_whole(content, *file, layers, *weights, adapter);
    if (adapter.pairs.empty() && adapter.replaced.empty())
        fail(Code::kCorrupt, "{} holds no adapter weights", quote(file->name(), 400));
    return adapter;
}

}  // namespace rag::core
