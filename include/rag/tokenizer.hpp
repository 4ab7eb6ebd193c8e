// rag::Tokenizer: text to token ids and back, exactly as Hugging Face's tokenizers does it. Immutable, any thread.
#pragma once

#include <rag/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rag {

/// Elements that somebody else owns.
template <typename T>
class View {
  public:
    View() = default;
    View(const T* data, std::size_t size) : data_(data), size_(size) {}
    const T* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const T* begin() const noexcept { return data_; }
    const T* end() const noexcept { return data_ + size_; }
    const T& operator[](std::size_t index) const noexcept { return data_[index]; }
    operator std::vector<T>() const { return std::vector<T>(begin(), end()); }  // NOLINT(google-explicit-constructor)

  private:
    const T* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Where a token begins and ends in its text; bytes, unless characters were asked for. (0, 0) for added tokens.
struct Offset {
    std::uint32_t start, end;
    bool operator==(const Offset& other) const noexcept { return start == other.start && end == other.end; }
};

/// What a text, or a pair, became: views into one immutable object, which its copies share. All arrays have size() elements.
class Encoding {
  public:
    std::size_t size() const noexcept { return view_.count; }
    View<std::int32_t> ids() const noexcept { return {view_.ids, view_.count}; }
    View<Offset> offsets() const noexcept { return {reinterpret_cast<const Offset*>(view_.offsets), view_.count}; }
    View<std::uint32_t> type_ids() const noexcept { return {view_.type_ids, view_.count}; }
    View<std::uint32_t> attention_mask() const noexcept { return {view_.attention_mask, view_.count}; }
    View<std::uint32_t> special_tokens_mask() const noexcept { return {view_.special_tokens_mask, view_.count}; }
    /// Of which text: 0 the first, 1 the pair, -1 none.
    View<std::int8_t> sequence_ids() const noexcept { return {view_.sequence_ids, view_.count}; }
    /// Of which word of its text, words being what added tokens and the pre-tokenizer cut; -1 none.
    View<std::int32_t> word_ids() const noexcept { return {view_.word_ids, view_.count}; }
    /// A token as the vocabulary writes it, found when asked for. Lives as long as this or a copy of it.
    std::string_view token(std::size_t index) const noexcept { return detail::view(rag_encoding_token(handle_.get(), index)); }
    std::vector<std::string> tokens() const {
        std::vector<std::string> out;
        out.reserve(size());
        for (std::size_t i = 0; i < size(); ++i) out.emplace_back(token(i));
        return out;
    }
    /// What truncation cut off, if EncodeOptions::keep_overflow asked for it (rag_encoding_overflow_count).
    std::vector<Encoding> overflowing() const {
        std::size_t count = 0;
        detail::check(rag_encoding_overflow_count(handle_.get(), &count));
        std::vector<Encoding> out;
        out.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            const rag_encoding* one = nullptr;
            detail::check(rag_encoding_overflow_at(handle_.get(), i, &one));
            out.emplace_back(std::shared_ptr<const rag_encoding>(handle_, one));
        }
        return out;
    }

    /// All of it as bytes, and one of such bytes, which needs no tokenizer (rag_encoding_to_bytes). Throws for bytes that are no
    /// encoding's.
    std::string to_bytes() const {
        rag_string* bytes = nullptr;
        detail::check(rag_encoding_to_bytes(handle_.get(), &bytes));
        return detail::take(bytes);
    }
    static Encoding from_bytes(std::string_view bytes) {
        rag_encoding* handle = nullptr;
        detail::check(rag_encoding_from_bytes(detail::text(bytes), &handle));
        return Encoding(handle);
    }

    /// Shares a handle of the C interface.
    explicit Encoding(std::shared_ptr<const rag_encoding> handle) : handle_(std::move(handle)) {
        static_assert(sizeof(Offset) == 2 * sizeof(std::uint32_t), "offsets are pairs of numbers without a gap");
        detail::check(rag_encoding_get(handle_.get(), &view_));
    }
    /// Takes over a handle of the C interface.
    explicit Encoding(rag_encoding* handle) : Encoding(std::shared_ptr<const rag_encoding>(handle, Free())) {}

