// A language model: ids in, logits out, with sessions that keep the keys and values of what they have seen.
// Thread rule: Decoder any thread; steps of concurrent sessions are computed together (step_batcher.hpp); a DecoderSession
// belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/decoder_files.hpp"
#include "model/model.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {

class CachedText;
class DecoderSession;

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

    /// An empty sequence with the adapters that are set, or with `mix`. It keeps the model alive.
    std::unique_ptr<DecoderSession> new_session() { return session_with(std::nullopt); }
    std::unique_ptr<DecoderSession> new_session(const AdapterMix& mix) { return session_with(mix); }
    /// Logits of every position of `ids` in a sequence of its own, behind `prefix`: `out` is [ids, vocab_size()].
    /// `progress` counts ids, possibly on another thread. Errors as DecoderSession::append() and forward().
    void logits(std::span<const std::int32_t> ids, std::span<float> out, const Progress& progress = {},
                std::span<const std::shared_ptr<const CachedText>> prefix = {});
    /// Computes the keys and values of `ids` in a sequence of their own, to be put into others. Throws kInvalidArgument (no ids,
    /// and as DecoderSession::forward), kInvalidState (an adapter was merged or unmerged meanwhile), Stopped.
    std::shared_ptr<const CachedText> cache(std::span<const std::int32_t> ids, const std::optional<AdapterMix>& mix = {},
                                            const std::function<bool()>& stop = {});

  private:
    friend class CachedText;
    friend class DecoderSession;
    std::unique_ptr<DecoderSession> session_with(const std::optional<AdapterMix>& mix);
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
    std::size_t part_tokens_;               // of a longer input that go through it at once
};

/// Keys and values of a text's tokens, computed once; Decoder::cache() makes it, DecoderSession::append() puts it into sequences
/// at any position. Its tokens have seen one another and nothing else. Immutable; any thread. It keeps the model alive.
class CachedText {
  public:
    ~CachedText();
    CachedText(const CachedText&) = delete;
    CachedText& operator=(const CachedText&) = delete;

    const std::vector<std::int32_t>& ids() const noexcept { return ids_; }
    /// Bytes of keys and values.
    std::uint64_t size_bytes() const noexcept { return piece_->size_bytes(); }

  private:
    friend class Decoder;
    friend class DecoderSession;
    CachedText() = default;

    std::shared_ptr<Decoder> decoder_;  // declared first: it must outlive the piece
    std::unique_ptr<BackendPiece> piece_;
    std::vector<std::int32_t> ids_;
    Decoder::KeptMix mix_;
    std::uint64_t changes_ = 0;  // Merged::changes when it was computed
};

class DecoderSession {
  public:
    ~DecoderSession();
    DecoderSession(const DecoderSession&) = delete;
    DecoderSession& operator=(const DecoderSession&) = delete;

    /// Tokens in the sequence.
    std::int64_t length() const noexcept { return session_->length(); }
    /// Appends `ids` and computes them, long ones in parts, between which steps of other sessions are computed. `logits`: empty
    /// (none wanted), [vocab] (of the last id) or [ids, vocab] (of every id). `stop` is asked once a layer, possibly on another
    /// thread; true ends the call. Throws kInvalidArgument (an id outside the vocabulary by position, more than context_length(),
    /// another size of `logits`), kInvalidState (an adapter was merged or unmerged since the first of the sequence was computed,
    /// or meanwhile), kUnsupported (it is the first call behind a cached text, and passes the original context of dynamic rotary
    /// scaling), Stopped. The sequence is as before the call then.
    void forward(std::span<const std::int32_t> ids, std::span<float> logits, const std::function<bool()>& stop = {});
    /// Appends a cached text of the same decoder: its keys are turned to their place here, nothing is computed. At position 0 the
    /// sequence is then as if forward() had been called with its ids. Throws kInvalidArgument (another model's, more than
    /// context_length()), kInvalidState (computed with other adapters than this session has, or before one was merged or
    /// unmerged; or one was since the first of the sequence was computed), kUnsupported (dynamic rotary scaling beyond the
    /// original context). The sequence is as before the call then.
    void append(const CachedText& text);
    /// Forgets all tokens from `length` on. Throws kInvalidArgument for a length above length() or below 0.
    void truncate(std::int64_t length);

  private:
    friend class Decoder;
    DecoderSession(std::shared_ptr<Decoder> decoder, std::unique_ptr<BackendSession> session, Decoder::KeptMix mix);
    void check(std::span<const std::int32_t> ids, std::span<float> logits) const;
    void compute(std::span<const std::int32_t> ids, std::span<float> logits, const std::function<bool()>& stop);
    void begin_or_require_same(std::size_t ids);
    void require_same(std::size_t ids) const;
    void check_frequencies(std::size_t ids) const;

    std::shared_ptr<Decoder> decoder_;  // declared first: it must outlive the session
    std::unique_ptr<BackendSession> session_;
    Decoder::KeptMix mix_;
    std::uint64_t changes_ = 0;  // Merged::changes when the first of the sequence was computed
    bool texts_only_ = false;    // there are cached texts behind which nothing is computed yet
};

}  // namespace rag::core
