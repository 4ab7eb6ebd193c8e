// Checkpoints of a run: folders step-N with model.safetensors (trained tensors and both moments of each, float32) and state.json
// (where the run stands, what it trains on, checksums of itself and of the tensors: XXH3). A folder has its name only when all of
// it is on the disk, so that a process may be killed at any time. Thread rule: one run a folder, one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "train/config.hpp"
#include "train/trained_model.hpp"

namespace rag::core {

struct BestStep {
    std::uint64_t step = 0;
    double goodness = 0.0;  // the metric, negative where less is better
};

/// Where a run stands between two steps. All that its next step depends on beside tensors, data and settings.
struct RunState {
    std::uint64_t step = 0;       // done
    std::uint64_t epoch = 0;      // of the next step
    std::uint64_t position = 0;   // batches of that epoch that are done
    std::int64_t evaluated = -1;  // the last step that was evaluated
    std::vector<BestStep> best;   // evaluations with the best metrics, the best first, as many as config.keep
    std::uint64_t worse = 0;      // evaluations since
    double mean_loss = 0.0;       // running, for telling divergence
    double least_loss = 0.0;
    std::uint64_t losses = 0;  // that it was made of
    std::uint64_t above = 0;   // steps in a row that were far above the least
    double seconds = 0.0;
    std::uint64_t tokens = 0;
};

/// What a run is, so that another is not taken for it.
struct RunIdentity {
    TrainTask task = TrainTask::kCausalLm;
    TrainerConfig config;
    std::string model_sha256, train_sha256, eval_sha256;  // the last is empty without evaluation
    std::map<std::string, std::string> model_files;       // their SHA-256 by name, to tell which of them differ
};

/// Writes `folder`/step-N. Throws kIo.
void write_checkpoint(const std::filesystem::path& folder, TrainedModel& model, const RunState& state,
                      const RunIdentity& identity);

/// Steps of the checkpoints in `folder`, ascending; unfinished ones are not among them.
std::vector<std::uint64_t> list_checkpoints(const std::filesystem::path& folder);
std::filesystem::path checkpoint_path(const std::filesystem::path& folder, std::uint64_t step);

/// The state in a state.json. Throws kCorrupt, kVersion, and kInvalidState when it belongs to another run, naming the settings or
/// the data that differ.
RunState parse_run_state(std::string_view text, const std::string& file, const RunIdentity& identity);

/// Puts the tensors of a checkpoint into the model and gives its state. Throws as parse_run_state, and kCorrupt for
/// tensors that are not the model's.
RunState read_checkpoint(const std::filesystem::path& path, TrainedModel& model, const RunIdentity& identity);
/// The newest that is whole; nothing if there is none. `warnings` gets a line for each that is damaged and passed over. kCorrupt:
/// all are.
std::optional<RunState> read_newest_checkpoint(const std::filesystem::path& folder, TrainedModel& model,
                                               const RunIdentity& identity, std::vector<std::string>& warnings);
/// The values alone, without moments and state. kCorrupt: they are not what was written.
void read_checkpoint_values(const std::filesystem::path& path, TrainedModel& model);

/// Removes all but `kept`, and what was left unfinished.
void prune_checkpoints(const std::filesystem::path& folder, const std::vector<std::uint64_t>& kept);

}  // namespace rag::core
