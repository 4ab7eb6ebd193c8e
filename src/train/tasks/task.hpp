// What is learned: rows become examples of known length, a step's examples become gradients, held-out rows become metrics. One
// task a file; the loop (train/loop.hpp) knows none of them. Thread rule: one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "train/batches.hpp"
#include "train/config.hpp"
#include "train/data/read_rows.hpp"
#include "train/trained_model.hpp"

namespace rag::core {

using Metrics = std::map<std::string, double>;  // "eval_loss", "accuracy", ...

struct StepContext {
    std::uint64_t seed = 0;      // of dropout and of what a task draws
    std::function<bool()> stop;  // true ends the step
};

/// What became of rows that do not fit.
struct RowNotes {
    std::uint64_t cut = 0;  // texts cut to max_tokens
    std::uint64_t skipped_count = 0;
    std::vector<SkippedRow> skipped;  // the first kMaxSkippedKept, and why (over-long, no answer within max_tokens)
};

class Task {
  public:
    virtual ~Task() = default;
    /// Tokens of each example, in the order of their rows.
    virtual std::span<const std::uint32_t> lengths() const = 0;
    /// The line of the row that example came from.
    virtual std::uint64_t line(std::uint32_t example) const = 0;
    /// Adds the gradients of the mean loss of `batches`, which are a step together; that loss. Throws what the backend says,
    /// Stopped.
    virtual double add_gradients(std::span<const std::vector<std::uint32_t>> batches, const StepContext& context) = 0;
    /// Over the rows held out; empty if there are none.
    virtual Metrics evaluate(const std::function<bool()>& stop) = 0;
    /// The metric by which checkpoints are compared unless the config names another.
    virtual std::string main_metric() const = 0;

    const RowNotes& notes() const noexcept { return notes_; }
    /// Of the rows held out.
    const RowNotes& eval_notes() const noexcept { return eval_notes_; }

  protected:
    RowNotes notes_, eval_notes_;
};

/// What a task is made of; all outlive it. `eval`: null, or rows of the kind of `train`. `stop`: asked while the task is made,
/// which takes minutes where a teacher reads all texts; true ends that with Stopped.
struct TaskInput {
    TrainedModel& model;
    const TrainerConfig& config;
    const TrainingRows& train;
    const TrainingRows* eval = nullptr;
    std::function<bool()> stop = {};
};

std::unique_ptr<Task> make_causal_lm(const TaskInput& input);
std::unique_ptr<Task> make_classification(const TaskInput& input);
std::unique_ptr<Task> make_contrastive(const TaskInput& input);
std::unique_ptr<Task> make_rerank(const TaskInput& input);
std::unique_ptr<Task> make_distill(const TaskInput& input, Backend* backend);
std::unique_ptr<Task> make_masked_lm(const TaskInput& input);
std::unique_ptr<Task> make_task(const TaskInput& input, Backend* backend);

/// What evaluate() measures. `decoder`: the model is one.
std::vector<std::string> task_metrics(TrainTask task, bool decoder);

/// True for metrics of which less is better.
bool is_loss(std::string_view metric);

}  // namespace rag::core
