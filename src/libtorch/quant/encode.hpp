// Weights written in an element type: how models are saved. The inverse of dequantize() for plain types; int8 and int4 as a model
// of that precision keeps them, so that a saved model computes the same bits. Thread rule: on the model's worker.
#pragma once

#include "libtorch/quant/input_statistics.hpp"
#include "libtorch/quant/packed_int4.hpp"

namespace rag::core::libtorch {

/// values: float32 contiguous. `type`: kF32, kF16, kBF16 (rounded to nearest), or for matrices kInt8 and kInt4. `statistics`: of
/// the inputs, or null; with them int4 compensates errors. kUnsupported for another type or rank.
std::vector<std::byte> encode_tensor(const at::Tensor& values, ElementType type, const InputStatistics* statistics);

/// The bytes of a tensor.
std::vector<std::byte> bytes_of(const at::Tensor& tensor);

/// Rounded with error compensation. weight: [outputs, inputs] float32.
Int4Matrix compensate(const at::Tensor& weight, const InputStatistics& statistics);

}  // namespace rag::core::libtorch
