// Texts to vectors with a sentence-transformers folder: tokenized, cut to the model's limit, batched without padding, pooled.
// Thread rule: any thread at any time; the backend serves calls one after another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "core/thread_pool.hpp"
#include "model/bert_files.hpp"
#include "model/model.hpp"
#include "model/text_tokens.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {

class Encoder : public Model {
  public:
    /// `path`: the folder. Throws kNotFound, kCorrupt, kUnsupported (naming file, key or tensor), kNoBackend.
    static std::shared_ptr<Encoder> open(const std::filesystem::path& path, const ModelOptions& options);
    ~Encoder() override;

    std::int64_t dimension() const noexcept { return files_.config.hidden_size; }
    /// Longest text in tokens, special tokens included; what is longer is cut. The smaller of the folder's max_seq_length and the
    /// model's positions, not the truncation in tokenizer.json.
    std::int64_t max_tokens() const noexcept { return files_.max_tokens; }
    /// Special tokens that every text gets ([CLS] and [SEP]): max_tokens() minus these are left for the text.
    std::int64_t special_tokens() const noexcept { return static_cast<std::int64_t>(tokens_.special_tokens()); }
    const Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
    std::shared_ptr<const Tokenizer> shared_tokenizer() const noexcept { return tokenizer_; }

    /// Names what vectors of this model can be compared with: the same for every precision, device and thread count, another one
    /// for other weights, pooling, limit or tokenizer, and while an adapter is merged. Reads all weights on the first call.
    std::string fingerprint() const;
    std::string describe() const override;

    /// `out`: [texts, dimension()], float32. `normalize`: vectors of length 1 (a folder with a Normalize module always gives
    /// those). `batch_tokens`: tokens computed together, 0: kDefaultBatchTokens; less memory with fewer, the same vectors with
    /// any. `progress` counts texts and is asked once a layer whether to stop, possibly on another thread. Throws
    /// kInvalidArgument (the size of `out`, ill-formed UTF-8), Stopped; the content of `out` is undefined then.
    void encode(std::span<const std::string_view> texts, std::span<float> out, bool normalize, std::size_t batch_tokens,
                const Progress& progress) const;

    static constexpr std::size_t kDefaultBatchTokens = 4096;

  private:
    struct Window;
    Encoder(const ModelOptions& options, EncoderFiles files, std::string source);
    BackendModel& backend_model() const override { return *model_; }
    ThreadPool& pool() const;
    void tokenize(std::span<const std::string_view> texts, Window& window) const;
    void encode_batch(const Window& window, std::span<const std::size_t> batch) const;
    void finish_vector(std::span<float> vector, bool normalize) const;

    EncoderFiles files_;
    std::string source_;
    Precision precision_;
    unsigned threads_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    TextTokens tokens_;
    std::unique_ptr<BackendEncoder> model_;
    mutable std::once_flag pool_made_;
    mutable std::unique_ptr<ThreadPool> pool_;
    mutable std::once_flag fingerprinted_;
    mutable std::string fingerprint_;
};

}  // namespace rag::core
