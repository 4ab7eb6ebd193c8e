// Settings that the task or the method of a run does not use: refused by name, because who gives one believes that it does
// something. A setting that has its default is given by nobody. Pure; any thread.
#pragma once

#include "train/config.hpp"

namespace rag::core {

/// kInvalidArgument: a setting that belongs to other tasks or methods; says which and what this one uses of such.
void refuse_unused_settings(const TrainerConfig& config, TrainTask task);
/// Of a distillation, once it is known what is distilled.
void refuse_unused_of_distillation(const TrainerConfig& config, bool is_encoder);

}  // namespace rag::core
