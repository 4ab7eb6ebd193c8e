#include "train/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"

namespace rag::core {

Schedule parse_schedule(std::string_view name) {
    if (name == "linear") return Schedule::kLinear;
    if (name == "cosine") return Schedule::kCosine;
    if (name == "constant") return Schedule::kConstant;
    fail(Code::kInvalidArgument, "schedule is {}, it must be linear, cosine or constant", quote(name));
}

double schedule_factor(Schedule schedule, std::uint64_t step, std::uint64_t warmup, std::uint64_t steps) {
    if (step < warmup) return static_cast<double>(step) / static_cast<double>(std::max<std::uint64_t>(warmup, 1));
    if (schedule == Schedule::kConstant) return 1.0;
    const double span = static_cast<double>(std::max<std::uint64_t>(steps > warmup ? steps - warmup : 0, 1));
    const double done = static_cast<double>(step - warmup) / span;
    if (schedule == Schedule::kLinear) return std::max(0.0, 1.0 - done);
    return std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * std::min(done, 1.0))));
}

std::uint64_t warmup_length(std::uint64_t warmup_steps, double warmup_ratio, std::uint64_t steps) {
    if (warmup_steps > 0) return warmup_steps;
    if (steps <= 1) return 0;  // the only step would have the rate 0
    return static_cast<std::uint64_t>(std::ceil(static_cast<double>(steps) * warmup_ratio));
}

}  // namespace rag::core
