// Texts to vectors with a sentence-transformers folder: a prompt in front, tokenized, cut to the model's limit, batched without
// padding, pooled, through the folder's Dense modules, normalised, and cut to the first dimensions where that is asked for.
// Thread rule: any thread at any time; the backend serves calls one after another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "model/encoder_files.hpp"
#include "model/encoder_prompt.hpp"
#include "model/encoder_runner.hpp"
#include "model/model.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {

class Encoder : public Model {
  public:
    /// `path`: the folder. `truncate_dim`: vectors are cut to so many first dimensions (Matryoshka, Kusupati et al. 2022,
    /// https://arxiv.org/abs/2205.13147); 0: not. Throws kNotFound, kCorrupt, kUnsupported (naming file, key or tensor),
    /// kInvalidArgument (truncate_dim above the model's dimension), kNoBackend.
    static std::shared_ptr<Encoder> open(const std::filesystem::path& path, const ModelOptions& options,
                                         std::int64_t truncate_dim = 0);
    ~Encoder() override;

    /// Of the vectors that encode() gives.
    std::int64_t dimension() const noexcept { return truncate_dim_ != 0 ? truncate_dim_ : runner_.outputs(); }
    /// Longest text in tokens, special tokens included; what is longer is cut. The smaller of the folder's max_seq_length and the
    /// model's positions, not the truncation in tokenizer.json.
    std::int64_t max_tokens() const noexcept { return files_.max_tokens; }
    /// Special tokens that every text gets ([CLS] and [SEP]): max_tokens() minus these are left for the text.
    std::int64_t special_tokens() const noexcept { return static_cast<std::int64_t>(runner_.tokens().special_tokens()); }
    /// Tokens of the longest of the prompts that kQuery, kDocument and kDefault may put in front of a text.
    std::int64_t prompt_tokens() const;
    const Tokenizer& tokenizer() const noexcept { return *runner_.tokenizer(); }
    std::shared_ptr<const Tokenizer> shared_tokenizer() const noexcept { return runner_.tokenizer(); }
    /// Passes of concurrent callers so far.
    CallBatcher::Counts batch_counts() const { return runner_.batch_counts(); }
    /// The folder's prompts by name.
    const std::map<std::string, std::string>& prompts() const noexcept { return files_.prompts; }
    /// The text that a prompt stands for. Throws kNotFound for a name that the folder does not have, listing those it has.
    const std::string& prompt_text(const EncoderPrompt& prompt) const;

    Precision precision() const noexcept { return precision_; }

    /// Names what vectors of this model can be compared with: the same for every precision, device and thread count, another one
    /// for other weights, pooling, prompts, limit, dimension or tokenizer, and while an adapter is merged or set. Reads all
    /// weights on the first call.
    std::string fingerprint() const;
    std::string describe() const override;

    /// What the encoder computes with at one moment: the adapters that are set, and which one is merged.
    class Moment {
      public:
        /// As Encoder::fingerprint().
        const std::string& fingerprint() const noexcept { return fingerprint_; }

      private:
        friend class Encoder;
        std::string fingerprint_;
        KeptMix mix_;
        std::uint64_t changes_ = 0;
    };
    /// Vectors of encode_as() with it are of its fingerprint, whatever is set meanwhile. Cost: as fingerprint().
    Moment now() const;
    /// Whether an adapter was merged or unmerged since.
    bool changed_since(const Moment& moment) const { return merged_now().changes != moment.changes_; }

    /// `out`: [texts, dimension()], float32. `normalize`: vectors of length 1 (a folder with a Normalize module always gives
    /// those, before they are cut). `batch_tokens`: tokens computed together, 0: kDefaultBatchTokens; less memory with fewer, the
    /// same vectors with any. `progress` counts texts and is asked once a layer whether to stop, possibly on another thread.
    /// `adapters`: for this call, instead of those that are set. Throws kInvalidArgument (the size of `out`, ill-formed UTF-8),
    /// kNotFound (the prompt, an adapter), kInvalidState (an adapter was merged or unmerged meanwhile, so that vectors would be
    /// of two models), Stopped; the content of `out` is undefined then.
    void encode(std::span<const std::string_view> texts, std::span<float> out, bool normalize, std::size_t batch_tokens,
                const Progress& progress, const EncoderPrompt& prompt = {}, const std::optional<AdapterMix>& adapters = {}) const;

    /// The same with the adapters that were set at `moment`. Throws kInvalidState if one was merged or unmerged since.
    void encode_as(const Moment& moment, std::span<const std::string_view> texts, std::span<float> out, bool normalize,
                   std::size_t batch_tokens, const Progress& progress, const EncoderPrompt& prompt = {}) const;

    /// What saving in int4 learns from: how the inputs of linear layers look over these texts.
    void calibrate(std::span<const std::string_view> texts, const Progress& progress);

    static constexpr std::size_t kDefaultBatchTokens = EncoderRunner::kDefaultBatchTokens;

  private:
    Encoder(const ModelOptions& options, EncoderFiles files, std::string source, std::int64_t truncate_dim);
    BackendModel& backend_model() const override { return runner_.model(); }
    const Weights& weights() const override { return files_.weights; }
    std::string layer_prefix() const override { return files_.layer_prefix(); }
    /// Dense modules are copied with their folders.
    std::string saved_name(const std::string& tensor) const override { return tensor.starts_with("dense.") ? "" : tensor; }
    std::filesystem::path describe_into(const std::filesystem::path& folder, const SavedWeights& saved) const override;
    std::string fingerprint_of(std::uint64_t merged, std::uint64_t added) const;
    void finish_vector(std::span<float> vector, bool normalize) const;

    EncoderFiles files_;
    std::string source_;
    Precision precision_;
    std::string why_;  // exceptions, and why the precision was chosen; for describe()
    EncoderRunner runner_;
    std::int64_t truncate_dim_;
    mutable std::once_flag fingerprinted_;
    mutable std::string fingerprint_;
};

}  // namespace rag::core
