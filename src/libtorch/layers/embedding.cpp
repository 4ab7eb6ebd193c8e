#include "libtorch/layers/embedding.hpp"

#include "libtorch/quant/packed_int8.hpp"
#include "libtorch/quant/shared_weights.hpp"

namespace rag::core::libtorch {
namespace {

template <typename T>
void lookup_rows(const T* table, const float* scale, std::span<const std::int32_t> ids, std::int64_t columns, bool add,
                 float* out) {
    const auto count = static_cast<std::int64_t>(ids.size());
    at::parallel_for(0, count, 256, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t id = ids[static_cast<std::size_t>(i)];
            const T* row = table + id * columns;
            float* to = out + i * columns;
            const float factor = scale == nullptr ? 1.0F : scale[id];
            for (std::int64_t c = 0; c < columns; ++c) {
                const float value = factor * static_cast<float>(row[c]);
                to[c] = add ? to[c] + value : value;
            }
        }
    });
}

void lookup_panels(const Int8Panels& panels, std::span<const std::int32_t> ids, std::int64_t columns, bool add, float* out) {
    at::parallel_for(0, static_cast<std::int64_t>(ids.size()), 16, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> row(static_cast<std::size_t>(columns));
        for (std::int64_t i = begin; i < end; ++i) {
            panels.read_row(ids[static_cast<std::size_t>(i)], row.data());
            float* to = out + i * columns;
            for (std::int64_t c = 0; c < columns; ++c) {
                to[c] = row[static_cast<std::size_t>(c)] + (add ? to[c] : 0.0F);
            }
        }
    });
}

}  // namespace

Embedding::Table::Table(const at::Tensor& values_in, Precision precision, c10::Device device) {
    switch (precision) {
        case Precision::kFloat32:
            values = values_in.to(device);
            return;
        case Precision::kBFloat16:
            values = values_in.to(device, at::kBFloat16);
            return;
        case Precision::kFloat16:
            values = values_in.to(device, at::kHalf);
            return;
        case Precision::kInt8:
        case Precision::kInt4:
            quantize_weight_rows(values_in, values, scale);
            return;
    }
    fail(Code::kUnsupported, "precision ", static_cast<std::uint32_t>(precision), " is unknown");
}

Embedding::Embedding(const WeightSource& source, const std::string& name, std::int64_t rows, std::int64_t columns,
                     Precision precision) {
    std::string key;
    if (!source.identity().empty()) {
        key = c10::str(source.identity(), "\ntable ", static_cast<std::uint32_t>(precision), " ", rows, " ", columns, " ", name);
    }
    table_ = SharedWeights::get<Table>(key, [&] {
        return std::make_shared<const Table>(source.float_tensor(name, {rows, columns}), precision, source.device());
    });
}

void Embedding::lookup(std::span<const std::int32_t> ids, at::Tensor& out, bool add) const {
    if (!out.is_cpu()) {
        const at::Tensor rows = at::index_select(table_->values, 0, indices_on(out.device(), ids)).to(at::kFloat);
        add ? out.add_(rows) : out.copy_(rows);
        return;
    }
    const std::int64_t columns = out.size(1);
    float* to = out.mutable_data_ptr<float>();
    if (panels_ != nullptr) {
        return lookup_panels(*panels_, ids, columns, add, to);
    }
    const at::Tensor& table = table_->values;
    switch (table.scalar_type()) {
        case at::kFloat:
            return lookup_rows(table.const_data_ptr<float>(), nullptr, ids, columns, add, to);
        case at::kBFloat16:
            return lookup_rows(table.const_data_ptr<at::BFloat16>(), nullptr, ids, columns, add, to);
        case at::kHalf:
            return lookup_rows(table.const_data_ptr<at::Half>(), nullptr, ids, columns, add, to);
        default:
            return lookup_rows(table.const_data_ptr<std::int8_t>(), table_->scale.const_data_ptr<float>(), ids, columns, add, to);
    }
}

std::uint64_t Embedding::size_bytes() const {
    if (panels_ != nullptr) {
        return panels_->size_bytes();
    }
    return table_->values.nbytes() + (table_->scale.defined() ? table_->scale.nbytes() : 0);
}

void check_ids(std::span<const std::int32_t> ids, std::int64_t rows, const char* what) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] < 0 || ids[i] >= rows) {
            fail(Code::kInvalidArgument, what, " ", ids[i], " at position ", i, " is outside 0..", rows - 1);
        }
    }
}

}  // namespace rag::core::libtorch
