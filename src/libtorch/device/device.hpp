// Devices of LibTorch's besides the processor (experimental): which there are, and how host values get there. A model on a device
// runs the same architectures, layers and caches; where a layer's own kernel reads the processor's memory, device_rows.hpp says
// the same in operators. Thread rule: any thread.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

/// "cpu" (with any index), "cuda", "cuda:1", "mps", "xpu", ...: checked to be there. kInvalidArgument for a name that LibTorch
/// does not know, kUnsupported for a device that is not there or computes nothing. Each names the device.
c10::Device find_device(const std::string& name);

/// What only the processor's kernels compute, asked for on a device, is kUnsupported.
void check_device_options(c10::Device device, const BackendOptions& options);

/// Where float32 tensors of a model on `device` are made.
inline at::TensorOptions float_on(c10::Device device) {
    return at::TensorOptions().dtype(at::kFloat).device(device);
}

/// Host numbers as int64 on `device`.
at::Tensor indices_on(c10::Device device, std::span<const std::int32_t> values);
at::Tensor indices_on(c10::Device device, std::span<const std::int64_t> values);
/// Host numbers as float32 of `shape` on `device`.
at::Tensor floats_on(c10::Device device, std::span<const float> values, at::IntArrayRef shape);

}  // namespace rag::core::libtorch
