// A trained model as folders that other programs read: PEFT's for LoRA pairs (with modules_to_save for new heads), and the whole
// model, pairs added, as Hugging Face's or sentence-transformers' folder. Thread rule: one call, one thread.
#pragma once

#include <filesystem>

#include "train/config.hpp"
#include "train/trained_model.hpp"

namespace rag::core {

/// Which of them `config` and the model ask for. Throws kInvalidArgument for what cannot be made (a merged model of a GGUF file,
/// an adapter of a new head that is not made of modules), before anything is trained.
struct OutputPlan {
    bool adapter = false, merged = false;
};
OutputPlan plan_outputs(const TrainedModel& model, const TrainerConfig& config);

/// adapter_config.json and adapter_model.safetensors as peft writes them. `folder` does not exist.
void write_adapter_folder(TrainedModel& model, const TrainerConfig& config, const std::filesystem::path& folder);
/// The model with what was trained, in config.save_dtype. `folder` does not exist.
void write_model_folder(TrainedModel& model, const TrainerConfig& config, const std::filesystem::path& folder);

/// Writes what is planned into `output`: "adapter" and "model"; what was there is replaced when the new is whole. The folder that
/// is to be used: the whole model where there is one.
std::filesystem::path write_outputs(TrainedModel& model, const TrainerConfig& config, const std::filesystem::path& output);

}  // namespace rag::core
