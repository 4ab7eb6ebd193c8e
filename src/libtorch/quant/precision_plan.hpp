// Which precision every linear layer and table gets: the model's own, but for modules whose names fit a pattern. Names are those
// of the architecture ("encoder.layer.0.output.dense") or of the file ("bert.encoder.layer.0.output.dense").
// Thread rule: one thread, while a model is loaded.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

class PrecisionPlan {
  public:
    /// All layers alike.
    PrecisionPlan(Precision base) : base_(base) {}  // NOLINT(google-explicit-constructor): a precision is a plan
    /// `prefix`: of the file's names, as WeightSource's.
    PrecisionPlan(Precision base, std::vector<PrecisionException> exceptions, std::string_view prefix = {});

    Precision base() const noexcept { return base_; }
    /// Of the last exception that fits the module, else `otherwise`.
    Precision of(const std::string& module, Precision otherwise) const;
    Precision of(const std::string& module) const { return of(module, base_); }
    /// An exception that fitted nothing is an error that names it.
    void check_all_used(const std::string& source) const;

  private:
    Precision base_;
    std::string prefix_;
    std::vector<PrecisionException> exceptions_;
    mutable std::vector<bool> used_;
};

}  // namespace rag::core::libtorch
