// The learning rate of a step, as a share of the highest: warm-up from 0 in equal steps, then constant, falling in a straight
// line to 0, or along half a cosine, as transformers' get_scheduler computes them. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace rag::core {

enum class Schedule : std::uint32_t { kLinear, kCosine, kConstant };

/// "linear", "cosine", "constant". Throws kInvalidArgument for another.
Schedule parse_schedule(std::string_view name);

/// `step` counts from 0: what the first step is taken with. `warmup` steps of `steps` in all.
double schedule_factor(Schedule schedule, std::uint64_t step, std::uint64_t warmup, std::uint64_t steps);

/// transformers' get_warmup_steps: `warmup_steps` where it is not 0, else the ratio of all steps, rounded up.
std::uint64_t warmup_length(std::uint64_t warmup_steps, double warmup_ratio, std::uint64_t steps);

}  // namespace rag::core
