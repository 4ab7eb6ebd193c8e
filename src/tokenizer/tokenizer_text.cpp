// Tokenizer's other half: ids to text, names of special tokens, chat templates.
#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "tokenizer/tokenizer_state.hpp"

namespace rag::core {

std::optional<std::string_view> Tokenizer::State::token_of(std::int32_t id) const {
    if (const AddedToken* token = added.find(id)) return token->text;
    return parts.model->id_to_token(id);
}

std::optional<std::int32_t> Tokenizer::State::id_of(std::string_view token) const {
    if (const AddedToken* found = added.find(token)) return found->id;
    return parts.model->token_to_id(token);
}

std::string_view Tokenizer::State::text_of(const Encoding& encoding, std::size_t index) const {
    if (const auto text = encoding.texts.find(index)) return *text;
    return token_of(encoding.ids[index]).value_or(std::string_view());
}

std::vector<std::string> Tokenizer::tokens(const Encoding& encoding) const {
    std::vector<std::string> out;
    out.reserve(encoding.size());
    for (std::size_t i = 0; i < encoding.size(); ++i) out.emplace_back(state_->text_of(encoding, i));
    return out;
}

std::string_view Tokenizer::token(const Encoding& encoding, std::size_t index) const {
    return state_->text_of(encoding, index);
}

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
    return state_->id_of(token);
}

std::string Tokenizer::id_to_token(std::int32_t id) const {
    const auto token = state_->token_of(id);
    if (!token) fail(Code::kInvalidArgument, "{}: no token has the id {} (ids are below {})", name(), id, state_->limit_of_ids);
    return std::string(*token);
}

std::optional<std::string_view> Tokenizer::find_token(std::int32_t id) const {
    return state_->token_of(id);
}

const std::vector<AddedToken>& Tokenizer::added_tokens() const noexcept {
    return state_->added.tokens();
}

std::int64_t Tokenizer::vocab_size() const noexcept {
    return static_cast<std::int64_t>(state_->vocabulary_size);
}
std::int64_t Tokenizer::id_limit() const noexcept {
    return state_->limit_of_ids;
}

bool Tokenizer::is_special(std::int32_t id) const {
    const auto token = state_->token_of(id);
    return token && state_->is_left_out(*token);
}

const std::string& Tokenizer::special_token(std::string_view name) const {
    static const std::string kNone;
    const auto at = state_->parts.special_tokens.find(std::string(name));
    return at == state_->parts.special_tokens.end() ? kNone : at->second;
}

std::optional<std::int32_t> Tokenizer::special_id(std::string_view name) const {
    const std::string& token = special_token(name);
    return token.empty() ? std::nullopt : state_->id_of(token);
}

const std::string& Tokenizer::chat_template(const std::string& name) const noexcept {
    return state_->chat_templates.source(name);
}
const std::string& Tokenizer::name() const noexcept {
    return state_->parts.name;
}

std::string Tokenizer::apply_chat_template(std::string_view messages_json, const ChatOptions& options) const {
    return state_->chat_templates.apply(messages_json, options, state_->parts.special_tokens);
}

std::string Tokenizer::apply_chat_template(std::string_view messages_json, bool add_generation_prompt) const {
    ChatOptions options;
    options.add_generation_prompt = add_generation_prompt;
    return apply_chat_template(messages_json, options);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
    std::string out;
    StreamDecoder decoder(*this, skip_special_tokens);
    const auto append = [&](const std::string& text) {
        if (text.size() > kMaxTextBytes - out.size()) {
            fail(Code::kInvalidArgument, "{} ids decode to more than the {} bytes of a text", ids.size(), kMaxTextBytes);
        }
        out += text;
    };
    for (const std::int32_t id : ids) append(decoder.push(id));
    append(decoder.finish());
    return out;
}

struct StreamDecoder::Chain {
    Chain(const Tokenizer::State& from, bool skip) : state(from), skip_special_tokens(skip) { restart(); }

    void restart() {
        const TokenDecoder& decoder =
            state.parts.decoder ? *state.parts.decoder : static_cast<const TokenDecoder&>(state.space_decoder);
        text.clear();
        link = decoder.start(sink);
    }

    const Tokenizer::State& state;
    bool skip_special_tokens;
    std::string text;
    TextSink sink{text};
    std::unique_ptr<DecoderLink> link;
};

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens)
    : chain_(std::make_unique<Chain>(*tokenizer.state_, skip_special_tokens)) {}
StreamDecoder::~StreamDecoder() = default;
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;

std::string StreamDecoder::push(std::int32_t id) {
    const auto token = chain_->state.token_of(id);
    if (!token || (chain_->skip_special_tokens && chain_->state.is_left_out(*token))) return {};
    chain_->link->push(*token);
    return std::exchange(chain_->text, std::string());
}

std::string StreamDecoder::finish() {
    chain_->link->finish();
    std::string rest = std::exchange(chain_->text, std::string());
    chain_->restart();
    return rest;
}

}  // namespace rag::core
