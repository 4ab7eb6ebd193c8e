#include "libtorch/lora/lora.hpp"

namespace rag::core::libtorch {
namespace {

struct Place {
    Linear* layer;
    std::size_t part;
};

std::unordered_map<std::string, Place> places_by_module(std::span<Linear* const> layers) {
    std::unordered_map<std::string, Place> places;
    for (Linear* layer : layers) {
        for (std::size_t part = 0; part < layer->spec().parts.size(); ++part) {
            places.emplace(layer->spec().parts[part].module, Place{layer, part});
        }
    }
    return places;
}

void check_pair(const AdapterPair& pair, const AdapterWeights& adapter, std::int64_t rows, std::int64_t inputs) {
    const auto& a = pair.a.shape;
    const auto& b = pair.b.shape;
    if (a.size() != 2 || b.size() != 2 || a[0] < 1 || a[0] != b[1] || a[1] != inputs || b[0] != rows) {
        fail(Code::kInvalidArgument, "adapter ", quote(adapter.source), ": ", quote(pair.module), " is a layer of shape ",
             shape_text(std::array{rows, inputs}), ", A has ", shape_text(a), " and B ", shape_text(b));
    }
    if (!std::isfinite(pair.scale)) {
        fail(Code::kInvalidArgument, "adapter ", quote(adapter.source), ": the scale of ", quote(pair.module), " is ",
             pair.scale);
    }
}

at::Tensor delta_of(const AdapterPair& pair, const AdapterWeights& adapter) {
    return at::matmul(to_float_tensor(pair.b, adapter.owner, adapter.source),
                      to_float_tensor(pair.a, adapter.owner, adapter.source))
        .mul_(pair.scale);
}

}  // namespace

std::vector<AdapterTarget> find_targets(const AdapterWeights& adapter, const WeightSource& source,
                                        std::span<Linear* const> layers, std::span<const std::string_view> unused) {
    if (adapter.pairs.empty()) {
        fail(Code::kInvalidArgument, "adapter ", quote(adapter.source), " holds no LoRA pair");
    }
    const auto places = places_by_module(layers);
    std::vector<AdapterTarget> targets;
    for (const AdapterPair& pair : adapter.pairs) {
        const std::string module = source.canonical(pair.module);
        if (std::find(unused.begin(), unused.end(), module) != unused.end() && source.has(module + ".weight")) {
            continue;
        }
        const auto place = places.find(module);
        if (place == places.end()) {
            fail(Code::kInvalidArgument, "adapter ", quote(adapter.source), ": the model of ", quote(source.source()),
                 " has no linear layer ", quote(pair.module));
        }
        const auto [layer, part] = place->second;
        for (const AdapterTarget& other : targets) {
            if (other.layer == layer && other.part == part) {
                fail(Code::kInvalidArgument, "adapter ", quote(adapter.source), " holds ", quote(pair.module), " twice");
            }
        }
        check_pair(pair, adapter, layer->spec().parts[part].rows, layer->spec().inputs);
        targets.push_back({layer, part, &pair});
    }
    if (targets.empty()) {
        fail(Code::kInvalidArgument, "adapter ", quote(adapter.source), " changes no layer that the model's output depends on");
    }
    return targets;
}

void AdapterSlot::merge(const AdapterWeights& adapter, const WeightSource& source, std::span<Linear* const> layers,
                        std::span<const std::string_view> unused) {
    if (!replaced_.empty()) {
        fail(Code::kInvalidState, "adapter ", quote(merged_), " is merged already; unmerge it first");
    }
    std::unordered_map<Linear*, std::vector<at::Tensor>> deltas;
    for (const AdapterTarget& target : find_targets(adapter, source, layers, unused)) {
        std::vector<at::Tensor>& of_layer = deltas[target.layer];
        of_layer.resize(target.layer->spec().parts.size());
        of_layer[target.part] = delta_of(*target.pair, adapter);
    }
    std::vector<Replaced> replaced;
    for (const auto& [layer, of_layer] : deltas) {
        replaced.push_back({layer, layer->with_deltas(of_layer)});
    }
    std::string merged = adapter.source;
    for (Replaced& entry : replaced) {
        entry.base = entry.layer->install(std::move(entry.base));
    }
    replaced_ = std::move(replaced);
    merged_ = std::move(merged);
}

void AdapterSlot::unmerge() {
    if (replaced_.empty()) {
        fail(Code::kInvalidState, "no adapter is merged");
    }
    for (Replaced& entry : replaced_) {
        entry.layer->install(std::move(entry.base));
    }
    replaced_.clear();
}

}  // namespace rag::core::libtorch
