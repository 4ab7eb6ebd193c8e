// rag_train over C.
#include <cstddef>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "train/train.hpp"
#include "train/unused_settings.hpp"
#include "training_handles.hpp"

namespace core = rag::core;
using rag::capi::guard;
using rag::capi::require;
using rag::capi::text_of;

namespace {

// As the first 0.1.0 had it.
constexpr std::size_t kFirstTrainOptions = offsetof(rag_train_options, caller_json);

core::TrainObserver observer_of(const rag_train_options& options) {
    core::TrainObserver observer;
    if (options.on_step != nullptr) {
        observer.on_step = [options](const core::StepReport& report) {
            rag_training_step step = {};
            step.struct_size = sizeof(step);
            step.step = report.step;
            step.steps = report.steps;
            step.epoch = report.epoch;
            step.seconds = report.seconds;
            step.rss_bytes = report.rss_bytes;
            std::string metrics;
            if (report.metrics != nullptr) {
                step.evaluated = 1;
                metrics = nlohmann::json(*report.metrics).dump();
                step.metrics_json = rag::capi::view(metrics);
            } else {
                step.loss = report.loss;
                step.learning_rate = report.learning_rate;
                step.gradient_norm = report.gradient_norm;
                step.tokens_per_second = report.tokens_per_second;
            }
            const int value = options.on_step(&step, options.user_data);
            if (value != 0) rag::capi::set_stop_value(value);
            return value == 0;
        };
    }
    if (options.poll != nullptr) {
        observer.poll = [poll = rag::capi::progress_of(options.poll, options.user_data)] { return poll(0, 0); };
    }
    return observer;
}

core::TrainTask task_of(rag_text task) {
    return core::parse_train_task(text_of(task, "task"));
}

}  // namespace

rag_status rag_train(rag_text model, rag_text task, const rag_training_rows* train, const rag_training_rows* eval,
                     const rag_train_options* options, rag_string** result) noexcept {
    return guard([&] {
        require(result, "result") = nullptr;
        const auto known =
            rag::capi::read_struct(options, rag_train_options RAG_TRAIN_OPTIONS_INIT, "rag_train_options", kFirstTrainOptions);
        if (known.drop_unused > 1)
            rag::capi::fail(rag::capi::Code::kInvalidArgument, "options.drop_unused is {}, it must be 0 or 1", known.drop_unused);
        core::TrainRequest request;
        request.drop_unused = known.drop_unused != 0;
        request.caller_json = text_of(known.caller_json, "options.caller_json");
        request.model = rag::capi::path_of(model, "model");
        request.task = task_of(task);
        request.config = core::parse_trainer_config(text_of(known.config_json, "options.config_json"));
        request.train = &require(train, "train").rows;
        if (eval != nullptr) request.eval = &eval->rows;
        const core::TrainOutcome outcome = core::run_training(request, observer_of(known));
        *result = new rag_string{core::outcome_json(outcome)};
    });
}

rag_status rag_train_config(rag_text task, rag_text config_json, rag_string** config) noexcept {
    return guard([&] {
        require(config, "config") = nullptr;
        const core::TrainerConfig given = core::parse_trainer_config(text_of(config_json, "config_json"));
        core::refuse_unused(core::unused_settings(given, task_of(task)));
        *config = new rag_string{core::trainer_config_json(core::complete_config(given, task_of(task)))};
    });
}
