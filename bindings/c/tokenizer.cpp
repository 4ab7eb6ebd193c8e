// rag_tokenizer_* and rag_decode_stream_*: the tokenizer over C. Encodings are in encoding.cpp.
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

rag_text text_of(std::string_view view) {
    return {view.data() == nullptr ? "" : view.data(), view.size()};
}

std::span<const std::int32_t> ids_of(const int32_t* ids, size_t count) {
    rag::capi::require_array(ids, count, "ids");
    return {ids, count};
}

template <typename Enum>
Enum checked(std::uint32_t value, std::uint32_t last, const char* name) {
    if (value > last) fail(Code::kInvalidArgument, "rag_tokenize_options.{} is {}, the last value is {}", name, value, last);
    return static_cast<Enum>(value);
}

void read_truncation(const rag_tokenize_options& given, core::EncodeOptions& out) {
    const auto kind = checked<rag_truncation>(given.truncation, RAG_TRUNCATION_ONLY_SECOND, "truncation");
    out.file_truncation = kind == RAG_TRUNCATION_FILE;
    if (kind == RAG_TRUNCATION_FILE || kind == RAG_TRUNCATION_OFF) return;
    core::Truncation& truncation = out.truncation.emplace();
    truncation.max_length = given.max_length;
    truncation.stride = given.stride;
    truncation.keep_last = given.truncate_left != 0;
    truncation.strategy = kind == RAG_TRUNCATION_ONLY_FIRST    ? core::TruncationStrategy::kOnlyFirst
                          : kind == RAG_TRUNCATION_ONLY_SECOND ? core::TruncationStrategy::kOnlySecond
                                                               : core::TruncationStrategy::kLongestFirst;
}

// The padding token: the caller's, else the file's, else the one that the configuration beside it names.
void read_pad_token(const core::Tokenizer& tokenizer, const rag_tokenize_options& given, core::Padding& padding) {
    if (given.pad_id < -1)
        fail(Code::kInvalidArgument, "rag_tokenize_options.pad_id is {}, it must be an id, or -1", given.pad_id);
    const core::Padding* file = tokenizer.padding();
    if (given.pad_id >= 0) {
        padding.id = given.pad_id;
    } else if (file != nullptr) {
        padding.id = file->id;
        padding.token = file->token;
    } else if (const auto id = tokenizer.pad_id()) {
        padding.id = *id;
        padding.token = tokenizer.special_token("pad_token");
    } else {
        fail(Code::kInvalidArgument, "{} names no padding token: set pad_id", tokenizer.name());
    }
    if (rag::capi::given(given.pad_token)) {
        padding.token = rag::capi::text_of(given.pad_token, "rag_tokenize_options.pad_token");
    } else if (given.pad_id >= 0) {
        padding.token = tokenizer.id_to_token(given.pad_id);
    }
}

void read_padding(const core::Tokenizer& tokenizer, const rag_tokenize_options& given, core::EncodeOptions& out) {
    const auto kind = checked<rag_padding>(given.padding, RAG_PADDING_LENGTH, "padding");
    out.file_padding = kind == RAG_PADDING_FILE;
    if (kind == RAG_PADDING_FILE || kind == RAG_PADDING_OFF) return;
    core::Padding& padding = out.padding.emplace();
    for (const std::uint64_t length : {given.padding_length, given.padding_multiple}) {
        if (length > core::kMaxPadding) {
            fail(Code::kInvalidArgument, "padding to {} tokens, at most {} are made", length, core::kMaxPadding);
        }
    }
    if (kind == RAG_PADDING_LENGTH) padding.fixed_length = given.padding_length;
    padding.multiple_of = given.padding_multiple;
    padding.left = given.pad_left != 0;
    padding.type_id = given.pad_type_id;
    read_pad_token(tokenizer, given, padding);
}

