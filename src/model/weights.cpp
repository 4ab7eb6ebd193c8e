#include "model/weights.hpp"

#include "core/checksum.hpp"
#include "core/error.hpp"

namespace rag::core {
namespace {

/// Whether the backend reads the type, and as what.
bool element_type(TensorType type, ElementType& out) {
    switch (type) {
        case TensorType::kF32:
            out = ElementType::kF32;
            return true;
        case TensorType::kF16:
            out = ElementType::kF16;
            return true;
        case TensorType::kBF16:
            out = ElementType::kBF16;
            return true;
        case TensorType::kQ8_0:
            out = ElementType::kQ8_0;
            return true;
        case TensorType::kQ4_0:
            out = ElementType::kQ4_0;
            return true;
        case TensorType::kQ4_1:
            out = ElementType::kQ4_1;
            return true;
        default:
            return false;
    }
}

std::uint64_t checksum_text(std::string_view text, std::uint64_t seed) {
    return checksum64(std::as_bytes(std::span(text)), seed);
}

}  // namespace

TensorView view_tensor(const TensorInfo& tensor, const std::string& name) {
    TensorView view;
    if (!element_type(tensor.type, view.type))
        fail(Code::kUnsupported, "{}: tensor {} has the element type {}; F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are supported",
             quote(tensor.file, 400), quote(tensor.name), tensor.type_name);
    view.name = name;
    view.shape = tensor.shape;
    view.bytes = tensor.bytes;
    return view;
}

Weights gather_weights(std::span<const ExpectedTensor> expected, const FindTensor& find, std::shared_ptr<const void> owner,
                       const std::string& source) {
    Weights weights;
    weights.owner = std::move(owner);
    weights.source = source;
    weights.tensors.reserve(expected.size());
    for (const ExpectedTensor& wanted : expected) {
        const TensorInfo* tensor = find(wanted.file_name);
        if (tensor == nullptr)
            fail(Code::kCorrupt, "{}: tensor {} of shape {} is missing", quote(source, 400), quote(wanted.file_name),
                 describe_shape(wanted.shape));
        if (tensor->shape != wanted.shape)
            fail(Code::kCorrupt, "{}: tensor {} has shape {}, the configuration asks for {}", quote(tensor->file, 400),
                 quote(tensor->name), describe_shape(tensor->shape), describe_shape(wanted.shape));
        weights.tensors.push_back(view_tensor(*tensor, wanted.name));
    }
    return weights;
}

LinearShapes linear_shapes(std::span<const ExpectedTensor> expected) {
    constexpr std::string_view kSuffix = ".weight";
    LinearShapes shapes;
    for (const ExpectedTensor& tensor : expected) {
        if (tensor.linear) shapes.emplace(tensor.name.substr(0, tensor.name.size() - kSuffix.size()), tensor.shape);
    }
    return shapes;
}

std::uint64_t checksum_weights(const Weights& weights) {
    std::uint64_t sum = 0;
    for (const TensorView& tensor : weights.tensors) {
        sum = checksum_text(tensor.name, sum);
        sum = checksum_text(describe_shape(tensor.shape), sum);
        sum = checksum64(tensor.bytes, sum);
    }
    return sum;
}

}  // namespace rag::core
