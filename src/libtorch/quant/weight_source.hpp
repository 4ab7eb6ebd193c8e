// The tensors of a model file by name, checked against the shape that the architecture asks for. It keeps the file mapped as long
// as it lives, so that an adapter can be merged into the original values. Who shortens a mapped file ends the process that reads
// behind its end, so what a model computes with is copied where that is not the whole file once more.
// Thread rule: immutable; any thread.
#pragma once

#include "libtorch/device/device.hpp"

namespace rag::core::libtorch {

class WeightSource {
  public:
    /// `prefix`: removed from names that begin with it ("bert."). Two tensors of one name are an error.
    WeightSource(Weights weights, std::string_view prefix);
    WeightSource(const WeightSource&) = delete;
    WeightSource& operator=(const WeightSource&) = delete;

    const std::string& source() const noexcept { return weights_.source; }
    /// As Weights::identity; of a model on a device another one.
    const std::string& identity() const noexcept { return weights_.identity; }
    /// From now on reading a tensor asks this first; none: no longer. While the model is loaded, on its worker.
    void ask_while_loading(const HostCall& call) { loading_ = call; }
    bool has(const std::string& name) const { return by_name_.count(name) != 0; }

    /// The tensor as contiguous float32 of exactly `shape`: a view of the mapped file where it is F32 and aligned, else a copy.
    /// An absent name or another shape is an error that names the file, the tensor and the shapes.
    at::Tensor float_tensor(const std::string& name, std::initializer_list<std::int64_t> shape) const;

    /// The same, on the model's device, for what a model keeps and reads in every call: small tensors (norms, biases) are always
    /// copied, others where set_copying() says so.
    at::Tensor kept_tensor(const std::string& name, std::initializer_list<std::int64_t> shape) const;
    /// Models that pack their matrices read nothing of the file any more when they are loaded. Before anything is read.
    void set_copying(bool copying) { copying_ = copying; }
    bool copying() const noexcept { return copying_; }
    /// Where the model computes; the processor at first. Before anything is read.
    void place_on(c10::Device device);
    c10::Device device() const noexcept { return device_; }

    /// The tensor as it lies in the file, of exactly `shape` and with the bytes that this takes; errors as float_tensor.
    const TensorView& view(const std::string& name, std::span<const std::int64_t> shape) const;

    /// The same of any shape; nullptr if there is none. The bytes were not checked.
    const TensorView* find(const std::string& name) const;
    const std::shared_ptr<const void>& owner() const noexcept { return weights_.owner; }

    /// `name` without the prefix, as the architecture's tables spell it.
    std::string canonical(const std::string& name) const;

  private:
    Weights weights_;
    std::string prefix_;
    HostCall loading_;
    bool copying_ = false;
    c10::Device device_{at::kCPU};
    std::unordered_map<std::string, std::size_t> by_name_;
};

/// Checks a view's byte count against its type and shape.
void check_view(const TensorView& view, const std::string& source);

/// Checks a view's byte count against its type and shape, and returns its values as float32 (zero copy where it can).
at::Tensor to_float_tensor(const TensorView& view, const std::shared_ptr<const void>& owner, const std::string& source);

/// A weight whose rows lie in neighbouring pairs, as GGUF's llama stores queries and keys, in Hugging Face's two halves of each
/// head. [heads * half * 2, columns]
at::Tensor restore_halves(const at::Tensor& weight, std::int64_t heads);

}  // namespace rag::core::libtorch