core::EncodeOptions encode_options_of(const core::Tokenizer& tokenizer, const rag_tokenize_options& given) {
    core::EncodeOptions out;
    out.add_special_tokens = given.add_special_tokens != 0;
    out.overflow = given.keep_overflow != 0;
    out.invalid_text =
        checked<rag_invalid_text>(given.invalid_text, RAG_INVALID_TEXT_REPLACE, "invalid_text") == RAG_INVALID_TEXT_REPLACE
            ? core::InvalidText::kReplace
            : core::InvalidText::kRefuse;
    out.offset_unit = checked<rag_offset_unit>(given.offset_unit, RAG_OFFSET_CHARACTERS, "offset_unit") == RAG_OFFSET_CHARACTERS
                          ? core::OffsetUnit::kCharacters
                          : core::OffsetUnit::kBytes;
    read_truncation(given, out);
    read_padding(tokenizer, given, out);
    return out;
}

rag_tokenize_options known_options(const rag_tokenize_options* options) {
    const rag_tokenize_options defaults = RAG_TOKENIZE_OPTIONS_INIT;
    return rag::capi::read_struct(options, defaults, "rag_tokenize_options");
}

core::TextPair pair_of(rag_text text, rag_text pair) {
    core::TextPair out{rag::capi::bytes_of(text, "text")};
    const std::string_view second = rag::capi::bytes_of(pair, "pair");
    if (rag::capi::given(pair)) out.pair = second;
    return out;
}

/// Lists of words as the core takes them.
class WordsPair {
  public:
    WordsPair(rag_words text, rag_words pair) : text_(views_of(text, "words")) {
        if (pair.words == nullptr && pair.count != 0) {
            fail(Code::kInvalidArgument, "pair.words is NULL and the count is {}", pair.count);
        }
        if (pair.words != nullptr) pair_ = views_of(pair, "pair");
    }
    core::TextPair view() const {
        core::TextPair out;
        out.words = core::Words(text_);
        if (pair_) out.pair_words = core::Words(*pair_);
        return out;
    }

  private:
    static std::vector<std::string_view> views_of(rag_words list, const char* name) {
        rag::capi::require_array(list.words, list.count, name);
        std::vector<std::string_view> out;
        out.reserve(list.count);
        for (size_t i = 0; i < list.count; ++i) out.push_back(rag::capi::bytes_of(list.words[i], name));
        return out;
    }

    std::vector<std::string_view> text_;
    std::optional<std::vector<std::string_view>> pair_;
};

void encode_all(const rag_tokenizer& tokenizer, const std::vector<core::TextPair>& texts, const rag_tokenize_options* options,
                rag_encoding** encodings) {
    const rag_tokenize_options known = known_options(options);
    core::BatchOptions batch;
    batch.threads = known.threads;
    batch.progress = rag::capi::progress_of(known.progress, known.user_data);
    auto made = tokenizer.tokenizer->encode_batch(texts, encode_options_of(*tokenizer.tokenizer, known), batch);
    std::vector<std::unique_ptr<rag_encoding>> handles;
    handles.reserve(made.size());
    for (core::Encoding& encoding : made) handles.push_back(rag::capi::wrap_encoding(tokenizer.tokenizer, std::move(encoding)));
    for (size_t i = 0; i < handles.size(); ++i) encodings[i] = handles[i].release();
}

}  // namespace

