// A table of vectors looked up by id, kept in the model's precision (int8 and int4: bytes with a scale a row) and read as
// float32. Thread rule: immutable; on the model's worker.
#pragma once

#include "libtorch/quant/int8_panels.hpp"
#include "libtorch/quant/weight_source.hpp"

namespace rag::core::libtorch {

class Embedding {
  public:
    Embedding() = default;
    /// table: [rows, columns] float32; in float32 it is kept as it is (a view of the mapped file).
    Embedding(const at::Tensor& table, Precision precision) : table_(std::make_shared<const Table>(table, precision)) {}
    /// The tensor `name` of the source; models of the same files share it.
    Embedding(const WeightSource& source, const std::string& name, std::int64_t rows, std::int64_t columns, Precision precision);
    /// A table that is kept elsewhere too, as the weights of an output layer.
    explicit Embedding(std::shared_ptr<const Int8Panels> panels) : panels_(std::move(panels)) {}

    /// out[i, :] = row of ids[i], or added to out where `add`. out: [ids, columns] float32 contiguous, where the table is. Ids
    /// were checked before.
    void lookup(std::span<const std::int32_t> ids, at::Tensor& out, bool add = false) const;

    std::uint64_t size_bytes() const;

  private:
    struct Table {
        Table(const at::Tensor& values, Precision precision, c10::Device device = at::kCPU);
        at::Tensor values;
        at::Tensor scale;  // [rows] float32, int8 and int4 only
    };
    std::shared_ptr<const Int8Panels> panels_;  // this or
    std::shared_ptr<const Table> table_;
};

/// An id outside 0..rows-1 is an error that names `what`, its place and the limit.
void check_ids(std::span<const std::int32_t> ids, std::int64_t rows, const char* what);

}  // namespace rag::core::libtorch