  private:
    struct Free {
        void operator()(const rag_encoding* handle) const noexcept { rag_encoding_free(const_cast<rag_encoding*>(handle)); }
    };
    std::shared_ptr<const rag_encoding> handle_;
    rag_encoding_view view_ = RAG_ENCODING_VIEW_INIT;
};

/// What to do beyond what the tokenizer's file says; the members are those of rag_tokenize_options.
struct EncodeOptions {
    bool add_special_tokens = true;
    rag_invalid_text invalid_text = RAG_INVALID_TEXT_REFUSE;
    rag_offset_unit offset_unit = RAG_OFFSET_BYTES;
    bool keep_overflow = false;
    rag_truncation truncation = RAG_TRUNCATION_FILE;
    std::size_t max_length = 0;
    std::size_t stride = 0;
    bool truncate_left = false;
    rag_padding padding = RAG_PADDING_FILE;
    std::size_t padding_length = 0;
    std::size_t padding_multiple = 0;
    bool pad_left = false;
    std::int32_t pad_id = -1;
    std::uint32_t pad_type_id = 0;
    std::optional<std::string> pad_token;
    std::uint32_t threads = 0;  ///< of a batch; 0: as many as the process may use
    Progress progress;          ///< of a batch, in texts
};

/// A text, or a pair.
struct TextPair {
    std::string_view text;
    std::optional<std::string_view> pair;
};

/// Words of a text, or of a pair.
struct WordsPair {
    std::vector<std::string_view> words;
    std::optional<std::vector<std::string_view>> pair;
};

/// An added token (rag_added_token); `content` lives as long as the tokenizer.
struct AddedToken {
    std::int32_t id;
    std::string_view content;
    bool single_word, lstrip, rstrip, normalized, special;
};

struct SpecialToken {
    std::int32_t id;
    std::string_view token;  ///< lives as long as the tokenizer
};

/// Decodes one id at a time and never gives out half a character. One thread; outlives its tokenizer.
class DecodeStream {
  public:
    explicit DecodeStream(rag_decode_stream* handle) : handle_(handle) {}
    /// The text that became certain with this id; valid until the next call.
    std::string_view push(std::int32_t id) {
        rag_text text = {nullptr, 0};
        detail::check(rag_decode_stream_push(handle_.get(), id, &text));
        return detail::view(text);
    }
    /// What was held back; half a character comes out as U+FFFD. Afterwards the stream is as new.
    std::string_view finish() {
        rag_text text = {nullptr, 0};
        detail::check(rag_decode_stream_finish(handle_.get(), &text));
        return detail::view(text);
    }

  private:
    detail::Handle<rag_decode_stream, rag_decode_stream_free> handle_;
};

/// What a chat template is given beside the messages. Views are used during the call only.
struct ChatOptions {
    bool add_generation_prompt = true;    ///< the template is asked to open the answer
    std::string_view tools = {};          ///< a JSON array of objects (schemas of functions); empty: none
    std::string_view documents = {};      ///< a JSON array of objects, such as {"title", "text"}; empty: none
    std::string_view variables = {};      ///< a JSON object: what else the template may read; empty: nothing
    std::string_view chat_template = {};  ///< the name of one of the file's templates, or Jinja itself; empty: the file's own
    /// Such as "content": this field of the last message is left open, so that a model goes on with it; set
    /// add_generation_prompt to false then. Empty: all messages are closed.
    std::string_view continue_field = {};
};

class Tokenizer {
  public:
    /// Reads a folder, a file of a tokenizer or a GGUF file, as rag_tokenizer_open.
    static Tokenizer from_pretrained(std::string_view path) {
        rag_tokenizer* handle = nullptr;
        detail::check(rag_tokenizer_open(detail::text(path), &handle));
        return Tokenizer(handle);
    }
    /// From the content of a tokenizer.json, and of the tokenizer_config.json beside it.
    static Tokenizer from_json(std::string_view json, std::string_view configuration = {}) {
        rag_tokenizer* handle = nullptr;
        detail::check(rag_tokenizer_from_json(detail::text(json), detail::text(configuration), &handle));
        return Tokenizer(handle);
    }
    /// Takes over a handle of the C interface.
    explicit Tokenizer(rag_tokenizer* handle) : handle_(handle) {}
    const rag_tokenizer* handle() const noexcept { return handle_.get(); }