extern "C" {

rag_status rag_tokenizer_open(rag_text path, rag_tokenizer** tokenizer) noexcept {
    return guard([&] {
        require(tokenizer, "tokenizer") = nullptr;
        *tokenizer = new rag_tokenizer{core::Tokenizer::from_pretrained(rag::capi::path_of(path, "path"))};
    });
}

rag_status rag_tokenizer_from_json(rag_text json, rag_text configuration, rag_tokenizer** tokenizer) noexcept {
    return guard([&] {
        require(tokenizer, "tokenizer") = nullptr;
        *tokenizer = new rag_tokenizer{core::Tokenizer::from_json(rag::capi::text_of(json, "json"), "tokenizer.json",
                                                                  rag::capi::text_of(configuration, "configuration"))};
    });
}

void rag_tokenizer_free(rag_tokenizer* tokenizer) noexcept {
    delete tokenizer;
}

rag_status rag_tokenizer_save(const rag_tokenizer* tokenizer, rag_text path) noexcept {
    return guard([&] { use(tokenizer).save(rag::capi::path_of(path, "path")); });
}

rag_status rag_tokenizer_to_json(const rag_tokenizer* tokenizer, rag_string** json) noexcept {
    return guard([&] {
        require(json, "json") = nullptr;
        *json = new rag_string{use(tokenizer).to_json()};
    });
}

rag_status rag_tokenizer_configuration(const rag_tokenizer* tokenizer, rag_string** json) noexcept {
    return guard([&] {
        require(json, "json") = nullptr;
        *json = new rag_string{use(tokenizer).configuration_json()};
    });
}

rag_status rag_tokenizer_encode(const rag_tokenizer* tokenizer, rag_text text, rag_text pair, const rag_tokenize_options* options,
                                rag_encoding** encoding) noexcept {
    return guard([&] {
        require(encoding, "encoding") = nullptr;
        const core::Tokenizer& target = use(tokenizer);
        const core::EncodeOptions known = encode_options_of(target, known_options(options));
        *encoding = rag::capi::wrap_encoding(tokenizer->tokenizer, target.encode(pair_of(text, pair), known)).release();
    });
}

rag_status rag_tokenizer_encode_batch(const rag_tokenizer* tokenizer, const rag_text* texts, const rag_text* pairs, size_t count,
                                      const rag_tokenize_options* options, rag_encoding** encodings) noexcept {
    return guard([&] {
        rag::capi::require_array(encodings, count, "encodings");
        std::fill_n(encodings, count, nullptr);
        use(tokenizer);
        rag::capi::require_array(texts, count, "texts");
        std::vector<core::TextPair> list;
        list.reserve(count);
        for (size_t i = 0; i < count; ++i) list.push_back(pair_of(texts[i], pairs == nullptr ? rag_text{nullptr, 0} : pairs[i]));
        encode_all(*tokenizer, list, options, encodings);
    });
}

rag_status rag_tokenizer_encode_words(const rag_tokenizer* tokenizer, rag_words text, rag_words pair,
                                      const rag_tokenize_options* options, rag_encoding** encoding) noexcept {
    return guard([&] {
        require(encoding, "encoding") = nullptr;
        const core::Tokenizer& target = use(tokenizer);
        const core::EncodeOptions known = encode_options_of(target, known_options(options));
        const WordsPair words(text, pair);
        *encoding = rag::capi::wrap_encoding(tokenizer->tokenizer, target.encode(words.view(), known)).release();
    });
}

rag_status rag_tokenizer_encode_words_batch(const rag_tokenizer* tokenizer, const rag_words* texts, const rag_words* pairs,
                                            size_t count, const rag_tokenize_options* options,
                                            rag_encoding** encodings) noexcept {
    return guard([&] {
        rag::capi::require_array(encodings, count, "encodings");
        std::fill_n(encodings, count, nullptr);
        use(tokenizer);
        rag::capi::require_array(texts, count, "texts");
        std::vector<WordsPair> words;
        words.reserve(count);
        for (size_t i = 0; i < count; ++i) words.emplace_back(texts[i], pairs == nullptr ? rag_words{nullptr, 0} : pairs[i]);
        std::vector<core::TextPair> list;
        list.reserve(count);
        for (const WordsPair& both : words) list.push_back(both.view());
        encode_all(*tokenizer, list, options, encodings);
    });
}

rag_status rag_tokenizer_decode(const rag_tokenizer* tokenizer, const int32_t* ids, size_t count, int32_t skip_special_tokens,
                                rag_string** text) noexcept {
    return guard([&] {
        require(text, "text") = nullptr;
        const core::Tokenizer& target = use(tokenizer);
        *text = new rag_string{target.decode(ids_of(ids, count), skip_special_tokens != 0)};
    });
}

rag_status rag_tokenizer_decode_batch(const rag_tokenizer* tokenizer, const int32_t* const* ids, const size_t* counts,
                                      size_t count, int32_t skip_special_tokens, uint32_t threads, rag_strings** texts) noexcept {
    return guard([&] {
        require(texts, "texts") = nullptr;
        const core::Tokenizer& target = use(tokenizer);
        rag::capi::require_array(ids, count, "ids");
        rag::capi::require_array(counts, count, "counts");
        std::vector<std::span<const std::int32_t>> lists;
        lists.reserve(count);
        for (size_t i = 0; i < count; ++i) lists.push_back(ids_of(ids[i], counts[i]));
        core::BatchOptions batch;
        batch.threads = threads;
        *texts = new rag_strings{target.decode_batch(lists, skip_special_tokens != 0, batch)};
    });
}

rag_status rag_decode_stream_open(const rag_tokenizer* tokenizer, int32_t skip_special_tokens,
                                  rag_decode_stream** stream) noexcept {
    return guard([&] {
        require(stream, "stream") = nullptr;
        const core::Tokenizer& target = use(tokenizer);
        *stream = new rag_decode_stream{tokenizer->tokenizer, core::StreamDecoder(target, skip_special_tokens != 0), {}};
    });
}

rag_status rag_decode_stream_push(rag_decode_stream* stream, int32_t id, rag_text* text) noexcept {
    return guard([&] {
        require(text, "text") = {nullptr, 0};
        rag_decode_stream& target = require(stream, "stream");
        target.text = target.decoder.push(id);
        *text = text_of(target.text);
    });
}

rag_status rag_decode_stream_finish(rag_decode_stream* stream, rag_text* text) noexcept {
    return guard([&] {
        require(text, "text") = {nullptr, 0};
        rag_decode_stream& target = require(stream, "stream");
        target.text = target.decoder.finish();
        *text = text_of(target.text);
    });
}

void rag_decode_stream_free(rag_decode_stream* stream) noexcept {
    delete stream;
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

rag_text rag_tokenizer_token(const rag_tokenizer* tokenizer, int32_t id) noexcept {
    const auto token = tokenizer == nullptr ? std::nullopt : tokenizer->tokenizer->find_token(id);
    return token ? text_of(*token) : rag_text{nullptr, 0};
}

int64_t rag_tokenizer_vocab_size(const rag_tokenizer* tokenizer) noexcept {
    return tokenizer == nullptr ? 0 : tokenizer->tokenizer->vocab_size();
}

int32_t rag_tokenizer_id_limit(const rag_tokenizer* tokenizer) noexcept {
    return tokenizer == nullptr ? 0 : static_cast<int32_t>(tokenizer->tokenizer->id_limit());
}

size_t rag_tokenizer_added_token_count(const rag_tokenizer* tokenizer) noexcept {
    return tokenizer == nullptr ? 0 : tokenizer->tokenizer->added_tokens().size();
}

rag_status rag_tokenizer_added_token_at(const rag_tokenizer* tokenizer, size_t index, rag_added_token* token) noexcept {
    return guard([&] {
        const auto& all = use(tokenizer).added_tokens();
        if (index >= all.size()) fail(Code::kInvalidArgument, "index is {}, there are {} added tokens", index, all.size());
        const core::AddedToken& found = all[index];
        rag_added_token out = RAG_ADDED_TOKEN_INIT;
        out.id = found.id;
        out.content = text_of(found.content);
        out.single_word = found.single_word ? 1 : 0;
        out.lstrip = found.lstrip ? 1 : 0;
        out.rstrip = found.rstrip ? 1 : 0;
        out.normalized = found.normalized ? 1 : 0;
        out.special = found.special ? 1 : 0;
        rag::capi::write_struct(token, out, "rag_added_token");
    });
}

rag_status rag_tokenizer_special_token(const rag_tokenizer* tokenizer, rag_text name, rag_text* token, int32_t* id) noexcept {
    return guard([&] {
        require(id, "id") = 0;
        if (token != nullptr) *token = {nullptr, 0};
        const core::Tokenizer& target = use(tokenizer);
        const std::string_view wanted = rag::capi::text_of(name, "name");
        const std::string& found = target.special_token(wanted);
        const auto number = found.empty() ? std::nullopt : target.token_to_id(found);
        if (!number) fail(Code::kNotFound, "{} names no {} that its vocabulary has", target.name(), core::quote(wanted));
        *id = *number;
        if (token != nullptr) *token = text_of(found);
    });
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
