// A table of vectors looked up by id, kept in the model's precision (int8 and int4: bytes with a scale a row) and read as
// float32. Thread rule: immutable; on the model's worker.
#pragma once

#include "libtorch/quant/int8_panels.hpp"

namespace rag::core::libtorch {

class Embedding {
  public:
    Embedding() = default;
    /// table: [rows, columns] float32; in float32 it is kept as it is (a view of the mapped file).
    Embedding(const at::Tensor& table, Precision precision);
    /// A table that is kept elsewhere too, as the weights of an output layer.
    explicit Embedding(std::shared_ptr<const Int8Panels> panels) : panels_(std::move(panels)) {}

    /// out[i, :] = row of ids[i], or added to out where `add`. out: [ids, columns] float32 contiguous. Ids were checked before.
    void lookup(std::span<const std::int32_t> ids, at::Tensor& out, bool add = false) const;

    std::int64_t rows() const { return panels_ != nullptr ? panels_->outputs() : table_.size(0); }
    std::uint64_t size_bytes() const;

  private:
    std::shared_ptr<const Int8Panels> panels_;  // this or
    at::Tensor table_;
    at::Tensor scale_;  // [rows] float32, int8 and int4 only
};

/// An id outside 0..rows-1 is an error that names `what`, its place and the limit.
void check_ids(std::span<const std::int32_t> ids, std::int64_t rows, const char* what);

}  // namespace rag::core::libtorch
