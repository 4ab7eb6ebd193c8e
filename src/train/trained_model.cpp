#include "train/trained_model.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "core/thread_pool.hpp"
#include "model/loader.hpp"
#include "model/model.hpp"
#include "train/method.hpp"
#include "train/random.hpp"
#include "train/student.hpp"

namespace rag::core {
namespace {

constexpr double kHeadDeviation = 0.02;  // initializer_range of BERT and its relatives
constexpr double kEncoderDropout = 0.1;  // with which they were trained

/// What keeps the values of new tensors beside the files' mapped ones.
struct NewValues {
    std::vector<std::vector<float>> values;
    std::shared_ptr<const void> files;
};

std::vector<float> first_values(const ExpectedTensor& tensor, std::uint64_t seed) {
    std::vector<float> values(element_count(tensor.shape));
    if (tensor.shape.size() == 1) {
        // Biases are 0, the weights of norms 1.
        if (tensor.name.ends_with(".weight")) std::fill(values.begin(), values.end(), 1.0F);
        return values;
    }
    const CounterRandom random(seed, tensor.name);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(kHeadDeviation * random.normal(i));
    return values;
}

Precision precision_of(const TrainerConfig& config) {
    if (config.method == "qlora") return config.base_dtype == "int8" ? Precision::kInt8 : Precision::kInt4;
    return config.dtype == "bfloat16" ? Precision::kBFloat16 : Precision::kFloat32;
}

bool is_decoder_path(const std::filesystem::path& source, TrainTask task) {
    if (task == TrainTask::kCausalLm) return true;
    if (task != TrainTask::kDistill) return false;
    std::error_code ignored;
    if (!std::filesystem::is_directory(source, ignored)) return true;  // a GGUF file
    if (std::filesystem::exists(source / "modules.json", ignored)) return false;
    try {
        static_cast<void>(read_decoder_files(source));
        return true;
    } catch (const Error& error) {
        if (error.code() != Code::kUnsupported) throw;
        return false;
    }
}

}  // namespace

std::int64_t layer_number(std::string_view tensor) {
    for (const std::string_view part : {std::string_view("layers."), std::string_view("layer.")}) {
        const std::size_t at = tensor.find(part);
        if (at == std::string_view::npos || (at > 0 && tensor[at - 1] != '.')) continue;
        std::int64_t number = -1;
        const std::string_view rest = tensor.substr(at + part.size());
        if (std::from_chars(rest.data(), rest.data() + rest.size(), number).ec == std::errc()) return number;
    }
    return -1;
}

std::size_t element_count(std::span<const std::int64_t> shape) {
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    return count;
}

TrainedModel::TrainedModel(const std::filesystem::path& source, TrainTask task, const TrainerConfig& config,
                           const std::vector<std::string>& labels, Backend* backend)
    : source_(source), task_(task) {
    read_files(config, labels);
    const std::filesystem::path& place = encoder_ ? encoder_->tokenizer : decoder_->tokenizer;
    if (!place.empty()) {
        tokenizer_ = Tokenizer::from_pretrained(place);
        const std::int64_t vocab = encoder_ ? encoder_->config.vocab_size : decoder_->config.vocab_size;
        if (tokenizer_->id_limit() > vocab)
            fail(Code::kCorrupt, "{}: the tokenizer has ids up to {}, the model {} tokens: they do not belong together",
                 quote(place.string(), 400), tokenizer_->id_limit() - 1, vocab);
    }
    start(config, backend);
}

void TrainedModel::read_files(const TrainerConfig& config, const std::vector<std::string>& labels) {
    std::vector<ExpectedTensor> missing;
    switch (task_) {
        case TrainTask::kClassification:
        case TrainTask::kRerank:
            encoder_ = read_new_classifier(source_, labels, missing);
            break;
        case TrainTask::kMaskedLm:
            encoder_ = read_token_model(source_, options_.token_head, missing);
            break;
        case TrainTask::kContrastive:
            encoder_ = read_encoder_folder(source_);
            break;
        case TrainTask::kCausalLm:
        case TrainTask::kDistill:
            if (is_decoder_path(source_, task_)) {
                decoder_ = read_decoder_files(source_);
            } else {
                encoder_ = read_encoder_folder(source_);
            }
            break;
    }
    if (!config.keep_layers.empty()) {
        if (task_ != TrainTask::kDistill || !encoder_)
            fail(Code::kInvalidArgument, "keep_layers belongs to the distillation of encoders");
        keep_layers(*encoder_, config.keep_layers);
    }
    add_missing(missing, config.seed);
    choose_tensors(config, missing);
}

void TrainedModel::add_missing(const std::vector<ExpectedTensor>& missing, std::uint64_t seed) {
    if (missing.empty()) return;
    Weights& weights = encoder_->weights;
    auto kept = std::make_shared<NewValues>();
    kept->files = weights.owner;
    for (const ExpectedTensor& tensor : missing) {
        kept->values.push_back(first_values(tensor, seed));
        const std::string module = tensor.name.substr(0, tensor.name.rfind('.'));
        if (std::find(new_modules_.begin(), new_modules_.end(), module) == new_modules_.end()) new_modules_.push_back(module);
    }
    for (std::size_t i = 0; i < missing.size(); ++i) {
        weights.tensors.push_back(
            {missing[i].name, ElementType::kF32, missing[i].shape, std::as_bytes(std::span<const float>(kept->values[i]))});
    }
    weights.owner = std::move(kept);
}

void TrainedModel::choose_tensors(const TrainerConfig& config, const std::vector<ExpectedTensor>& missing) {
    if (config.method == "full") {
        options_.tensors = choose_full(weights(), config);
        return;
    }
    std::vector<std::string> heads;
    if (encoder_) {
        for (const EncoderStage& stage : encoder_->config.stages) heads.push_back(stage.module);
        heads.push_back(options_.token_head.dense);
    }
    options_.pairs = choose_pairs(layers(), heads, config);
    // What has no values yet is trained whole; so are the modules that PEFT keeps beside pairs for sequence classification, those
    // whose names end with "classifier", with all that is in them.
    for (const ExpectedTensor& tensor : missing) options_.tensors.push_back(tensor.name);
    if (task_ != TrainTask::kClassification && task_ != TrainTask::kRerank) return;
    for (const EncoderStage& stage : encoder_->config.stages) {
        const std::string root = stage.module.substr(0, stage.module.find('.'));
        if (!root.ends_with("classifier")) continue;
        std::erase_if(new_modules_, [&](const std::string& module) { return module == root || module.starts_with(root + "."); });
        new_modules_.push_back(root);
        for (const char* part : {".weight", ".bias"}) {
            const std::string name = stage.module + part;
            const bool known = std::find(options_.tensors.begin(), options_.tensors.end(), name) != options_.tensors.end();
            if (!known && (stage.bias || part == std::string_view(".weight"))) options_.tensors.push_back(name);
        }
    }
}

void TrainedModel::start(const TrainerConfig& config, Backend* backend) {
    options_.precision = precision_of(config);
    options_.device = config.device;
    options_.threads = static_cast<std::uint32_t>(config.threads != 0 ? config.threads : available_cpus());
    options_.dropout = static_cast<float>(config.dropout >= 0 ? config.dropout : encoder_ ? kEncoderDropout : 0.0);
    options_.pair_dropout = static_cast<float>(config.lora_dropout);
    options_.recompute_layers = config.recompute_layers;
    options_.fake_int8 = config.fake_int8;
    Backend& used = backend != nullptr ? *backend : rag::core::backend();
    check_status(encoder_ ? used.train_encoder(encoder_->config, encoder_->weights, options_, trainer_)
                          : used.train_decoder(decoder_->config, decoder_->weights, options_, trainer_));
    if (trainer_ == nullptr) fail(Code::kInternal, "the backend gave no trainer for {}", quote(source_.string(), 400));
    // The trainer has its own copies, of most of it.
    for (const TensorView& tensor : weights().tensors) release_pages(tensor.bytes);
    // B is zero: the model begins as it was. A as PEFT draws it, kaiming_uniform with a = sqrt(5).
    const std::vector<TrainedTensor> tensors = trainer_->tensors();
    for (std::size_t index = 0; index < tensors.size(); ++index) {
        if (!tensors[index].name.ends_with(".lora_A.weight")) continue;
        std::vector<float> values(element_count(tensors[index].shape));
        const CounterRandom random(config.seed, tensors[index].name);
        const double bound = 1.0 / std::sqrt(static_cast<double>(tensors[index].shape[1]));
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>((2.0 * random.uniform(i) - 1.0) * bound);
        write(index, TrainedPart::kValue, values);
    }
}

const std::shared_ptr<const Tokenizer>& TrainedModel::tokenizer() const {
    if (tokenizer_ == nullptr)
        fail(Code::kInvalidState, "{} has no tokenizer, so it cannot be trained on texts", quote(source_.string(), 400));
    return tokenizer_;
}

std::int64_t TrainedModel::max_tokens() const noexcept {
    return encoder_ ? encoder_->max_tokens : decoder_->config.context_length;
}

std::vector<float> TrainedModel::read(std::size_t index, TrainedPart part) {
    std::vector<float> values(element_count(trainer_->tensors().at(index).shape));
    check_status(trainer_->read(index, part, values));
    return values;
}

std::vector<std::byte> TrainedModel::read_bytes(std::size_t index, TrainedPart part) {
    const std::size_t count = element_count(trainer_->tensors().at(index).shape);
    std::vector<std::byte> bytes(count * sizeof(float));  // as aligned as any number, because it is allocated
    check_status(trainer_->read(index, part, std::span(reinterpret_cast<float*>(bytes.data()), count)));
    return bytes;
}

void TrainedModel::write(std::size_t index, TrainedPart part, std::span<const float> values) {
    check_status(trainer_->write(index, part, values));
}

}  // namespace rag::core
