// A value for each label of a text, or of a pair of texts: sequence classifiers (transformers' NAMEForSequenceClassification),
// which the CrossEncoders of sentence-transformers are too; those have one label, how well the texts of a pair fit. Thread rule:
// any thread at any time; the backend serves calls one after another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "model/encoder_files.hpp"
#include "model/encoder_runner.hpp"
#include "model/model.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {

/// What becomes of the logits.
enum class ClassifierScores : std::uint32_t {
    /// As sentence-transformers' CrossEncoder: the function that config.json names (activation_fn), else sigmoid for one label
    /// and
    /// nothing for several.
    kCrossEncoder = 0,
    kRaw = 1,
    /// As transformers' text-classification pipeline: sigmoid for one label and where config.json says that a text may have
    /// several (problem_type), else softmax.
    kProbabilities = 2
};

class Classifier : public Model {
  public:
    /// `path`: the folder. Throws kNotFound, kCorrupt, kUnsupported (naming file, key or tensor), kNoBackend.
    static std::shared_ptr<Classifier> open(const std::filesystem::path& path, const ModelOptions& options);
    ~Classifier() override;

    const std::vector<std::string>& labels() const noexcept { return files_.labels; }
    /// Longest text, or pair, in tokens, special tokens included; of a pair the longer text is cut first.
    std::int64_t max_tokens() const noexcept { return files_.max_tokens; }
    std::shared_ptr<const Tokenizer> shared_tokenizer() const noexcept { return runner_.tokenizer(); }
    std::string describe() const override;

    /// `out`: [texts, labels()], float32. A text without a pair is taken alone. `batch_tokens`, `progress` and what is thrown: as
    /// Encoder::encode.
    void predict(std::span<const TextPair> texts, std::span<float> out, ClassifierScores scores, std::size_t batch_tokens,
                 const Progress& progress) const;

  private:
    /// What a row of logits goes through.
    enum class Transform { kNone, kSigmoid, kSoftmax, kTanh, kRelu };
    Classifier(const ModelOptions& options, EncoderFiles files, std::string source);
    BackendModel& backend_model() const override { return runner_.model(); }
    Transform transform_of(ClassifierScores scores) const;
    static void apply(Transform transform, std::span<float> row);

    EncoderFiles files_;
    std::string source_;
    Precision precision_;
    EncoderRunner runner_;
    Transform cross_encoder_;
};

}  // namespace rag::core
