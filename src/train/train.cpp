#include "train/train.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "train/checkpoints/checkpoint.hpp"
#include "train/loop.hpp"
#include "train/manifest.hpp"
#include "train/model_parts.hpp"
#include "train/outputs/outputs.hpp"
#include "train/unused_settings.hpp"

namespace rag::core {
namespace {

using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kManifest = "manifest.json";
constexpr const char* kMetrics = "metrics.jsonl";

/// Of a new head: those that the settings give, or the data's; a reranker has one.
std::vector<std::string> head_labels(const TrainRequest& request, const TrainerConfig& config) {
    if (request.task == TrainTask::kRerank) return {"LABEL_0"};
    if (request.task != TrainTask::kClassification) return {};
    const std::set<std::string> known(config.labels.begin(), config.labels.end());
    std::set<std::string> seen;
    for (const TrainingRow& row : request.train->rows) {
        seen.insert(row.label);
        if (!known.empty() && !known.contains(row.label))
            fail(Code::kInvalidArgument, "{}, line {}: the label {} is none of the {} that were given",
                 quote(request.train->source, 400), row.line, quote(row.label), known.size());
    }
    if (seen.size() < 2 && request.train->kind == RowKind::kLabelled)
        fail(Code::kInvalidArgument, "all {} rows of {} have the label {}: there is nothing to tell apart",
             request.train->rows.size(), quote(request.train->source, 400), quote(seen.empty() ? "" : *seen.begin()));
    if (!config.labels.empty()) return config.labels;
    return {seen.begin(), seen.end()};
}

/// Whether `path` is the folder or lies below it.
bool is_within(const fs::path& path, const fs::path& folder) {
    std::error_code ignored;
    if (!fs::exists(folder, ignored)) return false;
    for (fs::path at = fs::weakly_canonical(fs::absolute(path, ignored), ignored);; at = at.parent_path()) {
        if (fs::equivalent(at, folder, ignored)) return true;
        if (at == at.parent_path()) return false;
    }
}

/// Refuses what is not used, or takes it out of `config`: the warnings then.
std::vector<std::string> settle_unused(const TrainRequest& request, TrainerConfig& config,
                                       const std::vector<UnusedSetting>& unused) {
    if (!request.drop_unused) refuse_unused(unused);
    std::vector<std::string> warnings = drop_unused(config, unused);
    for (const std::string& warning : warnings) log(LogLevel::kWarning, "{}", warning);
    return warnings;
}

void write_text(const fs::path& path, const std::string& text) {
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

/// The run in a folder: what it holds already decides whether it begins or goes on.
class Run {
  public:
    Run(const TrainRequest& request, const TrainObserver& observer, std::vector<std::string> warnings)
        : request_(request),
          observer_(observer),
          output_(request.config.output),
          checkpoints_(output_ / "checkpoints"),
          model_(request.model, request.task, complete_config(request.config, request.task), head_labels(request, request.config),
                 request.backend) {
        identity_.task = request.task;
        identity_.config = complete_config(request.config, request.task);
        warnings_ = std::move(warnings);
    }

    TrainOutcome run() {
        if (request_.task == TrainTask::kDistill) {
            const auto unused = unused_of_distillation(identity_.config, model_.is_encoder());
            for (std::string& warning : settle_unused(request_, identity_.config, unused))
                warnings_.push_back(std::move(warning));
        }
        plan_outputs(model_, identity_.config);
        check_evaluation();
        const auto stop = [this] { return !observer_.poll(); };
        const std::unique_ptr<Task> task =
            make_task({model_, identity_.config, *request_.train, request_.eval, stop}, request_.backend);
        const auto sums = model_sums(request_.model);
        identity_.model_files = sums;
        identity_.model_sha256 = model_sha256(sums);
        identity_.train_sha256 = rows_sha256(*request_.train);
        if (request_.eval != nullptr) identity_.eval_sha256 = rows_sha256(*request_.eval);
        check_steps(*task);
        const RunState state = begin();
        try {
            if (state.step == 0) write_text(output_ / kManifest, manifest_json(request_, identity_, sums));
            MetricsLog log(output_ / kMetrics, state.step, state.step > 0);
            const LoopInput input = {model_,       *task, identity_, request_.eval != nullptr, request_.train->source,
                                     checkpoints_, log,   observer_};
            LoopResult result = run_loop(input, state);
            return finish(*task, result, state.step);
        } catch (...) {
            take_back();
            throw;
        }
    }

  private:
    /// Before anything is made: what asks for rows held out has them, and the metric is one of the task's.
    void check_evaluation() const {
        const TrainerConfig& config = identity_.config;
        const std::vector<std::string> known = task_metrics(identity_.task, !model_.is_encoder());
        if (!config.metric.empty() && std::find(known.begin(), known.end(), config.metric) == known.end())
            fail(Code::kInvalidArgument, "metric is {}; this task measures {}", quote(config.metric), fmt::join(known, ", "));
        if (request_.eval != nullptr) return;
        if (!config.metric.empty())
            fail(Code::kInvalidArgument, "metric is {}, and no rows are held out to measure it on: give eval, or no metric",
                 quote(config.metric));
        if (config.patience > 0)
            fail(Code::kInvalidArgument, "patience is {}, and no rows are held out to evaluate: give eval, or no patience",
                 config.patience);
        if (config.eval_steps > 0)
            fail(Code::kInvalidArgument,
                 "eval_steps is {}, and no rows are held out to evaluate: give eval, or save_steps for checkpoints",
                 config.eval_steps);
    }

    void check_steps(const Task& task) const {
        const std::uint64_t steps = planned_steps(task, identity_.config);
        if (identity_.config.warmup_steps > steps)
            fail(Code::kInvalidArgument, "warmup_steps is {}, the run has {} steps: the rate would never reach learning_rate",
                 identity_.config.warmup_steps, steps);
    }

    /// A run that ended before its first checkpoint leaves nothing that could be resumed, and must not be in the way of the next.
    void take_back() const {
        std::error_code ignored;
        if (!made_ || !list_checkpoints(checkpoints_).empty()) return;
        // Only what begin() made sure was not there; the manifest last, as it says whose the rest is.
        fs::remove(output_ / kMetrics, ignored);
        prune_checkpoints(checkpoints_, {});  // unfinished ones
        fs::remove(checkpoints_, ignored);    // if nothing else is in it
        fs::remove(output_ / kManifest, ignored);
        if (made_folder_) fs::remove(output_, ignored);  // if nothing else is in it
    }

    /// The state to begin with.
    RunState begin() {
        std::error_code ignored;
        const bool there = is_run_manifest(output_ / kManifest) || !list_checkpoints(checkpoints_).empty();
        if (there && !identity_.config.resume)
            fail(Code::kAlreadyExists, "{} holds a run: resume it (resume), or take another folder (output)",
                 quote(output_.string(), 400));
        if (!there) keep_others();
        made_ = !there;
        made_folder_ = !fs::exists(output_, ignored);
        fs::create_directories(output_, ignored);
        if (ignored) fail(Code::kIo, "{} cannot be made: {}", quote(output_.string(), 400), ignored.message());
        return read_newest_checkpoint(checkpoints_, model_, identity_, warnings_).value_or(RunState());
    }

    /// What a run writes takes the place of what has these names: none may be there that no run made.
    void keep_others() const {
        std::error_code ignored;
        for (const char* name : {"model", "adapter", kManifest, kMetrics, "checkpoints"}) {
            const fs::path path = output_ / name;
            if (!fs::exists(path, ignored)) continue;
            if (path == checkpoints_ && fs::is_directory(path, ignored) && fs::is_empty(path, ignored)) continue;
            fail(Code::kAlreadyExists, "{} has a {} that no run made, and a run would replace it: take another folder (output)",
                 quote(output_.string(), 400), quote(name));
        }
        if (fs::equivalent(output_, request_.model, ignored))
            fail(Code::kAlreadyExists, "{} is the model's own folder: take another one (output)", quote(output_.string(), 400));
        const std::vector<fs::path> folders = model_folders(request_.model);
        for (std::size_t i = 1; i < folders.size(); ++i) {
            if (is_within(output_, folders[i]))
                fail(Code::kAlreadyExists, "{} is in {}, which is a part of the model: take another folder (output)",
                     quote(output_.string(), 400), quote(folders[i].string(), 400));
        }
    }

    /// Puts the best checkpoint that is whole into the model, which holds the last step, and gives its step: a damaged one is no
    /// reason to lose the run.
    std::uint64_t read_best(const RunState& state) {
        std::vector<std::uint64_t> steps;
        for (const BestStep& best : state.best) steps.push_back(best.step);
        steps.push_back(state.step);
        for (std::size_t at = 0;; ++at) {
            if (at == 0 && steps[at] == state.step) return state.step;
            try {
                read_checkpoint_values(checkpoint_path(checkpoints_, steps[at]), model_);
                return steps[at];
            } catch (const Error& error) {
                const bool damaged = error.code() == Code::kCorrupt || error.code() == Code::kNotFound;
                if (!damaged || at + 1 == steps.size()) throw;
                warnings_.push_back(fmt::format("{}; the model is not of step {}, the best, but of the next best that is whole",
                                                error.what(), steps[at]));
                log(LogLevel::kWarning, "{}", warnings_.back());
            }
        }
    }

    TrainOutcome finish(Task& task, LoopResult& result, std::uint64_t resumed) {
        TrainOutcome out;
        out.step = result.state.step;
        out.best_step = read_best(result.state);
        out.best_path = checkpoint_path(checkpoints_, out.best_step);
        out.metrics = result.last;
        if (out.best_step != out.step || (out.metrics.empty() && request_.eval != nullptr)) {
            out.metrics = task.evaluate([&] { return !observer_.poll(); });
        }
        out.path = write_outputs(model_, identity_.config, output_);
        out.manifest = output_ / kManifest;
        out.ended = result.ended;
        out.before = result.before;
        out.seconds = result.state.seconds;
        out.tokens = result.state.tokens;
        out.notes = task.notes();
        out.notes.skipped_count += request_.train->skipped_count;
        out.notes.skipped.insert(out.notes.skipped.begin(), request_.train->skipped.begin(), request_.train->skipped.end());
        if (request_.eval != nullptr) {
            out.notes.skipped_count += request_.eval->skipped_count + task.eval_notes().skipped_count;
            for (const auto* skipped : {&request_.eval->skipped, &task.eval_notes().skipped}) {
                for (const SkippedRow& row : *skipped)
                    out.notes.skipped.push_back({row.line, fmt::format("{}: {}", quote(request_.eval->source, 400), row.reason)});
            }
        }
        out.warnings = warnings_;
        out.history = MetricsLog::read_all(output_ / kMetrics);
        out.resumed_step = resumed;
        return out;
    }

    const TrainRequest& request_;
    const TrainObserver& observer_;
    fs::path output_, checkpoints_;
    TrainedModel model_;
    RunIdentity identity_;
    bool made_ = false, made_folder_ = false;  // by this run: what it holds, the folder itself
    std::vector<std::string> warnings_;
};

}  // namespace

TrainerConfig complete_config(TrainerConfig config, TrainTask task) {
    if (config.learning_rate <= 0) config.learning_rate = config.method == "full" ? 5e-5 : 2e-4;
    if (config.batch_size == 0 && config.batch_tokens == 0)
        config.batch_size = task == TrainTask::kContrastive ? 64 : task == TrainTask::kCausalLm ? 8 : 32;
    return config;
}

TrainOutcome run_training(const TrainRequest& request, const TrainObserver& observer) {
    if (request.train == nullptr || request.train->rows.empty()) fail(Code::kInvalidArgument, "there are no rows to train on");
    if (request.config.output.empty()) fail(Code::kInvalidArgument, "output is empty: a run needs a folder");
    if (!request.caller_json.empty() && !(json::accept(request.caller_json) && json::parse(request.caller_json).is_object()))
        fail(Code::kInvalidArgument, "what the caller adds to the manifest is no JSON object");
    TrainRequest used = request;
    const std::vector<std::string> warnings = settle_unused(used, used.config, unused_settings(used.config, used.task));
    TrainOutcome outcome;
    run_observed(observer, [&](const TrainObserver& inner) { outcome = Run(used, inner, warnings).run(); });
    return outcome;
}

std::string outcome_json(const TrainOutcome& o) {
    json skipped = json::array();
    for (const SkippedRow& row : o.notes.skipped) skipped.push_back({{"line", row.line}, {"reason", row.reason}});
    const json object = {{"path", o.path.string()},
                         {"best_path", o.best_path.string()},
                         {"manifest", o.manifest.string()},
                         {"step", o.step},
                         {"best_step", o.best_step},
                         {"ended", o.ended},
                         {"before", o.before},
                         {"metrics", o.metrics},
                         {"seconds", o.seconds},
                         {"tokens", o.tokens},
                         {"cut_count", o.notes.cut},
                         {"skipped_count", o.notes.skipped_count},
                         {"skipped", std::move(skipped)},
                         {"resumed_step", o.resumed_step},
                         {"warnings", o.warnings},
                         {"history", json::parse(o.history)}};
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace rag::core
