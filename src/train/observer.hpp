// What a caller hears of a run, and how it ends one. The run computes on a thread of its own while the thread that called hears
// the reports, one after another, each before the next step begins, and is asked at least every 50 ms whether to go on: so a host
// can look for its signals. Thread rule: one run, one caller.
#pragma once

#include <cstdint>
#include <functional>

#include "train/tasks/task.hpp"

namespace rag::core {

struct StepReport {
    std::uint64_t step = 0, steps = 0;  // done, in all; step 0: before the first
    double epoch = 0.0;                 // epochs done, with fractions
    double loss = 0.0;                  // mean of the step; NaN in a report of an evaluation
    double learning_rate = 0.0;
    double gradient_norm = 0.0;  // before clipping
    double tokens_per_second = 0.0;
    double seconds = 0.0;              // of the run so far, resumed parts included
    std::uint64_t rss_bytes = 0;       // of the process
    const Metrics* metrics = nullptr;  // of the evaluation behind this step; null: this is a report of the step itself
};

struct TrainObserver {
    std::function<bool(const StepReport&)> on_step;  // false ends the run
    std::function<bool()> poll;                      // likewise
};

/// Calls work(inner); `inner` reports to `observer` on the calling thread. Throws what the work throws, or what the observer
/// threw once the work has ended.
void run_observed(const TrainObserver& observer, const std::function<void(const TrainObserver& inner)>& work);

}  // namespace rag::core
