#include "libtorch/quant/weight_source.hpp"

#include "libtorch/quant/dequantize.hpp"

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kSmallElements = std::int64_t{1} << 16;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;  // beyond any file; keeps byte counts from overflowing

}  // namespace

WeightSource::WeightSource(Weights weights, std::string_view prefix) : weights_(std::move(weights)), prefix_(prefix) {
    for (std::size_t i = 0; i < weights_.tensors.size(); ++i) {
        const std::string name = canonical(weights_.tensors[i].name);
        if (!by_name_.emplace(name, i).second) {
            fail(Code::kCorrupt, quote(weights_.source), " holds tensor ", quote(name), " twice");
        }
    }
}

void WeightSource::place_on(c10::Device device) {
    device_ = device;
    if (!device.is_cpu() && !weights_.identity.empty()) {
        weights_.identity += "\non " + device.str();
    }
}

std::string WeightSource::canonical(const std::string& name) const {
    return !prefix_.empty() && name.starts_with(prefix_) ? name.substr(prefix_.size()) : name;
}

at::Tensor WeightSource::float_tensor(const std::string& name, std::initializer_list<std::int64_t> shape) const {
    return to_float_tensor(view(name, std::span(shape.begin(), shape.size())), weights_.owner, weights_.source);
}

at::Tensor WeightSource::kept_tensor(const std::string& name, std::initializer_list<std::int64_t> shape) const {
    const at::Tensor tensor = float_tensor(name, shape);
    const TensorView* view = find(name);
    const bool mapped = tensor.const_data_ptr() == view->bytes.data();
    if (!device_.is_cpu()) {
        return tensor.to(device_);
    }
    return mapped && (copying_ || tensor.numel() <= kSmallElements) ? tensor.clone() : tensor;
}

const TensorView* WeightSource::find(const std::string& name) const {
    const auto found = by_name_.find(canonical(name));
    return found == by_name_.end() ? nullptr : &weights_.tensors[found->second];
}

const TensorView& WeightSource::view(const std::string& name, std::span<const std::int64_t> shape) const {
    poll(loading_);
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) {
        fail(Code::kCorrupt, quote(weights_.source), " has no tensor ", quote(name), " (expected shape ", shape_text(shape), ")");
    }
    const TensorView& view = weights_.tensors[found->second];
    if (!std::equal(shape.begin(), shape.end(), view.shape.begin(), view.shape.end())) {
        fail(Code::kCorrupt, "tensor ", quote(name), " of ", quote(weights_.source), " has shape ", shape_text(view.shape),
             ", the configuration asks for ", shape_text(shape));
    }
    check_view(view, weights_.source);
    return view;
}

void check_view(const TensorView& view, const std::string& source) {
    std::int64_t count = 1;
    for (const std::int64_t extent : view.shape) {
        if (extent <= 0 || extent > kMaxElements / count) {
            fail(Code::kCorrupt, "tensor ", quote(view.name), " of ", quote(source), " has shape ", shape_text(view.shape));
        }
        count *= extent;
    }
    if ((view.shape.empty() ? 1 : view.shape.back()) % block_values(view.type) != 0) {
        fail(Code::kCorrupt, "tensor ", quote(view.name), " of ", quote(source), " has shape ", shape_text(view.shape), ", but ",
             type_name(view.type), " comes in blocks of ", block_values(view.type));
    }
    if (is_matrix(view.type) && view.shape.size() != 2) {
        fail(Code::kCorrupt, "tensor ", quote(view.name), " of ", quote(source), " has shape ", shape_text(view.shape), ", but ",
             type_name(view.type), " is for matrices");
    }
    const std::uint64_t expected =
        is_matrix(view.type) ? matrix_bytes(view.type, view.shape[0], view.shape[1]) : encoded_bytes(view.type, count);
    if (view.bytes.size() != expected) {
        fail(Code::kCorrupt, "tensor ", quote(view.name), " of ", quote(source), " has ", view.bytes.size(), " bytes, shape ",
             shape_text(view.shape), " of ", type_name(view.type), " takes ", expected);
    }
}

at::Tensor to_float_tensor(const TensorView& view, const std::shared_ptr<const void>& owner, const std::string& source) {
    check_view(view, source);
    const std::int64_t count = at::size_from_dim_(0, view.shape);
    const auto address = reinterpret_cast<std::uintptr_t>(view.bytes.data());
    if (view.type == ElementType::kF32 && owner != nullptr && address % alignof(float) == 0) {
        // from_blob takes a mutable pointer; nothing writes to weights.
        void* data = const_cast<std::byte*>(view.bytes.data());
        return at::from_blob(data, view.shape, [owner](void*) {}, at::kFloat);
    }
    at::Tensor out = at::empty(view.shape, at::kFloat);
    if (is_matrix(view.type)) {
        dequantize_matrix(view.type, view.bytes.data(), view.shape[0], view.shape[1], out.mutable_data_ptr<float>());
        return out;
    }
    dequantize(view.type, view.bytes.data(), count, out.mutable_data_ptr<float>());
    return out;
}

at::Tensor restore_halves(const at::Tensor& weight, std::int64_t heads) {
    const std::int64_t half = weight.size(0) / heads / 2;
    return weight.view({heads, half, 2, weight.size(1)}).transpose(1, 2).contiguous().view(weight.sizes());
}

}  // namespace rag::core::libtorch
