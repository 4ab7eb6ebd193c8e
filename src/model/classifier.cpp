#include "model/classifier.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace rag::core {

Classifier::Classifier(const ModelOptions& options, EncoderFiles files, std::string source)
    : Model(options, files.layers),
      files_(std::move(files)),
      source_(std::move(source)),
      precision_(options.precision),
      runner_(backend(), backend_options(options), options.batching, files_, source_) {
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
    EncoderFiles files = read_classifier_folder(path);
    return std::shared_ptr<Classifier>(new Classifier(options, std::move(files), path.string()));
}

Classifier::~Classifier() {
    if (in_fork_child()) runner_.abandon();
}

std::string Classifier::describe() const {
    return fmt::format("{}: {} classifier, {} layers, {} labels, {} tokens, {}; {}", source_, files_.config.architecture,
                       files_.config.layers, files_.labels.size(), max_tokens(), precision_name(precision_),
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

void Classifier::predict(std::span<const TextPair> texts, std::span<float> out, ClassifierScores scores, std::size_t batch_tokens,
                         const Progress& progress) const {
    check_fork();
    const Transform transform = transform_of(scores);
    EncoderRunner::Request request;
    request.texts = texts;
    request.out = out;
    request.batch_tokens = batch_tokens;
    request.finish = [transform](std::span<float> row) { apply(transform, row); };
    request.progress = progress;
    runner_.run(request);
}

}  // namespace rag::core