    /// Writes a tokenizer.json that Hugging Face reads with the same results. Unsupported, with the reason, for what that file
    /// cannot say: RWKV's files, and SentencePiece's .model but for byte pairs as Llama 2's.
    void save(std::string_view path) const { detail::check(rag_tokenizer_save(handle_.get(), detail::text(path))); }
    std::string to_json() const {
        rag_string* json = nullptr;
        detail::check(rag_tokenizer_to_json(handle_.get(), &json));
        return detail::take(json);
    }
    /// Names of special tokens and chat template, as a tokenizer_config.json.
    std::string configuration() const {
        rag_string* json = nullptr;
        detail::check(rag_tokenizer_configuration(handle_.get(), &json));
        return detail::take(json);
    }

    Encoding encode(std::string_view text, std::optional<std::string_view> pair = std::nullopt,
                    const EncodeOptions& options = {}) const {
        rag_encoding* encoding = nullptr;
        const rag_tokenize_options c_options = options_of(options);
        detail::check(
            rag_tokenizer_encode(handle_.get(), given(text), pair ? given(*pair) : rag_text{nullptr, 0}, &c_options, &encoding));
        return Encoding(encoding);
    }
    /// Texts and pairs of texts mixed, otherwise as encode_batch().
    std::vector<Encoding> encode_pairs(const std::vector<TextPair>& texts, const EncodeOptions& options = {}) const {
        std::vector<rag_text> firsts, seconds;
        firsts.reserve(texts.size());
        seconds.reserve(texts.size());
        for (const TextPair& text : texts) {
            firsts.push_back(given(text.text));
            seconds.push_back(text.pair ? given(*text.pair) : rag_text{nullptr, 0});
        }
        return encode_texts(firsts, seconds.data(), options);
    }
    /// Words that the caller has cut, each encoded as a text of its own, and put together: offsets are those in a token's word,
    /// word_ids() indices of words. As Hugging Face's is_pretokenized.
    Encoding encode_words(const std::vector<std::string_view>& words,
                          const std::optional<std::vector<std::string_view>>& pair = std::nullopt,
                          const EncodeOptions& options = {}) const {
        rag_encoding* encoding = nullptr;
        const rag_tokenize_options c_options = options_of(options);
        const Words both(words, pair);
        detail::check(rag_tokenizer_encode_words(handle_.get(), both.first(), both.second(), &c_options, &encoding));
        return Encoding(encoding);
    }
    /// The same for several, otherwise as encode_batch().
    std::vector<Encoding> encode_words_batch(const std::vector<WordsPair>& texts, const EncodeOptions& options = {}) const {
        std::vector<Words> both;
        std::vector<rag_words> firsts, seconds;
        both.reserve(texts.size());
        for (const WordsPair& text : texts) {
            both.emplace_back(text.words, text.pair);
            firsts.push_back(both.back().first());
            seconds.push_back(both.back().second());
        }
        return encode_all(texts.size(), options, [&](const rag_tokenize_options& c_options, rag_encoding** encodings) {
            return rag_tokenizer_encode_words_batch(handle_.get(), firsts.data(), seconds.data(), texts.size(), &c_options,
                                                    encodings);
        });
    }
    /// On several threads, in the order of the texts; padding to the longest goes over all.
    std::vector<Encoding> encode_batch(const std::vector<std::string_view>& texts, const EncodeOptions& options = {}) const {
        std::vector<rag_text> firsts;
        firsts.reserve(texts.size());
        for (const auto text : texts) firsts.push_back(given(text));
        return encode_texts(firsts, nullptr, options);
    }

