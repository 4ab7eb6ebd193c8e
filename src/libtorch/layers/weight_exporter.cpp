#include "libtorch/layers/weight_exporter.hpp"

#include "libtorch/quant/encode.hpp"

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kMaxStatisticsBytes = std::int64_t{8} << 30;

// weight + scale * B * A for the adapter's pairs of `module`.
at::Tensor with_adapter(at::Tensor weight, const WeightSource& source, const std::string& module, const AdapterWeights& adapter) {
    for (const AdapterPair& pair : adapter.pairs) {
        if (source.canonical(pair.module) != module) {
            continue;
        }
        const at::Tensor delta = at::matmul(to_float_tensor(pair.b, adapter.owner, adapter.source),
                                            to_float_tensor(pair.a, adapter.owner, adapter.source))
                                     .mul_(pair.scale);
        if (delta.sizes() != weight.sizes()) {
            fail(Code::kInvalidArgument, "adapter ", quote(adapter.source), ": ", quote(pair.module), " is a layer of shape ",
                 shape_text(weight.sizes()), ", B * A has ", shape_text(delta.sizes()));
        }
        weight = weight.add(delta);
    }
    return weight;
}

// The tensor that the adapter puts in the place of `name`; null: it leaves it.
const TensorView* find_replaced(const WeightSource& source, const std::string& name, const AdapterWeights* adapter) {
    if (adapter == nullptr) {
        return nullptr;
    }
    const auto found = std::find_if(adapter->replaced.begin(), adapter->replaced.end(),
                                    [&](const TensorView& view) { return source.canonical(view.name) == name; });
    return found == adapter->replaced.end() ? nullptr : &*found;
}

}  // namespace

std::vector<std::byte> WeightExporter::write(const WeightSource& source, const std::vector<Linear*>& layers,
                                             const ExportRequest& request) const {
    const std::string name = source.canonical(request.name);
    const TensorView* replaced = find_replaced(source, name, request.adapter);
    for (const Linear* layer : layers) {
        for (std::size_t part = 0; part < layer->spec().parts.size(); ++part) {
            const std::string& module = layer->spec().parts[part].module;
            if (module + ".weight" != name) {
                continue;
            }
            if (request.type == ElementType::kInt4 && request.adapter == nullptr) {
                if (const auto packed = layer->four_bits(part); packed != nullptr) {
                    return bytes_of(packed->bytes());
                }
            }
            const at::Tensor weight = replaced != nullptr
                                          ? to_float_tensor(*replaced, request.adapter->owner, request.adapter->source)
                                          : layer->part_weight(part);
            const auto observed = statistics_.find(layer);
            const InputStatistics* statistics = observed == statistics_.end() ? nullptr : observed->second.get();
            return encode_tensor(request.adapter != nullptr ? with_adapter(weight, source, module, *request.adapter) : weight,
                                 request.type, statistics);
        }
    }
    if (replaced != nullptr) {
        return encode_tensor(to_float_tensor(*replaced, request.adapter->owner, request.adapter->source), request.type, nullptr);
    }
    const TensorView* view = source.find(name);
    if (view == nullptr) {
        fail(Code::kInvalidArgument, quote(source.source()), " has no tensor ", quote(request.name));
    }
    return encode_tensor(to_float_tensor(*view, source.owner(), source.source()), request.type, nullptr);
}

void WeightExporter::observe(const std::vector<Linear*>& layers, bool on) {
    if (!on) {
        for (Linear* layer : layers) {
            layer->observe(nullptr);
        }
        return;
    }
    std::int64_t bytes = 0;
    for (const Linear* layer : layers) {
        bytes += layer->spec().inputs * layer->spec().inputs * static_cast<std::int64_t>(sizeof(float));
    }
    if (bytes > kMaxStatisticsBytes) {
        fail(Code::kUnsupported, "observing the inputs of ", layers.size(), " layers takes ", bytes, " bytes, at most ",
             kMaxStatisticsBytes, " are used");
    }
    statistics_.clear();
    for (Linear* layer : layers) {
        layer->observe(statistics_[layer] = std::make_shared<InputStatistics>());
    }
}

}  // namespace rag::core::libtorch
