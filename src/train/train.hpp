// A whole training run: rows and settings in, a folder out that holds the trained model (adapter/, model/), the metrics of every
// step (metrics.jsonl), checkpoints (checkpoints/step-N) and what it takes to repeat the run (manifest.json). Thread rule: a run
// computes on a thread of its own and reports on the caller's (observer.hpp); several runs at once need folders of their own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "model/backend.hpp"
#include "train/config.hpp"
#include "train/data/read_rows.hpp"
#include "train/observer.hpp"

namespace rag::core {

struct TrainRequest {
    std::filesystem::path model;  // a folder, or a GGUF file for adapters
    TrainTask task = TrainTask::kCausalLm;
    TrainerConfig config;  // output is needed
    const TrainingRows* train = nullptr;
    const TrainingRows* eval = nullptr;  // null: nothing is held out
    Backend* backend = nullptr;          // null: librag_torch.so
    std::string caller_json;             // an object that the manifest keeps, such as versions; may be empty
    bool drop_unused = false;            // settings that are not used are left out with a warning instead of refused
};

struct TrainOutcome {
    std::filesystem::path path;       // of the trained model: the whole one where it was written, else the adapter
    std::filesystem::path best_path;  // of the checkpoint that it was made from
    std::filesystem::path manifest;
    std::uint64_t step = 0;       // taken
    std::uint64_t best_step = 0;  // that path was made from
    std::string ended;            // "done", "max_minutes", "patience"
    Metrics before, metrics;      // evaluation before the first step, and of what was written
    double seconds = 0.0;
    std::uint64_t tokens = 0;
    RowNotes notes;
    std::string history;  // metrics.jsonl as a JSON list
    std::uint64_t resumed_step = 0;
    std::vector<std::string> warnings;  // such as checkpoints that were damaged and passed over
};

/// Fields that config leaves to the task and the method, filled in.
TrainerConfig complete_config(TrainerConfig config, TrainTask task);

/// Throws kInvalidArgument (settings; rows, with file and line), kAlreadyExists (`output` holds a run and `resume` is false),
/// kInvalidState (resume: a run with other settings or data; a loss that is no number or runs away), Stopped (with a checkpoint
/// of the last whole step), and what opening the model throws. What is wrong with settings and data is found before the first
/// step.
TrainOutcome run_training(const TrainRequest& request, const TrainObserver& observer);

/// The outcome as one JSON object with the names above, notes as "skipped", "skipped_count" and "cut_count".
std::string outcome_json(const TrainOutcome& outcome);

}  // namespace rag::core
