// Settings that the task or the method of a run does not use: refused by name, because who gives one believes that it does
// something, or left out with a warning, where a manifest of an older librag has them. A setting that has its default is given
// by nobody. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "train/config.hpp"

namespace rag::core {

struct UnusedSetting {
    std::string name;
    std::string what;     // "r is 8, and the method \"full\" does not use it"
    std::string instead;  // what is used of such
};

/// Those that belong to other tasks, methods or outputs.
std::vector<UnusedSetting> unused_settings(const TrainerConfig& config, TrainTask task);
/// Of a distillation, once it is known what is distilled.
std::vector<UnusedSetting> unused_of_distillation(const TrainerConfig& config, bool is_encoder);

/// kInvalidArgument names the first of them.
void refuse_unused(const std::vector<UnusedSetting>& unused);
/// Gives them their defaults; returns a line for each.
std::vector<std::string> drop_unused(TrainerConfig& config, const std::vector<UnusedSetting>& unused);

}  // namespace rag::core
