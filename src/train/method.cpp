#include "train/method.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.hpp"
#include "train/trained_model.hpp"

namespace rag::core {
namespace {

/// Those that the settings name, or queries and values as the families call them.
std::vector<std::string> wanted_targets(const TrainerConfig& config) {
    if (!config.target_modules.empty()) return config.target_modules;
    return {"q_proj", "v_proj", "query", "value", "q_lin", "v_lin", "attn.q", "attn.v", "Wqkv"};
}

bool is_target(std::string_view module, std::string_view target) {
    if (module == target) return true;
    return module.size() > target.size() && module.ends_with(target) && module[module.size() - target.size() - 1] == '.';
}

bool all_linear(const TrainerConfig& config) {
    return config.target_modules.size() == 1 && config.target_modules.front() == "all-linear";
}

}  // namespace

float pair_scale(const TrainerConfig& config) {
    const auto r = static_cast<double>(config.r);
    return static_cast<float>(config.alpha / (config.rslora ? std::sqrt(r) : r));
}

std::vector<TrainedPair> choose_pairs(const LinearShapes& layers, const std::vector<std::string>& heads,
                                      const TrainerConfig& config) {
    const bool given = !config.target_modules.empty();
    const std::vector<std::string> targets = wanted_targets(config);
    std::set<std::string> used;
    std::vector<TrainedPair> pairs;
    for (const auto& [module, shape] : layers) {
        if (shape.empty() || std::find(heads.begin(), heads.end(), module) != heads.end()) continue;
        bool wanted = false;
        if (all_linear(config)) {
            wanted = module != "lm_head" && !module.ends_with(".gate");
        } else {
            for (const std::string& target : targets) {
                if (!is_target(module, target)) continue;
                used.insert(target);
                wanted = true;
            }
        }
        if (wanted) pairs.push_back({module, config.r, pair_scale(config)});
    }
    std::set<std::string> known;
    for (const auto& [module, shape] : layers) known.insert(module.substr(module.rfind('.') + 1));
    std::string names;
    for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
    for (const std::string& target : targets) {
        if (given && !all_linear(config) && !used.contains(target))
            fail(Code::kInvalidArgument, "target_modules: the model has no linear layer {}; it has {}", quote(target), names);
    }
    if (pairs.empty())
        fail(Code::kInvalidArgument, "target_modules: name the linear layers that LoRA is to change; the model has {}", names);
    return pairs;
}

std::vector<std::string> choose_full(const Weights& weights, const TrainerConfig& config) {
    std::vector<std::string> names;
    std::int64_t layers = 0;
    for (const TensorView& tensor : weights.tensors) layers = std::max(layers, layer_number(tensor.name) + 1);
    if (config.freeze_layers > layers)
        fail(Code::kInvalidArgument, "freeze_layers is {}, the model has {} layers", config.freeze_layers, layers);
    for (const TensorView& tensor : weights.tensors) {
        const std::int64_t layer = layer_number(tensor.name);
        // Dense modules behind the pooling lie in folders of their own, and stay.
        if (tensor.name.starts_with("dense.")) continue;
        const bool embedding = tensor.name.starts_with("embeddings.") || tensor.name.ends_with("embed_tokens.weight");
        if ((embedding && config.freeze_embeddings) || (layer >= 0 && layer < config.freeze_layers)) continue;
        names.push_back(tensor.name);
    }
    if (names.empty()) fail(Code::kInvalidArgument, "freeze_layers and freeze_embeddings leave nothing to train");
    return names;
}

std::vector<std::string> target_names(const std::vector<TrainedPair>& pairs, const TrainerConfig& config) {
    std::vector<std::string> names;
    if (all_linear(config)) {
        for (const TrainedPair& pair : pairs) names.push_back(pair.module);
        return names;
    }
    for (const std::string& target : wanted_targets(config)) {
        if (std::any_of(pairs.begin(), pairs.end(), [&](const TrainedPair& pair) { return is_target(pair.module, target); }))
            names.push_back(target);
    }
    return names;
}

}  // namespace rag::core
