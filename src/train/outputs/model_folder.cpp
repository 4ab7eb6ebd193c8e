// The whole model as a Hugging Face folder, or a sentence-transformers folder where it came from one: trained tensors as they are
// now, pairs added to their layers (W + scale * B A, in double), the rest as it was.
#include <bit>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "formats/json_text.hpp"
#include "formats/safetensors_writer.hpp"
#include "model/saving.hpp"
#include "train/outputs/element_values.hpp"
#include "train/outputs/outputs.hpp"
#include "train/student.hpp"

namespace rag::core {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

constexpr std::uint64_t kShardBytes = 5'000'000'000;
constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;

/// Values of the model's tensors with what was trained.
class TrainedValues {
  public:
    explicit TrainedValues(TrainedModel& model) : model_(model) {
        const std::vector<TrainedTensor> tensors = model.trainer().tensors();
        for (std::size_t i = 0; i < tensors.size(); ++i) places_[tensors[i].name] = i;
        for (const TrainedPair& pair : model.options().pairs) pairs_[pair.module + ".weight"] = &pair;
    }
    /// As elements of `type`.
    std::vector<std::byte> of(const TensorView& tensor, const std::string& type) {
        const auto trained = places_.find(tensor.name);
        if (trained != places_.end() && type == "F32") return model_.read_bytes(trained->second, TrainedPart::kValue);
        return element_bytes(trained != places_.end() ? model_.read(trained->second, TrainedPart::kValue) : merged(tensor), type);
    }

  private:
    std::vector<float> merged(const TensorView& tensor) {
        std::vector<float> values = element_values(tensor);
        if (const auto pair = pairs_.find(tensor.name); pair != pairs_.end()) add_pair(*pair->second, tensor, values);
        return values;
    }
    void add_pair(const TrainedPair& pair, const TensorView& tensor, std::vector<float>& values) {
        const std::vector<float> a = model_.read(places_.at(pair.module + ".lora_A.weight"), TrainedPart::kValue);
        const std::vector<float> b = model_.read(places_.at(pair.module + ".lora_B.weight"), TrainedPart::kValue);
        const auto outputs = static_cast<std::size_t>(tensor.shape[0]), inputs = static_cast<std::size_t>(tensor.shape[1]);
        const auto rank = static_cast<std::size_t>(pair.rank);
        std::vector<double> row(inputs);
        for (std::size_t o = 0; o < outputs; ++o) {
            std::fill(row.begin(), row.end(), 0.0);
            for (std::size_t k = 0; k < rank; ++k) {
                const double factor = static_cast<double>(pair.scale) * b[o * rank + k];
                for (std::size_t i = 0; i < inputs; ++i) row[i] += factor * a[k * inputs + i];
            }
            for (std::size_t i = 0; i < inputs; ++i) values[o * inputs + i] = static_cast<float>(values[o * inputs + i] + row[i]);
        }
    }
    TrainedModel& model_;
    std::map<std::string, std::size_t> places_;
    std::map<std::string, const TrainedPair*> pairs_;
};

/// "BertForSequenceClassification" from any class of the family in the folder's config.json, else from its model_type.
std::string class_name(const json& config, const char* ending) {
    constexpr std::pair<const char*, const char*> kNames[] = {
        {"bert", "Bert"},   {"roberta", "Roberta"},      {"xlm-roberta", "XLMRoberta"}, {"distilbert", "DistilBert"},
        {"mpnet", "MPNet"}, {"modernbert", "ModernBert"}};
    for (const auto& [type, name] : kNames) {
        if (config.value("model_type", "") == type) return std::string(name) + ending;
    }
    fail(Code::kUnsupported, "a head for model_type {} cannot be described", quote(config.value("model_type", "")));
}

void write_text(const fs::path& path, const std::string& text) {
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

void describe_head(const TrainedModel& model, const fs::path& folder) {
    json config = json::parse(read_json_object((folder / "config.json").string(), kMaxConfigBytes).dump());
    if (model.task() == TrainTask::kMaskedLm) {
        config["architectures"] = {class_name(config, "ForMaskedLM")};
    } else {
        config["architectures"] = {class_name(config, "ForSequenceClassification")};
        json names = json::object(), numbers = json::object();
        const std::vector<std::string>& labels = model.encoder().labels;
        for (std::size_t i = 0; i < labels.size(); ++i) {
            names[std::to_string(i)] = labels[i];
            numbers[labels[i]] = i;
        }
        config["id2label"] = std::move(names);
        config["label2id"] = std::move(numbers);
        if (model.task() == TrainTask::kClassification) config["problem_type"] = "single_label_classification";
    }
    write_text(folder / "config.json", config.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

/// A classifier is the transformer's folder alone, without the modules that make vectors of it.
void remove_modules(const fs::path& folder) {
    fs::remove(folder / "modules.json");
    fs::remove(folder / "config_sentence_transformers.json");
    std::vector<fs::path> modules;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (entry.is_directory() && name[0] >= '0' && name[0] <= '9') modules.push_back(entry.path());
    }
    for (const fs::path& module : modules) fs::remove_all(module);
}

/// Everything but weights; the folder that they belong into.
fs::path describe(const TrainedModel& model, const fs::path& folder, const SavedWeights& saved) {
    if (!model.is_encoder()) {
        copy_description(model.source(), folder, saved);
        return folder;
    }
    const fs::path& transformer = model.encoder().tokenizer;
    const bool head = model.task() == TrainTask::kClassification || model.task() == TrainTask::kRerank;
    if (head) {
        copy_description(transformer, folder, saved);
        remove_modules(folder);
        describe_head(model, folder);
        return folder;
    }
    const fs::path below = transformer.lexically_relative(model.source());
    copy_description(model.source(), folder, saved);
    const fs::path place = below == "." ? folder : folder / below;
    if (below != ".") copy_description(transformer, place, saved);
    if (model.task() == TrainTask::kMaskedLm) describe_head(model, place);
    return place;
}

}  // namespace

void write_model_folder(TrainedModel& model, const TrainerConfig& config, const fs::path& folder) {
    const Precision precision = config.save_dtype == "bfloat16"  ? Precision::kBFloat16
                                : config.save_dtype == "float16" ? Precision::kFloat16
                                                                 : Precision::kFloat32;
    const fs::path place = describe(model, folder, saved_weights(precision));
    if (!config.keep_layers.empty()) describe_layers(place / "config.json", model.encoder().config.layers);
    const bool whole = model.is_encoder() && (!model.encoder().labels.empty() || model.task() == TrainTask::kMaskedLm);
    std::vector<TensorEntry> entries;
    std::vector<const TensorView*> tensors;
    for (const TensorView& tensor : model.weights().tensors) {
        if (tensor.name.starts_with("dense.")) continue;  // lies in a module's folder, and was copied with it
        const bool narrow = precision != Precision::kFloat32 && tensor.shape.size() == 2;
        entries.push_back({whole ? whole_model_name(model.encoder(), tensor.name) : tensor.name,
                           !narrow                             ? "F32"
                           : precision == Precision::kBFloat16 ? "BF16"
                                                               : "F16",
                           tensor.shape});
        tensors.push_back(&tensor);
    }
    TrainedValues values(model);
    write_safetensors(place, entries, {{"format", "pt"}}, kShardBytes,
                      [&](std::size_t index) { return values.of(*tensors[index], entries[index].type); });
}

}  // namespace rag::core
