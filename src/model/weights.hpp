// From the tensors that lie in a file to the ones that an architecture needs: each found by name, its element type and shape
// compared with what the configuration says, before any weight is computed. Stateless, any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tensor_info.hpp"
#include "model/backend.hpp"

namespace rag::core {

/// A tensor that a model cannot do without.
struct ExpectedTensor {
    std::string name;       // Hugging Face's, as the backend wants it
    std::string file_name;  // as the file calls it
    std::vector<std::int64_t> shape;
    bool linear = false;  // the weight of a linear layer, so that an adapter may change it
};

using FindTensor = std::function<const TensorInfo*(std::string_view file_name)>;

/// Where a matrix is missing, it is looked for packed, under its name with a suffix.
/// Throws kCorrupt (a tensor is missing, or has another shape) and kUnsupported (its element type), naming tensor, file, what is
/// expected and what was found. `source` is the file or folder.
Weights gather_weights(std::span<const ExpectedTensor> expected, const FindTensor& find, std::shared_ptr<const void> owner,
                       const std::string& source);

/// What is behind the name of a tensor that librag packed (".int8", ".int4"), and the shape of U8 under which it is written:
/// [outputs, inputs + 4], and [panels of 16 outputs, groups of 32 inputs, 320]. `shape`: [outputs, inputs].
std::string_view packed_suffix(ElementType type);
std::vector<std::int64_t> packed_shape(ElementType type, std::span<const std::int64_t> shape);

/// One tensor as the backend sees it. Throws kUnsupported for element types that ElementType does not have.
TensorView view_tensor(const TensorInfo& tensor, const std::string& name);

/// Shapes [out, in] of the linear layers by module name (without ".weight"): what an adapter may address. An empty shape: a layer
/// that the model has in Hugging Face's code but that nothing here depends on; an adapter's part for it has no effect.
using LinearShapes = std::map<std::string, std::vector<std::int64_t>, std::less<>>;
LinearShapes linear_shapes(std::span<const ExpectedTensor> expected);

/// checksum64 over names, shapes and bytes of all tensors. Reads every byte.
std::uint64_t checksum_weights(const Weights& weights);

}  // namespace rag::core
