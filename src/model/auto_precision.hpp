// dtype "auto": the precision in which the model's own layers are fastest on this machine, by a short measurement (some tens of
// milliseconds for small models): the first layer, with the weights and sizes it has, in each candidate. A less exact precision
// is taken only when it is clearly faster. A choice is remembered as long as the process lives, for the last 64 models. Thread
// rule: any thread; one measures at a time.
#pragma once

#include <string>

#include "model/backend.hpp"
#include "model/model.hpp"

namespace rag::core {

/// Sets options.precision. Candidates are float32, bfloat16 and int8, in this order, and int4 where the file has four bits
/// already; weights that librag packed in int8 or int4 stay as they are. Returns what was measured, for describe(): " (auto: a
/// layer takes 4.1 ms in float32, ...)". Throws what loading throws.
std::string choose_precision(const EncoderConfig& config, const Weights& weights, ModelOptions& options);
std::string choose_precision(const DecoderConfig& config, const Weights& weights, ModelOptions& options);

}  // namespace rag::core
