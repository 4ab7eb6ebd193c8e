// Text to token ids and back, exactly as the model's own Hugging Face tokenizer does it: the stages of tokenizer.json in order,
// normalizer, pre-tokenizer, model, post-processor, and for the way back the decoder. Offsets are bytes of the caller's text.
// Thread rule: immutable after loading, any number of threads. What a stage cannot do exactly is refused at load, by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/chat_options.hpp"
#include "tokenizer/encode_options.hpp"
#include "tokenizer/encoding.hpp"

namespace rag::core {

struct AddedToken;
struct TokenizerParts;

/// Longest text that one call takes, in bytes.
inline constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;

/// An encoding of what truncation cut off, and what overflows from it in turn (of a pair both texts can overflow).
struct OverflowingEncoding {
    Encoding encoding;
    std::vector<OverflowingEncoding> overflowing;
};

class Tokenizer {
  public:
    /// A folder with tokenizer.json, or else vocab.json and merges.txt, a tiktoken file, a SentencePiece .model, vocab.txt of a
    /// BERT, or an RWKV vocabulary; tokenizer_config.json, special_tokens_map.json and chat_template.jinja beside it are read
    /// too. Or one of these files, or a GGUF file with a vocabulary of the kind gpt2, llama, bert or t5. Throws kNotFound, kIo,
    /// kCorrupt (naming the file and the value), kUnsupported (by name: a stage that is not known, a GGUF pre-tokenizer without
    /// an oracle, a tiktoken file without a pattern, a class that vocab.json or .model cannot be read as).
    static std::shared_ptr<const Tokenizer> from_pretrained(const std::filesystem::path& path);
    /// A tokenizer.json in memory; `name` is used in messages. The bytes need not outlive the call.
    /// `configuration`: what a tokenizer_config.json beside it would hold (names of special tokens, chat template), or empty.
    static std::shared_ptr<const Tokenizer> from_json(std::string_view json, const std::string& name,
                                                      std::string_view configuration = {});

    /// A tokenizer.json with the same results in Hugging Face's tokenizers. Throws kUnsupported naming what such a file cannot
    /// say.
    std::string to_json() const;
    /// Names of special tokens and chat template as a tokenizer_config.json.
    std::string configuration_json() const;
    /// Writes to_json(), whole or not at all. Throws kIo too.
    void save(const std::filesystem::path& path) const;

    explicit Tokenizer(TokenizerParts parts);
    ~Tokenizer();
    Tokenizer(const Tokenizer&) = delete;
    Tokenizer& operator=(const Tokenizer&) = delete;

    /// A text or a pair, truncated and padded as the file or `options` say. Throws kInvalidArgument for ill-formed UTF-8 (with
    /// the offset), more than kMaxTextBytes, a truncation that cannot be done, or padding beyond kMaxPadding.
    Encoding encode(const TextPair& texts, const EncodeOptions& options) const;
    /// The same as the file says.
    Encoding encode(std::string_view text, std::optional<std::string_view> pair = {}, bool add_special_tokens = true) const;
    /// Several texts or pairs at once, in their order; padding to the longest goes over all of them. Throws as encode(), naming
    /// the text; Stopped when `batch.progress` says so. Calls from several threads do not wait for each other.
    std::vector<Encoding> encode_batch(std::span<const TextPair> texts, const EncodeOptions& options,
                                       const BatchOptions& batch = {}) const;
    std::vector<Encoding> encode_batch(std::span<const std::string_view> texts, bool add_special_tokens = true) const;
    /// What truncation cut off, if EncodeOptions::overflow asked to keep it: as Hugging Face's Encoding.overflowing. Throws
    /// kInvalidArgument for more than kMaxOverflowTokens (overflow.hpp).
    std::vector<OverflowingEncoding> overflowing(const Encoding& encoding) const;
    /// Appends the ids alone, neither truncated nor padded: the quick way for models. Throws as encode(); then `out` is as
    /// before.
    void encode_ids(std::string_view text, bool add_special_tokens, std::vector<std::int32_t>& out) const;
    /// Tokens of a text without special ones and without truncation.
    std::size_t count_tokens(std::string_view text) const;
    /// The text of one of an encoding's tokens, as the vocabulary writes it. Lives as long as both.
    std::string_view token(const Encoding& encoding, std::size_t index) const;
    std::vector<std::string> tokens(const Encoding& encoding) const;
    /// What the file says; nullptr if it says nothing.
    const Padding* padding() const noexcept;

    /// Ids that no token has are left out.
    std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens = true) const;
    std::vector<std::string> decode_batch(std::span<const std::span<const std::int32_t>> ids, bool skip_special_tokens = true,
                                          const BatchOptions& batch = {}) const;

    std::optional<std::int32_t> token_to_id(std::string_view token) const;
    /// Throws kInvalidArgument for an id that no token has.
    std::string id_to_token(std::int32_t id) const;
    /// The same without a copy; nullopt where no token has it. Lives as long as this.
    std::optional<std::string_view> find_token(std::int32_t id) const;
    /// With the ids they have here.
    const std::vector<AddedToken>& added_tokens() const noexcept;
    /// Different tokens, added ones included.
    std::int64_t vocab_size() const noexcept;
    /// One more than the largest id: what a model's logits must at least have.
    std::int64_t id_limit() const noexcept;
    /// False for ids that no token has.
    bool is_special(std::int32_t id) const;

    /// By transformers' names ("bos_token", "eos_token", "unk_token", "pad_token", ...); empty if the files name none.
    const std::string& special_token(std::string_view name) const;
    const std::string& bos_token() const { return special_token("bos_token"); }
    const std::string& eos_token() const { return special_token("eos_token"); }
    const std::string& unk_token() const { return special_token("unk_token"); }
    std::optional<std::int32_t> bos_id() const { return special_id("bos_token"); }
    std::optional<std::int32_t> eos_id() const { return special_id("eos_token"); }
    std::optional<std::int32_t> pad_id() const { return special_id("pad_token"); }

    /// Jinja; empty if the files hold none of this name (their only one is "default").
    const std::string& chat_template(const std::string& name = "default") const noexcept;
    /// `messages_json`: an array of {"role", "content"}. As transformers' apply_chat_template, without tokenizing. Throws
    /// kNotFound when there is no template, else as ChatTemplate.
    std::string apply_chat_template(std::string_view messages_json, const ChatOptions& options) const;
    std::string apply_chat_template(std::string_view messages_json, bool add_generation_prompt) const;

    /// Where it came from, for messages.
    const std::string& name() const noexcept;

  private:
    friend class StreamDecoder;
    struct State;
    std::optional<std::int32_t> special_id(std::string_view name) const;
    std::unique_ptr<const State> state_;
};

/// Decodes one id at a time and never gives out half a character: what all calls return, put together, is decode() of all ids.
/// One thread; the tokenizer must outlive it.
class StreamDecoder {
  public:
    explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens = true);
    ~StreamDecoder();
    StreamDecoder(StreamDecoder&&) noexcept;
    StreamDecoder& operator=(StreamDecoder&&) noexcept;

    /// The text that became certain with this id; may be empty.
    std::string push(std::int32_t id);
    /// What was held back; half a character comes out as U+FFFD. Afterwards the decoder is as new.
    std::string finish();

  private:
    struct Chain;
    std::unique_ptr<Chain> chain_;
};

}  // namespace rag::core
