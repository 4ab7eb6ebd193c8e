// Weights on their way into a file: each tensor as the model means it (Hugging Face's order of rows, an adapter added), written
// in an element type; for calibrated rounding, linear layers are observed while a text sample runs through them. Thread rule: on
// the model's worker.
#pragma once

#include "libtorch/layers/linear.hpp"

namespace rag::core::libtorch {

struct ExportRequest {
    const std::string& name;
    ElementType type;
    const AdapterWeights* adapter;  // or null
};

class WeightExporter {
  public:
    /// As BackendModel::export_tensor. An unknown name is kInvalidArgument.
    std::vector<std::byte> write(const WeightSource& source, const std::vector<Linear*>& layers,
                                 const ExportRequest& request) const;
    /// As BackendModel::observe_inputs.
    void observe(const std::vector<Linear*>& layers, bool on);

  private:
    std::unordered_map<const Linear*, std::shared_ptr<InputStatistics>> statistics_;
};

}  // namespace rag::core::libtorch
