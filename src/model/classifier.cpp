#include "model/classifier.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "formats/inspect.hpp"
#include "model/auto_precision.hpp"
#include "tokenizer/control_texts.hpp"

namespace rag::core {

Classifier::Classifier(const ModelOptions& options, EncoderFiles files, std::string source)
    : Model(options, files.layers),
      files_(std::move(files)),
      source_(std::move(source)),
      precision_(options.precision),
      runner_(backend(), options, files_, source_) {
    if (files_.rerank) control_texts_ = control_texts(*runner_.tokenizer());
    const std::string& name = files_.score_activation;
    if (name.empty()) {
        cross_encoder_ = files_.labels.size() == 1 ? Transform::kSigmoid : Transform::kNone;
    } else if (name == "Identity") {
        cross_encoder_ = Transform::kNone;
    } else if (name == "Sigmoid") {
        cross_encoder_ = Transform::kSigmoid;
    } else if (name == "Softmax") {
        cross_encoder_ = Transform::kSoftmax;
    } else if (name == "Tanh") {
        cross_encoder_ = Transform::kTanh;
    } else if (name == "ReLU") {
        cross_encoder_ = Transform::kRelu;
    } else {
        fail(Code::kUnsupported, "{}: activation_fn {}; Identity, Sigmoid, Softmax, Tanh and ReLU are supported",
             quote(source_, 400), quote(name));
    }
}

std::shared_ptr<Classifier> Classifier::open(const std::filesystem::path& path, const ModelOptions& options) {
    if (options.verify) require_verified(path, options.opening);
    EncoderFiles files = read_classifier_folder(path);
    ModelOptions chosen = options;
    std::string why;
    if (options.measured_precision) why = choose_precision(files.config, files.weights, chosen);
    chosen.exceptions = with_saved_exceptions(files.tokenizer, chosen);
    auto classifier = std::shared_ptr<Classifier>(new Classifier(chosen, std::move(files), path.string()));
    classifier->why_ = exceptions_text(chosen) + why;
    return classifier;
}

Classifier::~Classifier() {
    if (in_fork_child()) runner_.abandon();
}

std::string Classifier::describe() const {
    return fmt::format("{}: {} classifier, {} layers, {} labels, {} tokens, {}{}; {}", source_, files_.config.architecture,
                       files_.config.layers, files_.labels.size(), max_tokens(), precision_name(precision_), why_,
                       backend().describe());
}

Classifier::Transform Classifier::transform_of(ClassifierScores scores) const {
    if (scores == ClassifierScores::kCrossEncoder) return cross_encoder_;
    if (scores == ClassifierScores::kRaw) return Transform::kNone;
    const bool independent = files_.labels.size() == 1 || files_.problem_type == "multi_label_classification";
    return independent ? Transform::kSigmoid : Transform::kSoftmax;
}

void Classifier::apply(Transform transform, std::span<float> row) {
    switch (transform) {
        case Transform::kNone:
            return;
        case Transform::kSigmoid:
            for (float& value : row) value = 1.0F / (1.0F + std::exp(-value));
            return;
        case Transform::kTanh:
            for (float& value : row) value = std::tanh(value);
            return;
        case Transform::kRelu:
            for (float& value : row) value = std::max(value, 0.0F);
            return;
        case Transform::kSoftmax: {
            const float most = *std::max_element(row.begin(), row.end());
            float sum = 0.0F;
            for (float& value : row) sum += value = std::exp(value - most);
            for (float& value : row) value /= sum;
            return;
        }
    }
}

std::string Classifier::saved_name(const std::string& tensor) const {
    const bool made = files_.rerank && tensor.starts_with(files_.config.stages.front().module + ".");
    return made ? std::string() : whole_model_name(files_, tensor);
}

std::set<std::string, std::less<>> Classifier::exact_layers() const {
    std::set<std::string, std::less<>> modules;
    for (const EncoderStage& stage : files_.config.stages) modules.insert(stage.module);
    return modules;
}

std::filesystem::path Classifier::describe_into(const std::filesystem::path& folder, const SavedWeights& saved) const {
    return copy_sentence_folder(source_, files_.tokenizer, folder, saved);
}

void Classifier::predict(std::span<const TextPair> texts, std::span<float> out, ClassifierScores scores, std::size_t batch_tokens,
                         const Progress& progress, const EncoderPrompt& prompt, const std::optional<AdapterMix>& adapters) const {
    check_fork();
    const KeptMix mix = kept_mix(adapters);
    const std::uint64_t changes = merged_now().changes;
    const std::string& before = find_prompt(files_, prompt, source_);
    require_utf8(before, "the prompt");
    const Transform transform = transform_of(scores);
    EncoderRunner::Request request;
    request.texts = texts;
    request.out = out;
    request.batch_tokens = batch_tokens;
    request.finish = [transform](std::span<float> row) { apply(transform, row); };
    request.progress = progress;
    request.adapters = mix.shares;
    std::optional<RerankPrompt> rerank;
    std::vector<TextPair> prompted;
    std::vector<std::string> first;
    if (files_.rerank) {
        for (std::size_t i = 0; i < texts.size(); ++i) {
            if (!texts[i].pair) fail(Code::kInvalidArgument, "text {} is alone; {} reads pairs", i, quote(source_, 400));
        }
        rerank.emplace(runner_.tokens(), control_texts_, *files_.rerank, before);
        request.encode = [&](const TextPair& pair, std::vector<std::int32_t>& ids) {
            rerank->encode(pair.text, *pair.pair, ids);
        };
    } else if (!before.empty()) {
        prompted.assign(texts.begin(), texts.end());
        first.reserve(texts.size());
        for (TextPair& pair : prompted) pair.text = first.emplace_back(before + std::string(pair.text));
        request.texts = prompted;
    }
    runner_.run(request);
    require_same_weights(changes, fmt::format("the scores of {} texts", texts.size()));
}

}  // namespace rag::core
