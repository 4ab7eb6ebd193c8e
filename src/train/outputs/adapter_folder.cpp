// LoRA pairs as a PEFT folder (https://huggingface.co/docs/peft/developer_guides/checkpoint): keys carry the names that modules
// have in the class that the task is loaded with (BertForSequenceClassification: "bert.encoder..."), new heads are
// modules_to_save.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/atomic_file.hpp"
#include "formats/safetensors_writer.hpp"
#include "train/method.hpp"
#include "train/outputs/outputs.hpp"

namespace rag::core {
namespace {

using json = nlohmann::json;

bool has_head(const TrainedModel& model) {
    return model.task() == TrainTask::kClassification || model.task() == TrainTask::kRerank;
}

std::string peft_key(const TrainedModel& model, const std::string& tensor) {
    return "base_model.model." + (has_head(model) ? whole_model_name(model.encoder(), tensor) : tensor);
}

json number(double value) {
    if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
    return value;
}

json adapter_config(const TrainedModel& model, const TrainerConfig& config) {
    json task = nullptr;
    if (has_head(model)) {
        task = "SEQ_CLS";
    } else if (!model.is_encoder()) {
        task = "CAUSAL_LM";
    } else {
        task = "FEATURE_EXTRACTION";
    }
    json saved = nullptr;
    if (!model.new_modules().empty()) saved = model.new_modules();
    return {{"peft_type", "LORA"},
            {"task_type", std::move(task)},
            {"base_model_name_or_path", model.source().string()},
            {"r", config.r},
            {"lora_alpha", number(config.alpha)},
            {"lora_dropout", number(config.lora_dropout)},
            {"use_rslora", config.rslora},
            {"target_modules", target_names(model.options().pairs, config)},
            {"modules_to_save", std::move(saved)},
            {"auto_mapping", nullptr},
            {"bias", "none"},
            {"fan_in_fan_out", false},
            {"inference_mode", true},
            {"init_lora_weights", true},
            {"layers_pattern", nullptr},
            {"layers_to_transform", nullptr},
            {"rank_pattern", json::object()},
            {"alpha_pattern", json::object()},
            {"revision", nullptr},
            {"use_dora", false}};
}

}  // namespace

void write_adapter_folder(TrainedModel& model, const TrainerConfig& config, const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    const std::vector<TrainedTensor> tensors = model.trainer().tensors();
    std::vector<TensorEntry> entries;
    for (const TrainedTensor& tensor : tensors) entries.push_back({peft_key(model, tensor.name), "F32", tensor.shape});
    const auto produce = [&](std::size_t index) {
        const std::vector<float> values = model.read(index, TrainedPart::kValue);
        const auto bytes = std::as_bytes(std::span(values));
        return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    write_safetensors(folder, entries, {{"format", "pt"}}, std::uint64_t{1} << 62U, produce);
    std::filesystem::rename(folder / "model.safetensors", folder / "adapter_model.safetensors");
    const std::string text = adapter_config(model, config).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
    AtomicFile file(folder / "adapter_config.json");
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

}  // namespace rag::core
