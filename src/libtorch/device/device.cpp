#include "libtorch/device/device.hpp"

namespace rag::core::libtorch {
namespace {

// What is there besides the processor, as its name: "" where nothing is.
std::string accelerator() {
    const std::optional<c10::DeviceType> found = at::getAccelerator();
    return found && at::globalContext().getAcceleratorHooksInterface(*found).isAvailable() ? c10::DeviceTypeName(*found, true)
                                                                                           : "";
}

void check_index(const c10::Device& device, const std::string& name) {
    const auto count = static_cast<std::int64_t>(at::globalContext().getAcceleratorHooksInterface(device.type()).deviceCount());
    if (device.has_index() && device.index() >= count) {
        fail(Code::kUnsupported, "device ", quote(name), " is not there: this machine has ", count, " of the kind");
    }
}

bool on_devices(Precision precision) {
    return precision == Precision::kFloat32 || precision == Precision::kBFloat16 || precision == Precision::kFloat16;
}

}  // namespace

c10::Device find_device(const std::string& name) {
    std::optional<c10::Device> device;
    try {
        device.emplace(name);
    } catch (const c10::Error&) {
        fail(Code::kInvalidArgument, "device ", quote(name), " is unknown to LibTorch ", TORCH_VERSION, "; use \"cpu\"");
    }
    if (device->is_cpu()) {
        return {at::kCPU};
    }
    if (device->is_meta()) {
        fail(Code::kUnsupported, "device \"meta\" computes nothing; use \"cpu\"");
    }
    const std::string there = accelerator();
    if (there.empty() || c10::DeviceTypeName(device->type(), true) != there) {
        fail(Code::kUnsupported, "device ", quote(name), " is not there: ",
             there.empty() ? "this LibTorch was built without it, or finds no such device" : "this machine has " + there,
             "; use \"cpu\"");
    }
    check_index(*device, name);
    return *device;
}

void check_device_options(c10::Device device, const BackendOptions& options) {
    if (device.is_cpu()) {
        return;
    }
    bool known = on_devices(options.precision);
    for (const PrecisionException& exception : options.exceptions) {
        known = known && on_devices(exception.precision);
    }
    if (!known) {
        fail(Code::kUnsupported, "int8 and int4 are computed by the processor's own kernels; on device ", quote(options.device),
             " use float32, bfloat16 or float16");
    }
    if (options.int8_cache) {
        fail(Code::kUnsupported, "keys and values in int8 are read by the processor's own kernels; device ",
             quote(options.device), " keeps them in the model's dtype");
    }
}

at::Tensor indices_on(c10::Device device, std::span<const std::int32_t> values) {
    at::Tensor host = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
    std::copy(values.begin(), values.end(), host.mutable_data_ptr<std::int64_t>());
    return host.to(device);
}

at::Tensor indices_on(c10::Device device, std::span<const std::int64_t> values) {
    at::Tensor host = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
    std::copy(values.begin(), values.end(), host.mutable_data_ptr<std::int64_t>());
    return host.to(device);
}

at::Tensor floats_on(c10::Device device, std::span<const float> values, at::IntArrayRef shape) {
    at::Tensor host = at::empty(shape, at::kFloat);
    std::copy(values.begin(), values.end(), host.mutable_data_ptr<float>());
    return host.to(device);
}

}  // namespace rag::core::libtorch
