#include "model/weights.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <set>

#include "core/checksum.hpp"
#include "core/error.hpp"
#include "core/file_identity.hpp"
#include "formats/packed_matrix.hpp"

namespace rag::core {
namespace {

struct TypePair {
    TensorType in_file;
    ElementType for_backend;
};
constexpr std::array kTypes = {TypePair{TensorType::kF32, ElementType::kF32},   TypePair{TensorType::kF16, ElementType::kF16},
                               TypePair{TensorType::kBF16, ElementType::kBF16}, TypePair{TensorType::kQ8_0, ElementType::kQ8_0},
                               TypePair{TensorType::kQ4_0, ElementType::kQ4_0}, TypePair{TensorType::kQ4_1, ElementType::kQ4_1},
                               TypePair{TensorType::kQ5_0, ElementType::kQ5_0}, TypePair{TensorType::kQ5_1, ElementType::kQ5_1},
                               TypePair{TensorType::kQ2K, ElementType::kQ2K},   TypePair{TensorType::kQ3K, ElementType::kQ3K},
                               TypePair{TensorType::kQ4K, ElementType::kQ4K},   TypePair{TensorType::kQ5K, ElementType::kQ5K},
                               TypePair{TensorType::kQ6K, ElementType::kQ6K}};

std::uint64_t checksum_text(std::string_view text, std::uint64_t seed) {
    return checksum64(std::as_bytes(std::span(text)), seed);
}

}  // namespace

TensorView view_tensor(const TensorInfo& tensor, const std::string& name) {
    const auto* known = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypePair& t) { return t.in_file == tensor.type; });
    if (known == kTypes.end())
        fail(Code::kUnsupported,
             "{}: tensor {} has the element type {}; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 and Q2_K to Q6_K are supported",
             quote(tensor.file, 400), quote(tensor.name), tensor.type_name);
    TensorView view;
    view.type = known->for_backend;
    view.name = name;
    view.shape = tensor.shape;
    view.bytes = tensor.bytes;
    return view;
}

std::string_view packed_suffix(ElementType type) {
    return type == ElementType::kInt4 ? kInt4Suffix : kInt8Suffix;
}

std::vector<std::int64_t> packed_shape(ElementType type, std::span<const std::int64_t> shape) {
    if (type != ElementType::kInt4) return {shape[0], shape[1] + kInt8ScaleBytes};
    return {(shape[0] + kInt4Outputs - 1) / kInt4Outputs, (shape[1] + kInt4Inputs - 1) / kInt4Inputs, kInt4TileBytes};
}

namespace {

/// Of all files; empty if one of them is none (bytes in memory).
std::string identity_of(const std::set<std::string_view>& files) {
    std::string all;
    for (const std::string_view file : files) {
        const std::string one = file_identity(std::filesystem::path(file));
        if (one.empty()) return {};
        all += one + " ";
    }
    return all;
}

/// The matrix `wanted` in librag's own packing, and the file that has it; nullopt if there is none.
std::optional<std::pair<TensorView, std::string_view>> find_packed(const ExpectedTensor& wanted, const FindTensor& find) {
    if (wanted.shape.size() != 2) return std::nullopt;
    for (const ElementType type : {ElementType::kInt8, ElementType::kInt4}) {
        const TensorInfo* tensor = find(wanted.file_name + std::string(packed_suffix(type)));
        if (tensor == nullptr) continue;
        const auto shape = packed_shape(type, wanted.shape);
        if (tensor->type != TensorType::kU8 || tensor->shape != shape)
            fail(Code::kCorrupt, "{}: tensor {} is {} of shape {}, the configuration asks for U8 of shape {}",
                 quote(tensor->file, 400), quote(tensor->name), tensor->type_name, describe_shape(tensor->shape),
                 describe_shape(shape));
        return std::pair(TensorView{wanted.name, type, wanted.shape, tensor->bytes}, tensor->file);
    }
    return std::nullopt;
}

}  // namespace

Weights gather_weights(std::span<const ExpectedTensor> expected, const FindTensor& find, std::shared_ptr<const void> owner,
                       const std::string& source) {
    Weights weights;
    weights.owner = std::move(owner);
    weights.source = source;
    weights.tensors.reserve(expected.size());
    std::set<std::string_view> files;
    for (const ExpectedTensor& wanted : expected) {
        const TensorInfo* tensor = find(wanted.file_name);
        if (tensor == nullptr) {
            if (auto packed = find_packed(wanted, find)) {
                files.insert(packed->second);
                weights.tensors.push_back(std::move(packed->first));
                continue;
            }
        }
        if (tensor == nullptr)
            fail(Code::kCorrupt, "{}: tensor {} of shape {} is missing", quote(source, 400), quote(wanted.file_name),
                 describe_shape(wanted.shape));
        if (tensor->shape != wanted.shape)
            fail(Code::kCorrupt, "{}: tensor {} has shape {}, the configuration asks for {}", quote(tensor->file, 400),
                 quote(tensor->name), describe_shape(tensor->shape), describe_shape(wanted.shape));
        files.insert(tensor->file);
        weights.tensors.push_back(view_tensor(*tensor, wanted.name));
    }
    weights.identity = identity_of(files);
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
