#include "test_device.hpp"

#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/view_native.h>
#include <c10/core/Allocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

constexpr auto kType = c10::DeviceType::PrivateUse1;
// No pointer of the host has this bit.
constexpr std::uintptr_t kMark = std::uintptr_t{1} << 62;

void* marked(void* pointer) {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(pointer) | kMark);
}
void* real(const void* pointer) {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(pointer) & ~kMark);
}

class DeviceAllocator final : public c10::Allocator {
  public:
    c10::DataPtr allocate(size_t bytes) override {
        void* memory = bytes == 0 ? nullptr : marked(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
        return {memory, memory, &release, c10::Device(kType, 0)};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &release; }
    void copy_data(void* to, const void* from, std::size_t bytes) const override { std::memcpy(real(to), real(from), bytes); }

  private:
    static void release(void* memory) { std::free(real(memory)); }
};

DeviceAllocator allocator;

class Guard final : public c10::impl::DeviceGuardImplInterface {
  public:
    static constexpr c10::DeviceType static_type = kType;
    c10::DeviceType type() const override { return kType; }
    c10::Device exchangeDevice(c10::Device) const override { return {kType, 0}; }
    c10::Device getDevice() const override { return {kType, 0}; }
    void setDevice(c10::Device) const override {}
    void uncheckedSetDevice(c10::Device) const noexcept override {}
    c10::Stream getStream(c10::Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
    c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
    c10::DeviceIndex deviceCount() const noexcept override { return 1; }
    void record(void**, const c10::Stream&, const c10::DeviceIndex, const c10::EventFlag) const override {}
    void block(void*, const c10::Stream&) const override {}
    bool queryEvent(void*) const override { return true; }
    void destroyEvent(void*, const c10::DeviceIndex) const noexcept override {}
};

struct Hooks final : public at::PrivateUse1HooksInterface {
    bool isBuilt() const override { return true; }
    bool isAvailable() const override { return true; }
    c10::DeviceIndex deviceCount() const override { return 1; }
    bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
};

at::Tensor empty(c10::IntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>, std::optional<at::Device>,
                 std::optional<bool>, std::optional<at::MemoryFormat> format) {
    return at::detail::empty_generic(size, &allocator, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                     type.value_or(at::kFloat), format);
}

at::Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef stride, std::optional<at::ScalarType> type,
                         std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
    return at::detail::empty_strided_generic(size, stride, &allocator, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                             type.value_or(at::kFloat));
}

// The same numbers as the processor sees them.
at::Tensor on_host(const at::Tensor& tensor) {
    return tensor.is_cpu() ? tensor
                           : at::from_blob(real(tensor.const_data_ptr()), tensor.sizes(), tensor.strides(),
                                           at::TensorOptions().dtype(tensor.scalar_type()));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
    on_host(to).copy_(on_host(from));
    return to;
}

// What was there is lost: LibTorch resizes results that are to be written.
const at::Tensor& resize(const at::Tensor& tensor, c10::IntArrayRef size, std::optional<at::MemoryFormat>) {
    if (tensor.sizes() != size) {
        const at::Tensor fresh = empty(size, tensor.scalar_type(), {}, {}, {}, {});
        tensor.unsafeGetTensorImpl()->set_storage_keep_dtype(fresh.storage());
        tensor.unsafeGetTensorImpl()->set_storage_offset(0);
        tensor.unsafeGetTensorImpl()->set_sizes_contiguous(size);
    }
    return tensor;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
    return copy_from(from, resize(to, from.sizes(), {}), false);
}

void fall_back(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
    at::native::cpu_fallback(op, stack);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
    library.fallback(torch::CppFunction::makeFromBoxedFunction<&fall_back>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
    library.impl("empty.memory_format", &empty);
    library.impl("empty_strided", &empty_strided);
    library.impl("as_strided", &at::native::as_strided_tensorimpl);
    library.impl("view", &at::native::view);
    library.impl("_reshape_alias", &at::native::_reshape_alias);
    library.impl("resize_", &resize);
    library.impl("_copy_from", &copy_from);
    library.impl("_copy_from_and_resize", &copy_from_and_resize);
}

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

}  // namespace

void rag_test_register_device() {
    static std::atomic<bool> known{false};
    if (!known.exchange(true)) {
        c10::register_privateuse1_backend("ragtest");
        c10::SetAllocator(kType, &allocator);
        at::RegisterPrivateUse1HooksInterface(new Hooks());
    }
}
