#include "train/unused_settings.hpp"

#include <array>
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
        : config_(json::parse(trainer_config_json(config))), defaults_(json::parse(trainer_config_json(TrainerConfig()))) {}
    bool has(const char* name) const { return config_[name] != defaults_[name]; }
    std::string text(const char* name) const {
        return fmt::format("{} is {}", name, config_[name].dump(-1, ' ', false, json::error_handler_t::replace));
    }

  private:
    json config_, defaults_;
};

std::string settings_of(TrainTask task) {
    std::string names;
    for (const TaskSetting& setting : kTaskSettings) {
        if (setting.task == task) names += (names.empty() ? "" : ", ") + std::string(setting.name);
    }
    return names.empty() ? "it has no settings of its own" : "its own settings are " + names;
}

void add_of_method(const Given& given, std::span<const char* const> names, std::string_view method, std::string_view instead,
                   std::vector<UnusedSetting>& out) {
    for (const char* name : names) {
        if (!given.has(name)) continue;
        out.push_back(
            {name, fmt::format("{}, and the method {} does not use it", given.text(name), quote(method)), std::string(instead)});
    }
}

}  // namespace

std::vector<UnusedSetting> unused_settings(const TrainerConfig& config, TrainTask task) {
    const Given given(config);
    std::vector<UnusedSetting> out;
    for (const TaskSetting& setting : kTaskSettings) {
        if (setting.task == task || !given.has(setting.name)) continue;
        out.push_back({setting.name,
                       fmt::format("{}, and the task {} does not use it ({} does)", given.text(setting.name),
                                   train_task_name(task), train_task_name(setting.task)),
                       settings_of(task)});
    }
    const std::string of_full = fmt::format("its own settings are {}", fmt::join(kFullSettings, ", "));
    const std::string of_pairs = fmt::format("its own settings are {}", fmt::join(kPairSettings, ", "));
    if (config.method == "full") add_of_method(given, kPairSettings, config.method, of_full, out);
    constexpr std::array kBase = {"base_dtype"};
    if (config.method != "qlora") add_of_method(given, kBase, config.method, config.method == "full" ? of_full : of_pairs, out);
    if (given.has("save_dtype") && !writes_model(config, task))
        out.push_back({"save_dtype", given.text("save_dtype") + ", and no whole model is written, but an adapter alone",
                       "say save \"merged\" or \"both\", or leave save_dtype out"});
    return out;
}

std::vector<UnusedSetting> unused_of_distillation(const TrainerConfig& config, bool is_encoder) {
    std::vector<UnusedSetting> out;
    if (!is_encoder) return out;
    const Given given(config);
    for (const char* name : {"temperature", "hard_weight"}) {
        if (!given.has(name)) continue;
        out.push_back({name,
                       given.text(name) +
                           ", and the distillation of an encoder, which learns its teacher's vectors, does not use "
                           "it",
                       "it uses teacher and keep_layers"});
    }
    return out;
}

void refuse_unused(const std::vector<UnusedSetting>& unused) {
    if (!unused.empty()) fail(Code::kInvalidArgument, "{}: {}", unused.front().what, unused.front().instead);
}

std::vector<std::string> drop_unused(TrainerConfig& config, const std::vector<UnusedSetting>& unused) {
    json used = json::parse(trainer_config_json(config));
    const json defaults = json::parse(trainer_config_json(TrainerConfig()));
    std::vector<std::string> warnings;
    for (const UnusedSetting& setting : unused) {
        used[setting.name] = defaults[setting.name];
        warnings.push_back(setting.what + ": it is left out");
    }
    config = parse_trainer_config(used.dump(-1, ' ', false, json::error_handler_t::replace));
    return warnings;
}

}  // namespace rag::core
