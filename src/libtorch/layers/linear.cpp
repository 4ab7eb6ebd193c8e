#include "libtorch/layers/linear.hpp"

#include "libtorch/quant/packed_int4.hpp"

namespace rag::core::libtorch {
Linear::Linear(std::shared_ptr<const WeightSource> source, LinearSpec spec, const PrecisionPlan& plan)
    : source_(std::move(source)), spec_(std::move(spec)), precision_(plan.of(spec_.parts.front().module)) {
    for (const LinearPart& part : spec_.parts) {
        outputs_ += part.rows;
        if (plan.of(part.module) != precision_) {
            fail(Code::kInvalidArgument, quote(spec_.parts.front().module), " and ", quote(part.module),
                 " are computed together and take one precision");
        }
    }
    packed_ = with_deltas(std::vector<at::Tensor>(spec_.parts.size()));
}

at::Tensor Linear::run(const at::Tensor& x) const {
    at::Tensor out = at::empty({x.size(0), outputs_}, at::kFloat);
    packed_->run(x, out);
    if (observed_ != nullptr) {
        observed_->add(x);
    }
    return out;
}

std::shared_ptr<const Int4Matrix> Linear::four_bits(std::size_t index) const {
    const LinearPart& part = spec_.parts[index];
    const std::array shape = {part.rows, spec_.inputs};
    const TensorView& view = source_->view(part.module + ".weight", shape);
    if (view.type == ElementType::kQ4_0 || view.type == ElementType::kQ4_1) {
        return std::make_shared<const Int4Matrix>(Int4Matrix::from_blocks(view, part.interleaved_heads));
    }
    if (view.type == ElementType::kInt4 && part.interleaved_heads == 0) {
        return std::make_shared<const Int4Matrix>(Int4Matrix::from_view(view, source_->owner()));
    }
    return nullptr;
}

at::Tensor Linear::part_weight(std::size_t index) const {
    const LinearPart& part = spec_.parts[index];
    const at::Tensor weight = source_->float_tensor(part.module + ".weight", {part.rows, spec_.inputs});
    return part.interleaved_heads > 0 ? restore_halves(weight, part.interleaved_heads) : weight;
}

std::shared_ptr<const PackedLinear> Linear::with_deltas(const std::vector<at::Tensor>& deltas) const {
    std::vector<LinearPartTensors> tensors;
    for (std::size_t i = 0; i < spec_.parts.size(); ++i) {
        const LinearPart& part = spec_.parts[i];
        LinearPartTensors& out = tensors.emplace_back();
        if (spec_.bias) {
            out.bias = source_->float_tensor(part.module + ".bias", {part.rows});
        }
        if (precision_ == Precision::kInt4 && !deltas[i].defined()) {
            out.packed = four_bits(i);
            if (out.packed != nullptr) {
                continue;
            }
        }
        out.weight = part_weight(i);
        if (deltas[i].defined()) {
            out.weight = out.weight.add(deltas[i]);
        }
    }
    return pack_linear(precision_, tensors, {spec_.wide_inputs, spec_.tiles});
}

std::shared_ptr<const PackedLinear> Linear::install(std::shared_ptr<const PackedLinear> packed) {
    packed_.swap(packed);
    return packed;
}

}  // namespace rag::core::libtorch
