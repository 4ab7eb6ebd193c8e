// A model while it is trained: its files, what of it is trained by which method, tensors that it did not have before (heads, LoRA
// pairs) with their first values, and the backend's trainer. Thread rule: one thread at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/backend_training.hpp"
#include "model/decoder_files.hpp"
#include "model/encoder_files.hpp"
#include "model/text_tokens.hpp"
#include "tokenizer/tokenizer.hpp"
#include "train/config.hpp"

namespace rag::core {

class TrainedModel {
  public:
    /// `labels`: of the new head of a classifier or, one alone, of a reranker. `backend`: null is librag_torch.so; it outlives
    /// this. Throws as opening an Encoder or Decoder does; kInvalidArgument (the task does not fit the model, no layer is named
    /// as target_modules ask, naming them); kUnsupported.
    TrainedModel(const std::filesystem::path& source, TrainTask task, const TrainerConfig& config,
                 const std::vector<std::string>& labels, Backend* backend);
    TrainedModel(const TrainedModel&) = delete;
    TrainedModel& operator=(const TrainedModel&) = delete;

    const std::filesystem::path& source() const noexcept { return source_; }
    TrainTask task() const noexcept { return task_; }
    bool is_encoder() const noexcept { return encoder_.has_value(); }
    const EncoderFiles& encoder() const { return *encoder_; }
    const DecoderFiles& decoder() const { return *decoder_; }
    const Weights& weights() const noexcept { return encoder_ ? encoder_->weights : decoder_->weights; }
    const LinearShapes& layers() const noexcept { return encoder_ ? encoder_->layers : decoder_->layers; }
    /// Throws kInvalidState when the model came without one.
    const std::shared_ptr<const Tokenizer>& tokenizer() const;
    std::int64_t max_tokens() const noexcept;
    const TrainerOptions& options() const noexcept { return options_; }
    /// Modules that the folder lacked: "classifier".
    const std::vector<std::string>& new_modules() const noexcept { return new_modules_; }
    BackendTrainer& trainer() noexcept { return *trainer_; }

    /// All of a trained tensor. Throws what the backend says.
    std::vector<float> read(std::size_t index, TrainedPart part);
    /// The same as a file holds them.
    std::vector<std::byte> read_bytes(std::size_t index, TrainedPart part);
    void write(std::size_t index, TrainedPart part, std::span<const float> values);

  private:
    void read_files(const TrainerConfig& config, const std::vector<std::string>& labels);
    void add_missing(const std::vector<ExpectedTensor>& missing, std::uint64_t seed);
    void choose_tensors(const TrainerConfig& config, const std::vector<ExpectedTensor>& missing);
    void start(const TrainerConfig& config, Backend* backend);

    std::filesystem::path source_;
    TrainTask task_;
    std::optional<EncoderFiles> encoder_;
    std::optional<DecoderFiles> decoder_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    TrainerOptions options_;
    std::vector<std::string> new_modules_;
    std::unique_ptr<BackendTrainer> trainer_;
};

/// The number in the name of a layer's tensor ("encoder.layer.3.output.dense.weight": 3), or -1.
std::int64_t layer_number(std::string_view tensor);
std::size_t element_count(std::span<const std::int64_t> shape);

}  // namespace rag::core
