#include "libtorch/quant/precision_plan.hpp"

namespace rag::core::libtorch {
namespace {

// `*` stands for any number of characters. Goes back to the last star alone, which is enough.
bool fits(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace

PrecisionPlan::PrecisionPlan(Precision base, std::vector<PrecisionException> exceptions, std::string_view prefix)
    : base_(base), prefix_(prefix), exceptions_(std::move(exceptions)), used_(exceptions_.size()) {}

Precision PrecisionPlan::of(const std::string& module, Precision otherwise) const {
    Precision found = otherwise;
    for (std::size_t i = 0; i < exceptions_.size(); ++i) {
        const std::string& pattern = exceptions_[i].pattern;
        if (fits(pattern, module) || (!prefix_.empty() && fits(pattern, prefix_ + module))) {
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
