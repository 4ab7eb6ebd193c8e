#include "train/train.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "train/checkpoints/checkpoint.hpp"
#include "train/loop.hpp"
#include "train/manifest.hpp"
#include "train/outputs/outputs.hpp"

namespace rag::core {
namespace {

using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kManifest = "manifest.json";

/// Of a new head: those that the settings give, or the data's; a reranker has one.
std::vector<std::string> head_labels(const TrainRequest& request, const TrainerConfig& config) {
    if (request.task == TrainTask::kRerank) return {"LABEL_0"};
    if (request.task != TrainTask::kClassification) return {};
    if (!config.labels.empty()) {
        const std::set<std::string> known(config.labels.begin(), config.labels.end());
        for (const TrainingRow& row : request.train->rows) {
            if (!known.contains(row.label))
                fail(Code::kInvalidArgument, "{}, line {}: the label {} is none of the {} that were given",
                     quote(request.train->source, 400), row.line, quote(row.label), known.size());
        }
        return config.labels;
    }
    std::set<std::string> seen;
    for (const TrainingRow& row : request.train->rows) seen.insert(row.label);
    if (seen.size() < 2 && request.train->kind == RowKind::kLabelled)
        fail(Code::kInvalidArgument, "all {} rows of {} have the label {}: there is nothing to tell apart",
             request.train->rows.size(), quote(request.train->source, 400), quote(seen.empty() ? "" : *seen.begin()));
    return {seen.begin(), seen.end()};
}

void write_text(const fs::path& path, const std::string& text) {
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

/// The run in a folder: what it holds already decides whether it begins or goes on.
class Run {
  public:
    Run(const TrainRequest& request, const TrainObserver& observer)
        : request_(request),
          observer_(observer),
          output_(request.config.output),
          checkpoints_(output_ / "checkpoints"),
          model_(request.model, request.task, complete_config(request.config, request.task), head_labels(request, request.config),
                 request.backend) {
        identity_.task = request.task;
        identity_.config = complete_config(request.config, request.task);
    }

    TrainOutcome run() {
        plan_outputs(model_, identity_.config);
        const auto stop = [this] { return !observer_.poll(); };
        const std::unique_ptr<Task> task =
            make_task({model_, identity_.config, *request_.train, request_.eval, stop}, request_.backend);
        const auto sums = model_sums(request_.model);
        identity_.model_sha256 = model_sha256(sums);
        identity_.train_sha256 = rows_sha256(*request_.train);
        if (request_.eval != nullptr) identity_.eval_sha256 = rows_sha256(*request_.eval);
        const RunState state = begin();
        if (state.step == 0) write_text(output_ / kManifest, manifest_json(request_, identity_, sums));
        MetricsLog log(output_ / "metrics.jsonl", state.step, state.step > 0);
        const LoopInput input = {model_,       *task, identity_, request_.eval != nullptr, request_.train->source,
                                 checkpoints_, log,   observer_};
        LoopResult result = run_loop(input, state);
        return finish(*task, result, state.step);
    }

  private:
    /// The state to begin with.
    RunState begin() {
        std::error_code ignored;
        const bool there = fs::exists(output_ / kManifest, ignored) || !list_checkpoints(checkpoints_).empty();
        if (there && !identity_.config.resume)
            fail(Code::kAlreadyExists, "{} holds a run: resume it (resume), or take another folder (output)",
                 quote(output_.string(), 400));
        if (!there) keep_others();
        fs::create_directories(output_, ignored);
        if (ignored) fail(Code::kIo, "{} cannot be made: {}", quote(output_.string(), 400), ignored.message());
        return read_newest_checkpoint(checkpoints_, model_, identity_).value_or(RunState());
    }

    /// What a run writes takes the place of folders of these names: none may be there that no run made.
    void keep_others() const {
        std::error_code ignored;
        for (const char* name : {"model", "adapter"}) {
            if (!fs::exists(output_ / name, ignored)) continue;
            fail(Code::kAlreadyExists, "{} has a {} that no run made, and a run would replace it: take another folder (output)",
                 quote(output_.string(), 400), quote(name));
        }
        if (fs::equivalent(output_, request_.model, ignored))
            fail(Code::kAlreadyExists, "{} is the model's own folder: take another one (output)", quote(output_.string(), 400));
    }

    TrainOutcome finish(Task& task, LoopResult& result, std::uint64_t resumed) {
        TrainOutcome out;
        out.step = result.state.step;
        out.best_step = result.state.best.empty() ? out.step : result.state.best.front().step;
        out.best_path = checkpoint_path(checkpoints_, out.best_step);
        out.metrics = result.last;
        if (out.best_step != out.step) {
            read_checkpoint_values(out.best_path, model_);
            out.metrics = task.evaluate([&] { return !observer_.poll(); });
        } else if (out.metrics.empty() && request_.eval != nullptr) {
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
            out.notes.skipped_count += request_.eval->skipped_count;
            for (const SkippedRow& row : request_.eval->skipped) {
                out.notes.skipped.push_back({row.line, fmt::format("{}: {}", quote(request_.eval->source, 400), row.reason)});
            }
        }
        out.history = MetricsLog::read_all(output_ / "metrics.jsonl");
        out.resumed_step = resumed;
        return out;
    }

    const TrainRequest& request_;
    const TrainObserver& observer_;
    fs::path output_, checkpoints_;
    TrainedModel model_;
    RunIdentity identity_;
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
    TrainOutcome outcome;
    run_observed(observer, [&](const TrainObserver& inner) { outcome = Run(request, inner).run(); });
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
                         {"history", json::parse(o.history)}};
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace rag::core