    /// Ids that no token has are left out.
    std::string decode(const std::vector<std::int32_t>& ids, bool skip_special_tokens = true) const {
        rag_string* text = nullptr;
        detail::check(rag_tokenizer_decode(handle_.get(), ids.data(), ids.size(), skip_special_tokens ? 1 : 0, &text));
        return detail::take(text);
    }
    std::vector<std::string> decode_batch(const std::vector<std::vector<std::int32_t>>& ids, bool skip_special_tokens = true,
                                          std::uint32_t threads = 0) const {
        std::vector<const std::int32_t*> lists;
        std::vector<std::size_t> counts;
        for (const auto& list : ids) {
            lists.push_back(list.data());
            counts.push_back(list.size());
        }
        rag_strings* texts = nullptr;
        detail::check(rag_tokenizer_decode_batch(handle_.get(), lists.data(), counts.data(), ids.size(),
                                                 skip_special_tokens ? 1 : 0, threads, &texts));
        const detail::Handle<rag_strings, rag_strings_free> owner(texts);
        std::vector<std::string> out;
        out.reserve(ids.size());
        for (std::size_t i = 0; i < ids.size(); ++i) out.push_back(detail::copy(rag_strings_at(texts, i)));
        return out;
    }
    DecodeStream decode_stream(bool skip_special_tokens = true) const {
        rag_decode_stream* stream = nullptr;
        detail::check(rag_decode_stream_open(handle_.get(), skip_special_tokens ? 1 : 0, &stream));
        return DecodeStream(stream);
    }

