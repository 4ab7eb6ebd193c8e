// A value for each label of a text, or of a pair of texts: sequence classifiers (transformers' NAMEForSequenceClassification),
// which the CrossEncoders of sentence-transformers are too; those have one label, how well the texts of a pair fit. Among them
// are language models that are asked whether they do (Qwen3-Reranker). Thread rule: any thread at any time; the backend serves
// calls one after another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "model/encoder_files.hpp"
#include "model/encoder_prompt.hpp"
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
    Precision precision() const noexcept { return precision_; }
    std::string describe() const override;

    /// The folder's prompts by name.
    const std::map<std::string, std::string>& prompts() const noexcept { return files_.prompts; }

    /// `out`: [texts, labels()], float32. A text without a pair is taken alone; a reranker that is a language model takes pairs
    /// alone (kInvalidArgument), and has `prompt` for its instruction; others have it before the first text. `batch_tokens`,
    /// `progress`, `adapters` and what is thrown: as Encoder::encode.
    void predict(std::span<const TextPair> texts, std::span<float> out, ClassifierScores scores, std::size_t batch_tokens,
                 const Progress& progress, const EncoderPrompt& prompt = {},
                 const std::optional<AdapterMix>& adapters = {}) const;

  private:
    /// What a row of logits goes through.
    enum class Transform { kNone, kSigmoid, kSoftmax, kTanh, kRelu };
    Classifier(const ModelOptions& options, EncoderFiles files, std::string source);
    BackendModel& backend_model() const override { return runner_.model(); }
    const Weights& weights() const override { return files_.weights; }
    std::string layer_prefix() const override { return files_.layer_prefix(); }
    std::string saved_name(const std::string& tensor) const override;
    std::set<std::string, std::less<>> exact_layers() const override;
    std::filesystem::path describe_into(const std::filesystem::path& folder, const SavedWeights& saved) const override;
    Transform transform_of(ClassifierScores scores) const;
    static void apply(Transform transform, std::span<float> row);

    EncoderFiles files_;
    std::string source_;
    Precision precision_;
    std::string why_;  // exceptions, and why the precision was chosen; for describe()
    EncoderRunner runner_;
    Transform cross_encoder_;
    std::vector<std::string> control_texts_;  // of a reranker that is a language model
};

}  // namespace rag::core
