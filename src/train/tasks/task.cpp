#include "train/tasks/task.hpp"

#include "core/error.hpp"

namespace rag::core {
namespace {

void check_kind(const TrainingRows& rows, TrainTask task) {
    const auto takes = [&](RowKind kind) {
        switch (task) {
            case TrainTask::kCausalLm:
                return kind == RowKind::kChat || kind == RowKind::kText;
            case TrainTask::kClassification:
                return kind == RowKind::kLabelled;
            case TrainTask::kContrastive:
            case TrainTask::kRerank:
                return kind == RowKind::kRetrieval;
            case TrainTask::kDistill:
                return kind == RowKind::kText || kind == RowKind::kChat || kind == RowKind::kLabelled;
            case TrainTask::kMaskedLm:
                return kind == RowKind::kText || kind == RowKind::kLabelled;
        }
        return false;
    };
    if (!takes(rows.kind))
        fail(Code::kInvalidArgument, "{}: the rows are of the kind {}, which the task {} does not train on",
             quote(rows.source, 400), row_kind_name(rows.kind), train_task_name(task));
}

}  // namespace

std::vector<std::string> task_metrics(TrainTask task, bool decoder) {
    switch (task) {
        case TrainTask::kClassification:
            return {"accuracy", "macro_f1", "eval_loss"};
        case TrainTask::kContrastive:
            return {"ndcg@10", "recall@10", "mrr@10", "eval_loss"};
        case TrainTask::kRerank:
            return {"mrr@10", "accuracy", "eval_loss"};
        case TrainTask::kDistill:
            if (!decoder) return {"eval_loss", "cosine"};
            break;
        case TrainTask::kCausalLm:
        case TrainTask::kMaskedLm:
            break;
    }
    return {"eval_loss", "perplexity", "accuracy"};
}

bool is_loss(std::string_view metric) {
    return metric == "eval_loss" || metric == "perplexity";
}

std::unique_ptr<Task> make_task(const TaskInput& input, Backend* backend) {
    const TrainTask kind = input.model.task();
    check_kind(input.train, kind);
    if (input.eval != nullptr) check_kind(*input.eval, kind);
    std::unique_ptr<Task> task;
    switch (kind) {
        case TrainTask::kCausalLm:
            task = make_causal_lm(input);
            break;
        case TrainTask::kClassification:
            task = make_classification(input);
            break;
        case TrainTask::kContrastive:
            task = make_contrastive(input);
            break;
        case TrainTask::kRerank:
            task = make_rerank(input);
            break;
        case TrainTask::kDistill:
            task = make_distill(input, backend);
            break;
        case TrainTask::kMaskedLm:
            task = make_masked_lm(input);
            break;
    }
    if (task->lengths().empty()) {
        const RowNotes& notes = task->notes();
        fail(Code::kInvalidArgument, "{}: none of {} rows can be trained on; the first (line {}) because: {}",
             quote(input.train.source, 400), input.train.rows.size(), notes.skipped.empty() ? 0 : notes.skipped.front().line,
             notes.skipped.empty() ? "it gives no example" : notes.skipped.front().reason);
    }
    return task;
}

}  // namespace rag::core
