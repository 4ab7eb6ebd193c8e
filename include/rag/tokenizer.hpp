// rag::Tokenizer: text to token ids and back, exactly as Hugging Face's tokenizers does it. Immutable, any thread.
#pragma once

#include <rag/error.hpp>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace rag {

/// What a text became. All vectors have the same length.
struct Encoding {
    std::vector<std::int32_t> ids;
    std::vector<std::string> tokens;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> offsets;  ///< bytes of the text, end exclusive; (0, 0) for added tokens
    std::vector<std::uint32_t> type_ids;
    std::vector<std::uint32_t> attention_mask;
    std::vector<std::uint32_t> special_tokens_mask;
    std::vector<std::int8_t> sequence_ids;  ///< in which text offsets point: 0 the first, 1 the pair, -1 none
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
    /// Reads a folder with tokenizer.json or vocab.txt, one of these files, or a GGUF file.
    static Tokenizer from_pretrained(std::string_view path) {
        rag_tokenizer* handle = nullptr;
        detail::check(rag_tokenizer_open(detail::text(path), &handle));
        return Tokenizer(handle);
    }
    /// Takes over a handle of the C interface.
    explicit Tokenizer(rag_tokenizer* handle) : handle_(handle) {}
    const rag_tokenizer* handle() const noexcept { return handle_.get(); }

    /// Truncates and pads as the file says.
    Encoding encode(std::string_view text, std::optional<std::string_view> pair = std::nullopt,
                    bool add_special_tokens = true) const {
        rag_encoding* encoding = nullptr;
        // An empty pair is a pair: it must not look like "not given".
        const rag_text second = pair ? rag_text{pair->data() == nullptr ? "" : pair->data(), pair->size()} : rag_text{nullptr, 0};
        detail::check(rag_tokenizer_encode(handle_.get(), detail::text(text), second, add_special_tokens ? 1 : 0, &encoding));
        return take(encoding);
    }
    std::vector<Encoding> encode_batch(const std::vector<std::string_view>& texts, bool add_special_tokens = true) const {
        std::vector<rag_text> views;
        views.reserve(texts.size());
        for (const auto text : texts) views.push_back(detail::text(text));
        std::vector<rag_encoding*> handles(texts.size());
        detail::check(
            rag_tokenizer_encode_batch(handle_.get(), views.data(), views.size(), add_special_tokens ? 1 : 0, handles.data()));
        std::vector<EncodingHandle> owners;
        owners.reserve(handles.size());
        for (auto* handle : handles) owners.emplace_back(handle);
        std::vector<Encoding> encodings;
        encodings.reserve(handles.size());
        for (auto& owner : owners) encodings.push_back(take(owner.release()));
        return encodings;
    }
    std::string decode(const std::vector<std::int32_t>& ids, bool skip_special_tokens = true) const {
        rag_string* text = nullptr;
        detail::check(rag_tokenizer_decode(handle_.get(), ids.data(), ids.size(), skip_special_tokens ? 1 : 0, &text));
        return detail::take(text);
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
    std::int64_t vocab_size() const noexcept { return rag_tokenizer_vocab_size(handle_.get()); }
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

    static Encoding take(rag_encoding* handle) {
        const EncodingHandle owner(handle);
        rag_encoding_view view = RAG_ENCODING_VIEW_INIT;
        detail::check(rag_encoding_get(handle, &view));
        Encoding out;
        out.ids.assign(view.ids, view.ids + view.count);
        out.type_ids.assign(view.type_ids, view.type_ids + view.count);
        out.attention_mask.assign(view.attention_mask, view.attention_mask + view.count);
        out.special_tokens_mask.assign(view.special_tokens_mask, view.special_tokens_mask + view.count);
        out.sequence_ids.assign(view.sequence_ids, view.sequence_ids + view.count);
        out.offsets.reserve(view.count);
        out.tokens.reserve(view.count);
        for (std::size_t i = 0; i < view.count; ++i) {
            out.offsets.emplace_back(view.offsets[2 * i], view.offsets[2 * i + 1]);
            out.tokens.push_back(detail::copy(rag_encoding_token(handle, i)));
        }
        return out;
    }

    detail::Handle<rag_tokenizer, rag_tokenizer_free> handle_;
};

}  // namespace rag
