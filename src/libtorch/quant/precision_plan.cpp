#include "libtorch/quant/precision_plan.hpp"

#include "model/layer_name.hpp"

namespace rag::core::libtorch {

PrecisionPlan::PrecisionPlan(Precision base, std::vector<PrecisionException> exceptions, std::string_view prefix)
    : base_(base), prefix_(prefix), exceptions_(std::move(exceptions)), used_(exceptions_.size()) {}

Precision PrecisionPlan::of(const std::string& module, Precision otherwise) const {
    Precision found = otherwise;
    for (std::size_t i = 0; i < exceptions_.size(); ++i) {
        if (means_layer(exceptions_[i].pattern, module, prefix_)) {
            found = exceptions_[i].precision;
            used_[i] = true;
        }
    }
    return found;
}

void PrecisionPlan::check_all_used(const std::string& source) const {
    for (std::size_t i = 0; i < exceptions_.size(); ++i) {
        if (!used_[i]) {
            fail(Code::kInvalidArgument, "no layer of ", quote(source), " has a name like ", quote(exceptions_[i].pattern));
        }
    }
}

}  // namespace rag::core::libtorch
