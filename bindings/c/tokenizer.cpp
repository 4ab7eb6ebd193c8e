// rag_tokenizer_* and rag_encoding_*: the tokenizer over C.
#include "arguments.hpp"
#include "guard.hpp"
#include "handles.hpp"

namespace core = rag::core;
using rag::capi::Code;
using rag::capi::fail;
using rag::capi::guard;
using rag::capi::require;

namespace {

const core::Tokenizer& use(const rag_tokenizer* tokenizer) {
    return *require(tokenizer, "tokenizer").tokenizer;
}

rag_encoding* wrap(const rag_tokenizer& tokenizer, core::Encoding encoding) {
    auto out = std::make_unique<rag_encoding>();
    out->offsets.reserve(2 * encoding.offsets.size());
    for (const auto& [start, end] : encoding.offsets) {
        out->offsets.push_back(start);
        out->offsets.push_back(end);
    }
    out->tokens = tokenizer.tokenizer->tokens(encoding);
    out->encoding = std::move(encoding);
    return out.release();
}

std::vector<std::int32_t> ids_of(const int32_t* ids, size_t count) {
    rag::capi::require_array(ids, count, "ids");
    return count == 0 ? std::vector<std::int32_t>() : std::vector<std::int32_t>(ids, ids + count);
}

}  // namespace

extern "C" {

rag_status rag_tokenizer_open(rag_text path, rag_tokenizer** tokenizer) noexcept {
    return guard([&] {
        require(tokenizer, "tokenizer") = nullptr;
        *tokenizer = new rag_tokenizer{core::Tokenizer::from_pretrained(rag::capi::path_of(path, "path"))};
    });
}

void rag_tokenizer_free(rag_tokenizer* tokenizer) noexcept {
    delete tokenizer;
}

rag_status rag_tokenizer_encode(const rag_tokenizer* tokenizer, rag_text text, rag_text pair, int32_t add_special_tokens,
                                rag_encoding** encoding) noexcept {
    return guard([&] {
        require(encoding, "encoding") = nullptr;
        const core::Tokenizer& target = use(tokenizer);
        std::optional<std::string_view> second;
        if (rag::capi::given(pair)) second = rag::capi::text_of(pair, "pair");
        *encoding = wrap(*tokenizer, target.encode(rag::capi::text_of(text, "text"), second, add_special_tokens != 0));
    });
}

rag_status rag_tokenizer_encode_batch(const rag_tokenizer* tokenizer, const rag_text* texts, size_t count,
                                      int32_t add_special_tokens, rag_encoding** encodings) noexcept {
    return guard([&] {
        rag::capi::require_array(encodings, count, "encodings");
        std::fill_n(encodings, count, nullptr);
        const core::Tokenizer& target = use(tokenizer);
        const auto views = rag::capi::texts_of(texts, count, "texts");
        std::vector<std::unique_ptr<rag_encoding>> made;
        made.reserve(count);
        for (core::Encoding& encoding : target.encode_batch(views, add_special_tokens != 0)) {
            made.emplace_back(wrap(*tokenizer, std::move(encoding)));
        }
        for (size_t i = 0; i < count; ++i) encodings[i] = made[i].release();
    });
}

rag_status rag_encoding_get(const rag_encoding* encoding, rag_encoding_view* view) noexcept {
    return guard([&] {
        const rag_encoding& source = require(encoding, "encoding");
        rag_encoding_view out = RAG_ENCODING_VIEW_INIT;
        out.count = source.encoding.ids.size();
        out.ids = source.encoding.ids.data();
        out.offsets = source.offsets.data();
        out.type_ids = source.encoding.type_ids.data();
        out.attention_mask = source.encoding.attention_mask.data();
        out.special_tokens_mask = source.encoding.special_tokens_mask.data();
        out.sequence_ids = source.encoding.sequence_ids.data();
        rag::capi::write_struct(view, out, "rag_encoding_view");
    });
}

rag_text rag_encoding_token(const rag_encoding* encoding, size_t index) noexcept {
    if (encoding == nullptr || index >= encoding->tokens.size()) return {nullptr, 0};
    return {encoding->tokens[index].c_str(), encoding->tokens[index].size()};
}

void rag_encoding_free(rag_encoding* encoding) noexcept {
    delete encoding;
}

rag_status rag_tokenizer_decode(const rag_tokenizer* tokenizer, const int32_t* ids, size_t count, int32_t skip_special_tokens,
                                rag_string** text) noexcept {
    return guard([&] {
        require(text, "text") = nullptr;
        const core::Tokenizer& target = use(tokenizer);
        *text = new rag_string{target.decode(ids_of(ids, count), skip_special_tokens != 0)};
    });
}

rag_status rag_tokenizer_token_to_id(const rag_tokenizer* tokenizer, rag_text token, int32_t* id) noexcept {
    return guard([&] {
        require(id, "id") = 0;
        const std::string_view text = rag::capi::bytes_of(token, "token");
        const auto found = use(tokenizer).token_to_id(text);
        if (!found) fail(Code::kNotFound, "the vocabulary has no token {}", core::quote(text));
        *id = *found;
    });
}

rag_status rag_tokenizer_id_to_token(const rag_tokenizer* tokenizer, int32_t id, rag_string** token) noexcept {
    return guard([&] {
        require(token, "token") = nullptr;
        *token = new rag_string{use(tokenizer).id_to_token(id)};
    });
}

int64_t rag_tokenizer_vocab_size(const rag_tokenizer* tokenizer) noexcept {
    return tokenizer == nullptr ? 0 : tokenizer->tokenizer->vocab_size();
}

rag_status rag_tokenizer_apply_chat_template(const rag_tokenizer* tokenizer, rag_text messages, const rag_chat_options* options,
                                             rag_string** text) noexcept {
    return guard([&] {
        require(text, "text") = nullptr;
        const core::Tokenizer& target = use(tokenizer);
        const rag_chat_options defaults = RAG_CHAT_OPTIONS_INIT;
        const rag_chat_options given = rag::capi::read_struct(options, defaults, "rag_chat_options");
        core::ChatOptions wanted;
        wanted.add_generation_prompt = given.add_generation_prompt != 0;
        wanted.tools_json = rag::capi::text_of(given.tools, "tools");
        wanted.documents_json = rag::capi::text_of(given.documents, "documents");
        wanted.variables_json = rag::capi::text_of(given.variables, "variables");
        wanted.chat_template = rag::capi::text_of(given.chat_template, "chat_template");
        wanted.continue_field = rag::capi::text_of(given.continue_field, "continue_field");
        *text = new rag_string{target.apply_chat_template(rag::capi::text_of(messages, "messages"), wanted)};
    });
}

}  // extern "C"
