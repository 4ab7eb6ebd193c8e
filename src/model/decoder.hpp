// A language model: ids in, logits out, with sessions that keep the keys and values of what they have seen.
// Thread rule: Decoder any thread, calls are served one after another; a DecoderSession belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "model/decoder_files.hpp"
#include "model/model.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {

class DecoderSession;

class Decoder : public Model, public std::enable_shared_from_this<Decoder> {
  public:
    /// `path`: a .gguf file, or a Hugging Face folder. A model without a tokenizer opens too and works with ids.
    /// Throws kNotFound, kCorrupt, kUnsupported (naming file, key or tensor), kNoBackend.
    static std::shared_ptr<Decoder> open(const std::filesystem::path& path, const ModelOptions& options);
    ~Decoder() override;

    bool has_tokenizer() const noexcept { return tokenizer_ != nullptr; }
    /// Throws kInvalidState when the model came without one.
    const Tokenizer& tokenizer() const { return *shared_tokenizer(); }
    std::shared_ptr<const Tokenizer> shared_tokenizer() const;
    std::int64_t context_length() const noexcept { return files_.config.context_length; }
    /// Of the logits; the tokenizer may have fewer.
    std::int64_t vocab_size() const noexcept { return files_.config.vocab_size; }
    std::string describe() const override;

    /// An empty sequence. It keeps the model alive.
    std::unique_ptr<DecoderSession> new_session();
    /// Logits of every position of `ids` in a sequence of its own: `out` is [ids, vocab_size()].
    void logits(std::span<const std::int32_t> ids, std::span<float> out, const std::function<bool()>& stop = {});

  private:
    friend class DecoderSession;
    Decoder(const ModelOptions& options, DecoderFiles files, std::string source);
    BackendModel& backend_model() const override { return *model_; }

    DecoderFiles files_;
    std::string source_;
    Precision precision_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::unique_ptr<BackendDecoder> model_;
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
    DecoderSession(std::shared_ptr<Decoder> decoder, std::unique_ptr<BackendSession> session)
        : decoder_(std::move(decoder)), session_(std::move(session)) {}

    std::shared_ptr<Decoder> decoder_;  // declared first: it must outlive the session
    std::unique_ptr<BackendSession> session_;
};

}  // namespace rag::core
