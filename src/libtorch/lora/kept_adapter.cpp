#include "libtorch/lora/kept_adapter.hpp"

#include "libtorch/kernels/matvec.hpp"
#include "libtorch/lora/lora.hpp"

namespace rag::core::libtorch {
namespace {

// sum[c] += factor * row[c]
void add_scaled(const float* row, float factor, std::int64_t columns, float* sum) {
    for (std::int64_t c = 0; c < columns; ++c) {
        sum[c] += factor * row[c];
    }
}

// A few rows: LibTorch's operators would cost more than the arithmetic.
void add_few(const at::Tensor& a, const at::Tensor& b, const float* x, std::int64_t rows, float weight, float* out,
             std::int64_t out_stride) {
    const std::int64_t rank = a.size(0);
    std::vector<float> low(static_cast<std::size_t>(rows * rank));
    kernels::multiply_rows(kernels::NumberType::kFloat32, a.const_data_ptr<float>(), a.size(1), 0, rank, x, rows, nullptr,
                           low.data(), rank);
    const float* factors = b.const_data_ptr<float>();
    for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t r = 0; r < rank; ++r) {
            add_scaled(factors + r * b.size(1), weight * low[static_cast<std::size_t>(row * rank + r)], b.size(1),
                       out + row * out_stride);
        }
    }
}

void add_many(const at::Tensor& a, const at::Tensor& b, const float* x, std::int64_t rows, float weight, float* out,
              std::int64_t out_stride) {
    const at::Tensor in = at::from_blob(const_cast<float*>(x), {rows, a.size(1)}, at::kFloat);
    const at::Tensor low = at::mm(in, a.t()).mul_(weight);
    at::Tensor to = at::from_blob(out, {rows, b.size(1)}, {out_stride, 1}, at::kFloat);
    to.addmm_(low, b);
}

}  // namespace

KeptAdapter::KeptAdapter(const AdapterWeights& adapter, const WeightSource& source, std::span<Linear* const> layers,
                         const void* model, std::span<const std::string_view> unused)
    : model_(model) {
    if (!adapter.replaced.empty()) {
        fail(Code::kUnsupported, "adapter ", quote(adapter.source), " replaces ", quote(adapter.replaced.front().name),
             "; it can be merged, and not be used beside the weights");
    }
    for (const AdapterTarget& target : find_targets(adapter, source, layers, unused)) {
        const LinearSpec& spec = target.layer->spec();
        Factors factors;
        for (std::size_t part = 0; part < target.part; ++part) {
            factors.column += spec.parts[part].rows;
        }
        const at::Tensor a = to_float_tensor(target.pair->a, adapter.owner, adapter.source);
        const at::Tensor b = to_float_tensor(target.pair->b, adapter.owner, adapter.source).t().mul(target.pair->scale);
        factors.a = a.to(source.device(), a.scalar_type(), false, true);  // a copy: computes without the file
        factors.b = b.contiguous().to(source.device());
        factors_[target.layer].push_back(std::move(factors));
    }
}

void KeptAdapter::add(const Linear& linear, const float* x, std::int64_t rows, float weight, float* out) const {
    const auto found = factors_.find(&linear);
    if (found == factors_.end()) {
        return;
    }
    for (const Factors& factors : found->second) {
        const auto add_part = rows <= kernels::kMatvecRows ? add_few : add_many;
        add_part(factors.a, factors.b, x, rows, weight, out + factors.column, linear.outputs());
    }
}

void KeptAdapter::add_on_device(const Linear& linear, const at::Tensor& x, float weight, const at::Tensor& out) const {
    const auto found = factors_.find(&linear);
    if (found == factors_.end()) {
        return;
    }
    for (const Factors& factors : found->second) {
        const at::Tensor part = at::mm(at::mm(x, factors.a.t()).mul_(weight), factors.b);
        out.narrow(1, factors.column, factors.b.size(1)).add_(part.to(out.device()));
    }
}

std::uint64_t KeptAdapter::size_bytes() const {
    std::uint64_t total = 0;
    for (const auto& [linear, parts] : factors_) {
        for (const Factors& factors : parts) {
            total += factors.a.nbytes() + factors.b.nbytes();
        }
    }
    return total;
}

void RowAdapters::append(std::int64_t rows, std::span<const AdapterShare> shares) {
    if (!shares.empty()) {
        segments_.push_back({rows_, rows_ + rows, shares});
    }
    rows_ += rows;
}

bool RowAdapters::change(const Linear& linear) const {
    return std::any_of(segments_.begin(), segments_.end(), [&](const Segment& segment) {
        return std::any_of(segment.shares.begin(), segment.shares.end(), [&](const AdapterShare& share) {
            return static_cast<const KeptAdapter*>(share.adapter)->changes(linear);
        });
    });
}

at::Tensor RowAdapters::apply(const Linear& linear, const at::Tensor& x) const {
    at::Tensor out = linear.run(x);
    add(linear, x, out);
    return out;
}

at::Tensor RowAdapters::apply(const Linear& linear, const at::Tensor& x, std::span<const std::int64_t> rows) const {
    at::Tensor out = linear.run(x);
    for (const Segment& segment : segments_) {
        const auto begin = std::lower_bound(rows.begin(), rows.end(), segment.begin) - rows.begin();
        const auto end = std::lower_bound(rows.begin(), rows.end(), segment.end) - rows.begin();
        add_rows(linear, segment.shares, x, begin, end, out);
    }
    return out;
}

void RowAdapters::add(const Linear& linear, const float* x, std::int64_t first, std::int64_t rows, float* out) const {
    for (const Segment& segment : segments_) {
        const std::int64_t begin = std::max(segment.begin, first);
        const std::int64_t end = std::min(segment.end, first + rows);
        for (const AdapterShare& share : segment.shares) {
            if (begin < end) {
                static_cast<const KeptAdapter*>(share.adapter)
                    ->add(linear, x + (begin - first) * linear.spec().inputs, end - begin, share.weight,
                          out + (begin - first) * linear.outputs());
            }
        }
    }
}

void RowAdapters::add(const Linear& linear, const at::Tensor& x, at::Tensor& out) const {
    for (const Segment& segment : segments_) {
        add_rows(linear, segment.shares, x, segment.begin, segment.end, out);
    }
}

void RowAdapters::add_rows(const Linear& linear, std::span<const AdapterShare> shares, const at::Tensor& x, std::int64_t begin,
                           std::int64_t end, at::Tensor& out) {
    if (begin == end) {
        return;
    }
    for (const AdapterShare& share : shares) {
        const auto& adapter = static_cast<const KeptAdapter&>(*share.adapter);
        if (x.is_cpu()) {
            adapter.add(linear, x.const_data_ptr<float>() + begin * x.size(1), end - begin, share.weight,
                        out.mutable_data_ptr<float>() + begin * out.size(1));
        } else {
            adapter.add_on_device(linear, x.narrow(0, begin, end - begin), share.weight, out.narrow(0, begin, end - begin));
        }
    }
}

}  // namespace rag::core::libtorch
