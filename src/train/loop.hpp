// The loop of a training: batches, schedule, optimiser steps, evaluation, early stopping, checkpoints, and a stop with a reason
// where the loss is no number or runs away. It knows no task and no file format. Between two steps its whole state is RunState
// and the trainer's tensors. Thread rule: one run, one thread.
#pragma once

#include <filesystem>
#include <string>

#include "train/checkpoints/checkpoint.hpp"
#include "train/metrics_log.hpp"
#include "train/observer.hpp"
#include "train/tasks/task.hpp"

namespace rag::core {

struct LoopInput {
    TrainedModel& model;
    Task& task;
    const RunIdentity& identity;
    bool evaluates = false;             // there are rows held out
    std::string source;                 // of the rows, for messages
    std::filesystem::path checkpoints;  // folder
    MetricsLog& log;
    const TrainObserver& observer;
};

struct LoopResult {
    RunState state;
    std::uint64_t steps = 0;  // planned
    Metrics before, last;     // evaluations before the first step (of a run that was not resumed) and behind the last
    std::string ended;        // "done", "max_minutes", "patience"
};

/// Steps that the settings ask for.
std::uint64_t planned_steps(const Task& task, const TrainerConfig& config);

/// Trains from `state` on. Throws kInvalidState for a loss or gradient that is not finite and for a loss that runs away, naming
/// the step and the lines of its rows; Stopped, once a checkpoint of the last whole step is written; what the backend says.
LoopResult run_loop(const LoopInput& input, const RunState& state);

}  // namespace rag::core
