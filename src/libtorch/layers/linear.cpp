#include "libtorch/layers/linear.hpp"

#include "libtorch/quant/packed_int4.hpp"
#include "libtorch/quant/shared_weights.hpp"

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
    packed_ =
        SharedWeights::get<PackedLinear>(shared_key(), [&] { return with_changes(std::vector<PartChange>(spec_.parts.size())); });
}

std::string Linear::shared_key() const {
    if (source_->identity().empty()) {
        return {};
    }
    std::string key =
        c10::str(source_->identity(), "\nlinear ", static_cast<std::uint32_t>(precision_), " ", spec_.inputs, " ", spec_.bias,
                 spec_.wide_inputs, spec_.tiles, precision_ == Precision::kFloat32 && source_->copying());
    for (const LinearPart& part : spec_.parts) {
        key += c10::str("\n", part.module, " ", part.rows, " ", part.interleaved_heads);
    }
    return key;
}

at::Tensor Linear::run(const at::Tensor& x) const {
    at::Tensor out = at::empty({x.size(0), outputs_}, float_on(source_->device()));
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

std::shared_ptr<const PackedLinear> Linear::with_changes(const std::vector<PartChange>& changes) const {
    std::vector<LinearPartTensors> tensors;
    for (std::size_t i = 0; i < spec_.parts.size(); ++i) {
        const LinearPart& part = spec_.parts[i];
        const PartChange& change = changes[i];
        LinearPartTensors& out = tensors.emplace_back();
        if (spec_.bias) {
            out.bias = change.bias.defined() ? change.bias : source_->kept_tensor(part.module + ".bias", {part.rows});
        }
        if (precision_ == Precision::kInt4 && !change.weight.defined() && !change.delta.defined()) {
            out.packed = four_bits(i);
            if (out.packed != nullptr) {
                continue;
            }
        }
        if (change.weight.defined()) {
            out.weight = change.weight;
        } else if (precision_ == Precision::kFloat32 && part.interleaved_heads == 0 && source_->device().is_cpu()) {
            out.weight = source_->kept_tensor(part.module + ".weight", {part.rows, spec_.inputs});
        } else {
            out.weight = part_weight(i);
        }
        if (change.delta.defined()) {
            out.weight = out.weight.add(change.delta);
        }
    }
    return pack_linear(precision_, tensors, {spec_.wide_inputs, spec_.tiles, source_->device()});
}

std::shared_ptr<const PackedLinear> Linear::install(std::shared_ptr<const PackedLinear> packed) {
    packed_.swap(packed);
    return packed;
}

}  // namespace rag::core::libtorch
