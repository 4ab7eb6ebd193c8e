// A language model: ids in, logits out, with sessions that keep the keys and values of what they have seen.
// Thread rule: Decoder any thread; steps of concurrent sessions are computed together (step_batcher.hpp); a DecoderSession
// belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/decoder_files.hpp"
#include "model/model.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {

class DecoderSession;

/// Adapters by name and what each counts; empty is the base alone. y = W x + sum of weight * scale * B (A x).
using AdapterMix = std::vector<std::pair<std::string, float>>;

class Decoder : public Model, public std::enable_shared_from_this<Decoder> {
  public:
    /// `path`: a .gguf file, or a Hugging Face folder. A model without a tokenizer opens too and works with ids.
    /// Throws kNotFound, kCorrupt, kUnsupported (naming file, key or tensor), kNoBackend.
    static std::shared_ptr<Decoder> open(const std::filesystem::path& path, const ModelOptions& options);
    ~Decoder() override;

    Precision precision() const noexcept { return precision_; }
    bool has_tokenizer() const noexcept { return tokenizer_ != nullptr; }
    /// Throws kInvalidState when the model came without one.
    const Tokenizer& tokenizer() const { return *shared_tokenizer(); }
    std::shared_ptr<const Tokenizer> shared_tokenizer() const;
    std::int64_t context_length() const noexcept { return files_.config.context_length; }
    /// Of the logits; the tokenizer may have fewer.
    std::int64_t vocab_size() const noexcept { return files_.config.vocab_size; }
    std::string describe() const override;
    /// Passes that concurrent callers shared so far.
    StepBatcher::Counts batch_counts() const { return batcher_->counts(); }

    /// What saving in int4 learns from: how the inputs of linear layers look over these texts, in windows of 512 tokens (fewer
    /// where the context is shorter). `progress` counts tokens. Throws kInvalidArgument for texts without a token, kInvalidState
    /// without a tokenizer.
    void calibrate(std::span<const std::string_view> texts, const Progress& progress);

    /// What new sessions and logits() add to the base, without touching the weights: beside a merged adapter, and each session
    /// may have another one, also in one pass. Throws kNotFound (a name that is not loaded), kInvalidArgument (a weight that is
    /// no number, a name twice) and what merging the adapter would throw; then the setting is as before.
    void set_adapter(const AdapterMix& mix);

    /// An empty sequence with the adapters that are set, or with `mix`. It keeps the model alive.
    std::unique_ptr<DecoderSession> new_session();
    std::unique_ptr<DecoderSession> new_session(const AdapterMix& mix);
    /// Logits of every position of `ids` in a sequence of its own: `out` is [ids, vocab_size()].
    void logits(std::span<const std::int32_t> ids, std::span<float> out, const std::function<bool()>& stop = {});

  private:
    friend class DecoderSession;
    /// A mix as the backend takes it, and what keeps its adapters alive.
    struct KeptMix {
        std::vector<AdapterShare> shares;
        std::vector<std::shared_ptr<const BackendAdapter>> owners;
    };
    KeptMix keep_locked(const AdapterMix& mix);
    std::unique_ptr<DecoderSession> session_with(KeptMix mix);
    Decoder(const ModelOptions& options, DecoderFiles files, std::string source);
    BackendModel& backend_model() const override { return *model_; }
    AdapterWeights read_adapter_at(const std::filesystem::path& path) const override;
    const Weights& weights() const override { return files_.weights; }
    float saved_norm_offset() const override;
    std::filesystem::path describe_into(const std::filesystem::path& folder, const SavedWeights& saved) const override;

    DecoderFiles files_;
    std::string source_;
    Precision precision_;
    std::string exceptions_;  // for describe(), and why the precision was chosen
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::unique_ptr<BackendDecoder> model_;
    std::unique_ptr<StepBatcher> batcher_;  // steps of all sessions
    mutable std::mutex adapters_mutex_;     // over the two below
    std::map<std::string, std::shared_ptr<const BackendAdapter>, std::less<>> kept_;
    KeptMix mix_;
};

class DecoderSession {
  public:
    ~DecoderSession();
    DecoderSession(const DecoderSession&) = delete;
    DecoderSession& operator=(const DecoderSession&) = delete;

    /// Tokens in the sequence.
    std::int64_t length() const noexcept { return session_->length(); }
    /// Appends `ids` and computes them. `logits`: empty (none wanted), [vocab] (of the last id) or [ids, vocab] (of every id).
    /// `stop` is asked once a layer, possibly on another thread; true ends the call.
    /// Throws kInvalidArgument (an id outside the vocabulary by position, more than context_length(), another size of `logits`),
    /// Stopped. The sequence is as before the call then.
    void forward(std::span<const std::int32_t> ids, std::span<float> logits, const std::function<bool()>& stop = {});
    /// Forgets all tokens from `length` on. Throws kInvalidArgument for a length above length() or below 0.
    void truncate(std::int64_t length);

  private:
    friend class Decoder;
    DecoderSession(std::shared_ptr<Decoder> decoder, std::unique_ptr<BackendSession> session, Decoder::KeptMix mix);

    std::shared_ptr<Decoder> decoder_;  // declared first: it must outlive the session
    std::unique_ptr<BackendSession> session_;
    Decoder::KeptMix mix_;
};

}  // namespace rag::core