    /// Nothing if there is no such token.
    std::optional<std::int32_t> token_to_id(std::string_view token) const {
        std::int32_t id = 0;
        const rag_status status = rag_tokenizer_token_to_id(handle_.get(), detail::text(token), &id);
        if (status == RAG_NOT_FOUND) return std::nullopt;
        detail::check(status);
        return id;
    }
    std::string id_to_token(std::int32_t id) const {
        rag_string* token = nullptr;
        detail::check(rag_tokenizer_id_to_token(handle_.get(), id, &token));
        return detail::take(token);
    }
    /// Without a copy, nothing where no token has the id. Lives as long as this.
    std::optional<std::string_view> find_token(std::int32_t id) const noexcept {
        const rag_text token = rag_tokenizer_token(handle_.get(), id);
        if (token.data == nullptr) return std::nullopt;
        return detail::view(token);
    }
    std::int64_t vocab_size() const noexcept { return rag_tokenizer_vocab_size(handle_.get()); }
    /// One more than the largest id.
    std::int32_t id_limit() const noexcept { return rag_tokenizer_id_limit(handle_.get()); }
    std::vector<AddedToken> added_tokens() const {
        std::vector<AddedToken> out;
        const std::size_t count = rag_tokenizer_added_token_count(handle_.get());
        out.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            rag_added_token token = RAG_ADDED_TOKEN_INIT;
            detail::check(rag_tokenizer_added_token_at(handle_.get(), i, &token));
            out.push_back({token.id, detail::view(token.content), token.single_word != 0, token.lstrip != 0, token.rstrip != 0,
                           token.normalized != 0, token.special != 0});
        }
        return out;
    }
    /// "bos_token", "eos_token", ...: nothing if the files name none.
    std::optional<SpecialToken> special_token(std::string_view name) const {
        rag_text token = {nullptr, 0};
        SpecialToken out{0, {}};
        const rag_status status = rag_tokenizer_special_token(handle_.get(), detail::text(name), &token, &out.id);
        if (status == RAG_NOT_FOUND) return std::nullopt;
        detail::check(status);
        out.token = detail::view(token);
        return out;
    }
    /// `messages`: JSON, [{"role": "user", "content": "..."}]. The text that transformers' apply_chat_template gives.
    std::string apply_chat_template(std::string_view messages, const ChatOptions& options = {}) const {
        rag_chat_options values = RAG_CHAT_OPTIONS_INIT;
        values.add_generation_prompt = options.add_generation_prompt ? 1 : 0;
        values.tools = detail::text(options.tools);
        values.documents = detail::text(options.documents);
        values.variables = detail::text(options.variables);
        values.chat_template = detail::text(options.chat_template);
        values.continue_field = detail::text(options.continue_field);
        rag_string* text = nullptr;
        detail::check(rag_tokenizer_apply_chat_template(handle_.get(), detail::text(messages), &values, &text));
        return detail::take(text);
    }

  private:
    using EncodingHandle = detail::Handle<rag_encoding, rag_encoding_free>;

    // An empty text is a text: it must not look like "not given".
    static rag_text given(std::string_view text) noexcept { return {text.data() == nullptr ? "" : text.data(), text.size()}; }

    static rag_tokenize_options options_of(const EncodeOptions& options) {
        rag_tokenize_options out = RAG_TOKENIZE_OPTIONS_INIT;
        out.add_special_tokens = options.add_special_tokens ? 1 : 0;
        out.invalid_text = static_cast<std::uint32_t>(options.invalid_text);
        out.offset_unit = static_cast<std::uint32_t>(options.offset_unit);
        out.keep_overflow = options.keep_overflow ? 1 : 0;
        out.truncation = static_cast<std::uint32_t>(options.truncation);
        out.max_length = options.max_length;
        out.stride = options.stride;
        out.truncate_left = options.truncate_left ? 1 : 0;
        out.padding = static_cast<std::uint32_t>(options.padding);
        out.padding_length = options.padding_length;
        out.padding_multiple = options.padding_multiple;
        out.pad_left = options.pad_left ? 1 : 0;
        out.pad_id = options.pad_id;
        out.pad_type_id = options.pad_type_id;
        out.threads = options.threads;
        if (options.pad_token) out.pad_token = given(*options.pad_token);
        return out;
    }
    /// Lists of words as the C interface takes them.
    class Words {
      public:
        Words(const std::vector<std::string_view>& words, const std::optional<std::vector<std::string_view>>& pair)
            : first_(texts_of(words)), has_second_(pair.has_value()) {
            if (pair) second_ = texts_of(*pair);
        }
        rag_words first() const noexcept { return words_of(first_); }
        rag_words second() const noexcept { return has_second_ ? words_of(second_) : rag_words{nullptr, 0}; }

      private:
        static std::vector<rag_text> texts_of(const std::vector<std::string_view>& words) {
            std::vector<rag_text> out;
            out.reserve(words.size());
            for (const auto word : words) out.push_back(given(word));
            return out;
        }
        static rag_words words_of(const std::vector<rag_text>& texts) noexcept {
            static constexpr rag_text kNoWord = {nullptr, 0};
            return {texts.empty() ? &kNoWord : texts.data(), texts.size()};
        }

        std::vector<rag_text> first_, second_;
        bool has_second_;
    };

    std::vector<Encoding> encode_texts(const std::vector<rag_text>& texts, const rag_text* pairs,
                                       const EncodeOptions& options) const {
        return encode_all(texts.size(), options, [&](const rag_tokenize_options& c_options, rag_encoding** encodings) {
            return rag_tokenizer_encode_batch(handle_.get(), texts.data(), pairs, texts.size(), &c_options, encodings);
        });
    }
    template <typename Encode>
    std::vector<Encoding> encode_all(std::size_t count, const EncodeOptions& options, Encode encode) const {
        detail::ProgressBridge progress(options.progress);
        rag_tokenize_options c_options = options_of(options);
        c_options.progress = progress.function();
        c_options.user_data = progress.data();
        std::vector<rag_encoding*> handles(count);
        const rag_status status = encode(c_options, handles.data());
        progress.rethrow();
        detail::check(status);
        std::vector<EncodingHandle> owners;
        owners.reserve(handles.size());
        for (auto* handle : handles) owners.emplace_back(handle);
        std::vector<Encoding> encodings;
        encodings.reserve(handles.size());
        for (auto& owner : owners) encodings.emplace_back(owner.release());
        return encodings;
    }

    detail::Handle<rag_tokenizer, rag_tokenizer_free> handle_;
};

}  // namespace rag
