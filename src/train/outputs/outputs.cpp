#include "train/outputs/outputs.hpp"

#include <functional>

#include "core/error.hpp"

namespace rag::core {
namespace {

namespace fs = std::filesystem;

/// Writes beside the target, then takes its place.
fs::path replace_folder(const fs::path& target, const std::function<void(const fs::path&)>& write) {
    fs::path unfinished = target;
    unfinished += ".unfinished";
    fs::remove_all(unfinished);
    write(unfinished);
    fs::remove_all(target);
    fs::rename(unfinished, target);
    return target;
}

bool readable_tensors(const Weights& weights) {
    for (const TensorView& tensor : weights.tensors) {
        if (tensor.type != ElementType::kF32 && tensor.type != ElementType::kF16 && tensor.type != ElementType::kBF16)
            return false;
    }
    return true;
}

}  // namespace

OutputPlan plan_outputs(const TrainedModel& model, const TrainerConfig& config) {
    const std::string source = quote(model.source().string(), 400);
    const bool pairs = config.method != "full";
    const bool whole_head = model.task() == TrainTask::kMaskedLm;  // a bias without a module
    if (whole_head && config.save == "adapter")
        fail(Code::kInvalidArgument,
             "save is \"adapter\", and PEFT's folders cannot hold the head of masked_lm: save \"merged\"");
    const bool shortened = !config.keep_layers.empty();  // an adapter would name layers that the base has under other numbers
    if (shortened && config.save == "adapter")
        fail(Code::kInvalidArgument, "save is \"adapter\", and a student of keep_layers is written whole: save \"merged\"");
    OutputPlan plan;
    plan.adapter = pairs && !whole_head && !shortened && config.save != "merged";
    plan.merged = writes_model(config, model.task());
    const bool folder = fs::is_directory(model.source()) && readable_tensors(model.weights());
    if (plan.merged && !folder)
        fail(Code::kInvalidArgument, "a whole model can be written from a folder of float32, bfloat16 or float16; {} is none: {}",
             source, pairs ? "save an adapter, and merge it where it is used" : "the method full needs one");
    return plan;
}

fs::path write_outputs(TrainedModel& model, const TrainerConfig& config, const fs::path& output) {
    const OutputPlan plan = plan_outputs(model, config);
    fs::path used;
    try {
        if (plan.adapter)
            used = replace_folder(output / "adapter", [&](const fs::path& to) { write_adapter_folder(model, config, to); });
        if (plan.merged)
            used = replace_folder(output / "model", [&](const fs::path& to) { write_model_folder(model, config, to); });
    } catch (const fs::filesystem_error& failed) {
        fail(Code::kIo, "{} cannot be written: {}", quote(output.string(), 400), failed.code().message());
    }
    return used;
}

}  // namespace rag::core
