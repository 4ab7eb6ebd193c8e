// Texts through an encoder's backend: tokenized on several threads, sorted by length, batched by tokens without padding, results
// back in the texts' order. What an Encoder and a Classifier have in common.
// Thread rule: run() from any thread at any time; batches of concurrent callers are computed together (text_batcher.hpp). Not
// after fork(): the owner checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "core/thread_pool.hpp"
#include "model/encoder_files.hpp"
#include "model/model.hpp"
#include "model/text_batcher.hpp"
#include "model/text_tokens.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {

class EncoderRunner {
  public:
    /// Reads the tokenizer and loads the model. Throws kCorrupt (the tokenizer is another model's), kUnsupported, and what the
    /// backend says. `source`: for messages.
    EncoderRunner(Backend& backend, const ModelOptions& options, const EncoderFiles& files, const std::string& source);

    /// Replaces `ids`; several threads at once.
    using EncodePair = std::function<void(const TextPair& texts, std::vector<std::int32_t>& ids)>;
    struct Request {
        std::span<const TextPair> texts;               // a text, or a pair with its token types; `words` are not looked at
        std::span<float> out;                          // [texts, outputs]
        EncodePair encode;                             // empty: as the tokenizer says
        std::int64_t unpooled = 0;                     // see TokenBatch
        std::size_t batch_tokens = 0;                  // tokens computed together; 0: kDefaultBatchTokens
        std::span<const AdapterShare> adapters;        // added to the base
        std::function<void(std::span<float>)> finish;  // called once for every row of `out`, on the calling thread; may be empty
        Progress progress;                             // in texts
    };
    /// Throws kInvalidArgument (the size of `out`, ill-formed UTF-8), Stopped; the content of `out` is undefined then.
    void run(const Request& request) const;

    std::int64_t outputs() const noexcept { return outputs_; }
    const std::shared_ptr<const Tokenizer>& tokenizer() const noexcept { return tokenizer_; }
    const TextTokens& tokens() const noexcept { return tokens_; }
    BackendEncoder& model() const noexcept { return *model_; }
    /// Passes of concurrent callers so far.
    CallBatcher::Counts batch_counts() const { return batcher_->counts(); }
    /// For the child of a fork(): gives up what cannot be destroyed there, because its threads do not exist.
    void abandon() noexcept;

    static constexpr std::size_t kDefaultBatchTokens = 4096;

  private:
    struct Window;
    ThreadPool& pool() const;
    void tokenize(std::span<const TextPair> texts, const EncodePair& encode, Window& window) const;
    void run_batch(const Request& request, const Window& window, std::span<const std::size_t> batch) const;

    std::int64_t outputs_;
    bool has_types_;
    unsigned threads_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    TextTokens tokens_;
    std::unique_ptr<BackendEncoder> model_;
    std::unique_ptr<TextBatcher> batcher_;
    mutable std::once_flag pool_made_;
    mutable std::unique_ptr<ThreadPool> pool_;
};

/// checksum64 of the file that the tokenizer in `folder` is read from.
std::uint64_t checksum_tokenizer(const std::filesystem::path& folder);

}  // namespace rag::core
