// A linear layer on a device of LibTorch's: its weights lie there, LibTorch's product computes it. float32 and float16 multiply
// in float32 (float16 would overflow where float32 models do not), bfloat16 in bfloat16 with the device's float32 sums. Thread
// rule: as PackedLinear.
#pragma once

#include "libtorch/device/device.hpp"
#include "libtorch/quant/packed_linear.hpp"

namespace rag::core::libtorch {

class DeviceLinear : public PackedLinear {
  public:
    /// precision: float32, bfloat16 or float16 (check_device_options).
    DeviceLinear(Precision precision, const std::vector<LinearPartTensors>& parts, c10::Device device);

    /// x on the device; `out` there or in the host's memory.
    void run(const at::Tensor& x, at::Tensor& out) const override;
    std::uint64_t size_bytes() const override;

  private:
    at::Tensor weight_;  // [outputs, inputs]
    at::Tensor bias_;    // or undefined
};

}  // namespace rag::core::libtorch
