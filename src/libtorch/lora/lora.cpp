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
    if (adapter.pairs.empty() && adapter.replaced.empty()) {
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
    if (targets.empty() && adapter.replaced.empty()) {
        fail(Code::kInvalidArgument, "adapter ", quote(adapter.source), " changes no layer that the model's output depends on");
    }
    return targets;
}

namespace {

struct Changes {
    std::unordered_map<Linear*, std::vector<PartChange>> layers;
    std::vector<std::pair<at::Tensor*, at::Tensor>> tensors;  // of norms: where they lie, what they become

    PartChange& of(Linear* layer, std::size_t part) {
        std::vector<PartChange>& parts = layers[layer];
        parts.resize(layer->spec().parts.size());
        return parts[part];
    }
};

// A tensor that the adapter brings, checked for the shape that the model has.
at::Tensor replacement(const TensorView& view, const AdapterWeights& adapter, at::IntArrayRef shape) {
    at::Tensor tensor = to_float_tensor(view, adapter.owner, adapter.source);
    if (tensor.sizes() != shape) {
        fail(Code::kInvalidArgument, "adapter ", quote(adapter.source), ": ", quote(view.name), " has shape ",
             shape_text(tensor.sizes()), ", the model's has ", shape_text(shape));
    }
    return tensor;
}

bool replace_in_layer(const TensorView& view, const AdapterWeights& adapter, const std::string& name,
                      std::span<Linear* const> layers, Changes& changes) {
    for (Linear* layer : layers) {
        for (std::size_t index = 0; index < layer->spec().parts.size(); ++index) {
            const LinearPart& part = layer->spec().parts[index];
            if (name == part.module + ".weight") {
                changes.of(layer, index).weight = replacement(view, adapter, {part.rows, layer->spec().inputs});
                return true;
            }
            if (name == part.module + ".bias" && layer->spec().bias) {
                changes.of(layer, index).bias = replacement(view, adapter, {part.rows});
                return true;
            }
        }
    }
    return false;
}

bool replace_in_norm(const TensorView& view, const AdapterWeights& adapter, const std::string& name,
                     std::span<const NormTensors> norms, Changes& changes) {
    for (const NormTensors& norm : norms) {
        if (name == norm.module + ".weight") {
            const at::Tensor weight = replacement(view, adapter, norm.weight->sizes());
            changes.tensors.emplace_back(norm.weight, norm.unit_offset ? weight.add(1.0) : weight);
            return true;
        }
        if (name == norm.module + ".bias" && norm.bias != nullptr && norm.bias->defined()) {
            changes.tensors.emplace_back(norm.bias, replacement(view, adapter, norm.bias->sizes()));
            return true;
        }
    }
    return false;
}

}  // namespace

void AdapterSlot::merge(const AdapterWeights& adapter, const WeightSource& source, const Changeable& model,
                        std::span<const std::string_view> unused) {
    if (!merged_.empty()) {
        fail(Code::kInvalidState, "adapter ", quote(merged_), " is merged already; unmerge it first");
    }
    Changes changes;
    for (const AdapterTarget& target : find_targets(adapter, source, model.layers, unused)) {
        changes.of(target.layer, target.part).delta = delta_of(*target.pair, adapter);
    }
    for (const TensorView& view : adapter.replaced) {
        const std::string name = source.canonical(view.name);
        if (!replace_in_layer(view, adapter, name, model.layers, changes) &&
            !replace_in_norm(view, adapter, name, model.norms, changes)) {
            fail(Code::kUnsupported, "adapter ", quote(adapter.source), " replaces ", quote(view.name),
                 ", which is no linear layer's and no norm's of ", quote(source.source()));
        }
    }
    std::vector<Replaced> replaced;
    for (const auto& [layer, parts] : changes.layers) {
        replaced.push_back({layer, layer->with_changes(parts)});
    }
    std::vector<ReplacedTensor> tensors;
    for (auto& [tensor, value] : changes.tensors) {
        tensors.push_back({tensor, value.contiguous().to(source.device())});
    }
    std::string merged = adapter.source.empty() ? "without a name" : adapter.source;
    for (Replaced& entry : replaced) {
        entry.base = entry.layer->install(std::move(entry.base));
    }
    for (ReplacedTensor& entry : tensors) {
        std::swap(*entry.tensor, entry.base);
    }
    replaced_ = std::move(replaced);
    replaced_tensors_ = std::move(tensors);
    merged_ = std::move(merged);
}

void AdapterSlot::unmerge() {
    if (merged_.empty()) {
        fail(Code::kInvalidState, "no adapter is merged");
    }
    for (Replaced& entry : replaced_) {
        entry.layer->install(std::move(entry.base));
    }
    for (ReplacedTensor& entry : replaced_tensors_) {
        std::swap(*entry.tensor, entry.base);
    }
    replaced_.clear();
    replaced_tensors_.clear();
    merged_.clear();
}

}  // namespace rag::core::libtorch
