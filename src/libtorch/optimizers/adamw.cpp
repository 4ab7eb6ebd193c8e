#include "libtorch/optimizers/adamw.hpp"

namespace rag::core::libtorch {

double gradient_norm(const std::vector<ParameterPtr>& parameters) {
    double squares = 0.0;
    for (const ParameterPtr& parameter : parameters) {
        if (parameter->gradient().defined()) {
            const double norm = parameter->gradient().norm().item<double>();
            squares += norm * norm;
        }
    }
    return std::sqrt(squares);
}

void adamw_step(const std::vector<ParameterPtr>& parameters, const OptimizerStep& step, double norm) {
    // torch.nn.utils.clip_grad_norm_ divides by the same sum.
    const double factor = step.max_gradient_norm > 0.0 ? std::min(1.0, step.max_gradient_norm / (norm + 1e-6)) : 1.0;
    for (const ParameterPtr& parameter : parameters) {
        if (!parameter->gradient().defined()) {
            continue;
        }
        at::Tensor gradient = parameter->gradient();
        if (factor != 1.0) {
            gradient.mul_(factor);
        }
        const double decay = parameter->value().dim() > 1 ? step.weight_decay : 0.0;
        // The operator corrects the bias by the number of this step.
        const at::Tensor number = at::full({}, static_cast<double>(step.number), at::kFloat);
        at::_fused_adamw_({parameter->value()}, {gradient}, {parameter->first_moment()}, {parameter->second_moment()}, {},
                          {number}, step.learning_rate, step.beta1, step.beta2, decay, step.epsilon, false, false);
        parameter->changed();
        parameter->clear_gradient();
    }
}

}  // namespace rag::core::libtorch
