#include "train/unused_settings.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace rag::core {
namespace {

using json = nlohmann::json;

struct TaskSetting {
    const char* name;
    TrainTask task;
};
constexpr std::array kTaskSettings = {
    TaskSetting{"labels", TrainTask::kClassification}, TaskSetting{"scale", TrainTask::kContrastive},
    TaskSetting{"rerank_loss", TrainTask::kRerank},    TaskSetting{"negatives", TrainTask::kRerank},
    TaskSetting{"teacher", TrainTask::kDistill},       TaskSetting{"temperature", TrainTask::kDistill},
    TaskSetting{"hard_weight", TrainTask::kDistill},   TaskSetting{"keep_layers", TrainTask::kDistill},
    TaskSetting{"mask_ratio", TrainTask::kMaskedLm}};

constexpr std::array kPairSettings = {"r", "alpha", "rslora", "lora_dropout", "target_modules"};
constexpr std::array kFullSettings = {"freeze_embeddings", "freeze_layers"};

/// "hard_weight is 0.2": of what is not as it is when nobody says anything.
class Given {
  public:
    explicit Given(const TrainerConfig& config)
        : config_(json::parse(trainer_config_json(config))), changed_(config_differences(config, TrainerConfig())) {}
    bool has(const char* name) const { return std::find(changed_.begin(), changed_.end(), name) != changed_.end(); }
    std::string text(const char* name) const {
        return fmt::format("{} is {}", name, config_[name].dump(-1, ' ', false, json::error_handler_t::replace));
    }

  private:
    json config_;
    std::vector<std::string> changed_;
};

std::string settings_of(TrainTask task) {
    std::string names;
    for (const TaskSetting& setting : kTaskSettings) {
        if (setting.task == task) names += (names.empty() ? "" : ", ") + std::string(setting.name);
    }
    return names.empty() ? "it has no settings of its own" : "its own settings are " + names;
}

void refuse(const Given& given, std::span<const char* const> names, std::string_view method, std::string_view rest) {
    for (const char* name : names) {
        if (given.has(name))
            fail(Code::kInvalidArgument, "{}, and the method {} does not use it: {}", given.text(name), quote(method), rest);
    }
}

}  // namespace

void refuse_unused_settings(const TrainerConfig& config, TrainTask task) {
    const Given given(config);
    for (const TaskSetting& setting : kTaskSettings) {
        if (setting.task == task || !given.has(setting.name)) continue;
        fail(Code::kInvalidArgument, "{}, and the task {} does not use it ({} does): {}", given.text(setting.name),
             train_task_name(task), train_task_name(setting.task), settings_of(task));
    }
    const std::string of_full = fmt::format("its own settings are {}", fmt::join(kFullSettings, ", "));
    const std::string of_pairs = fmt::format("its own settings are {}", fmt::join(kPairSettings, ", "));
    if (config.method == "full") refuse(given, kPairSettings, config.method, of_full);
    constexpr std::array kBase = {"base_dtype"};
    if (config.method != "qlora") refuse(given, kBase, config.method, config.method == "full" ? of_full : of_pairs);
}

void refuse_unused_of_distillation(const TrainerConfig& config, bool is_encoder) {
    if (!is_encoder) return;
    const Given given(config);
    for (const char* name : {"temperature", "hard_weight"}) {
        if (given.has(name))
            fail(Code::kInvalidArgument,
                 "{}, and the distillation of an encoder, which learns its teacher's vectors, does not use it: it uses teacher "
                 "and "
                 "keep_layers",
                 given.text(name));
    }
}

}  // namespace rag::core
