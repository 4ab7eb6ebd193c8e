#include "tokenizer/tokenizer.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/error.hpp"
#include "core/log.hpp"
#include "core/utf8.hpp"
#include "tokenizer/loading/named.hpp"
#include "tokenizer/tokenizer_state.hpp"

namespace rag::core {
namespace {

// What one call needs; kept from call to call, one a thread. run() is not re-entered: no stage calls a tokenizer.
struct Workspace {
    NormalizedText text;
    std::vector<TextPart> raw_parts, parts;
    std::vector<Span> pieces, scratch;
    std::vector<ModelToken> tokens;

    void shrink() {
        constexpr std::size_t kKept = 1U << 16;
        text.shrink();
        if (pieces.capacity() > kKept || tokens.capacity() > kKept || parts.capacity() > kKept || raw_parts.capacity() > kKept) {
            raw_parts = {};
            parts = {};
            pieces = {};
            scratch = {};
            tokens = {};
        }
    }
};

struct EncodingSink {
    Encoding& out;
    int sequence;  // and type id, until a post-processor says otherwise
    std::int32_t read_as_text;

    void added(const AddedToken& token, Alignment place, std::string_view matched) {
        if (matched != token.text) out.texts.emplace_back(out.size(), matched);
        out.push(token.id, {place.start, place.end}, static_cast<std::uint32_t>(sequence), sequence);
    }
    void tokens(const std::vector<ModelToken>& list, const NormalizedText& text) {
        for (const ModelToken& token : list) {
            const Alignment place = text.origin(token.span);
            if (token.id == read_as_text) {
                out.texts.emplace_back(out.size(), text.text().substr(token.span.start, token.span.end - token.span.start));
            }
            out.push(token.id, {place.start, place.end}, static_cast<std::uint32_t>(sequence), sequence);
        }
    }
};

struct IdSink {
    std::vector<std::int32_t>& out;
    void added(const AddedToken& token, Alignment, std::string_view) { out.push_back(token.id); }
    void tokens(const std::vector<ModelToken>& list, const NormalizedText&) {
        for (const ModelToken& token : list) out.push_back(token.id);
    }
};

struct CountSink {
    std::size_t count = 0;
    void added(const AddedToken&, Alignment, std::string_view) { ++count; }
    void tokens(const std::vector<ModelToken>& list, const NormalizedText&) { count += list.size(); }
};

constexpr std::int32_t kMarker = -1;

}  // namespace

Tokenizer::State::State(TokenizerParts all)
    : parts(std::move(all)), plan(parts.normalizer.get()), chat_templates(std::move(parts.chat_templates), parts.name) {
    assign_ids();
    added = AddedTokens(std::move(parts.added_tokens), plan);
    if (parts.padding) pad_named = token_of(parts.padding->id) != std::optional<std::string_view>(parts.padding->token);
    find_frame();
}

// The ids in the file are not looked at, as in Hugging Face: a token of the model keeps its id, the others are numbered on behind
// the model's and each other.
void Tokenizer::State::assign_ids() {
    const TokenModel& model = *parts.model;
    vocabulary_size = model.size();
    limit_of_ids = model.id_limit();
    const auto model_size = static_cast<std::int64_t>(model.size());
    std::unordered_map<std::string, std::int32_t> known;
    std::int64_t largest = -1;
    std::vector<AddedToken> kept;
    for (AddedToken& token : parts.added_tokens) {
        if (token.content.empty()) continue;
        require_utf8(token.content, "an added token");
        const std::int32_t written = token.id;
        if (const auto at = known.find(token.content); at != known.end()) {
            token.id = at->second;
        } else if (const auto id = model.token_to_id(token.content)) {
            token.id = *id;
        } else {
            const std::int64_t next = largest >= model_size || model_size == 0 ? largest + 1 : model_size;
            if (next >= kMaxTokenId) fail(Code::kCorrupt, "{}: more than {} added tokens", parts.name, kMaxTokenId);
            token.id = static_cast<std::int32_t>(next);
            ++vocabulary_size;
        }
        if (token.id != written) {
            log(LogLevel::kWarning, "{}: added token {} has id {}, not {} as the file says", parts.name, quote(token.content),
                token.id, written);
        }
        known[token.content] = token.id;
        largest = std::max<std::int64_t>(largest, token.id);
        limit_of_ids = std::max(limit_of_ids, token.id + 1);
        kept.push_back(std::move(token));
    }
    parts.added_tokens = std::move(kept);
}

void Tokenizer::State::find_frame() {
    std::vector<EncodedPart> marked(1);
    marked[0].encoding.push(kMarker, {0, 0}, 0, 0);
    const Encoding result = finish(std::move(marked), true, false);
    const auto at = std::find(result.ids.begin(), result.ids.end(), kMarker);
    if (std::count(result.ids.begin(), result.ids.end(), kMarker) != 1) return;
    frame.emplace(std::vector<std::int32_t>(result.ids.begin(), at), std::vector<std::int32_t>(at + 1, result.ids.end()));
}

template <typename Sink>
void Tokenizer::State::run(std::string_view text, bool places, Sink& sink) const {
    if (text.size() > kMaxTextBytes) {
        fail(Code::kInvalidArgument, "a text of {} bytes, more than the {} that a tokenizer takes at once", text.size(),
             kMaxTextBytes);
    }
    require_utf8(text, "the text");
    const bool needs_places = parts.pre_tokenizer && parts.pre_tokenizer->needs_places();
    thread_local Workspace work;
    work.raw_parts.clear();
    added.split_raw(text, work.raw_parts);
    for (const TextPart& raw : work.raw_parts) {
        if (raw.token != nullptr) {
            sink.added(*raw.token, {raw.span.start, raw.span.end}, text.substr(raw.span.start, raw.span.end - raw.span.start));
            continue;
        }
        work.text.assign(text, raw.span.start, raw.span.end, plan, places || (raw.span.start == 0 && needs_places));
        work.parts.clear();
        added.split_normalized(work.text.text(), work.parts);
        std::uint32_t moved = 0;  // by what pre-tokenizers put into the text before this part
        for (const TextPart& part : work.parts) {
            const Span span{part.span.start + moved, part.span.end + moved};
            if (part.token != nullptr) {
                const Alignment place = places ? work.text.origin(span) : Alignment{};
                sink.added(*part.token, place, work.text.text().substr(span.start, span.end - span.start));
                continue;
            }
            const std::size_t size = work.text.text().size();
            work.pieces.assign(1, span);
            if (parts.pre_tokenizer) parts.pre_tokenizer->split(work.text, work.pieces, work.scratch);
            moved += static_cast<std::uint32_t>(work.text.text().size() - size);
            work.tokens.clear();
            parts.model->tokenize(work.text.text(), work.pieces, work.tokens);
            sink.tokens(work.tokens, work.text);
        }
    }
    work.shrink();
}

Encoding Tokenizer::State::encode_text(std::string_view text, int sequence) const {
    Encoding out;
    out.reserve(text.size() / 4 + 2);
    EncodingSink sink{out, sequence, parts.model->id_read_as_text()};
    run(text, true, sink);
    return out;
}

Encoding Tokenizer::State::finish(std::vector<EncodedPart> list, bool add_special_tokens, bool limit) const {
    const PostProcessor* post = parts.post_processor.get();
    if (limit && parts.truncation) {
        const std::size_t special = post != nullptr && add_special_tokens ? post->added_tokens(list.size() == 2) : 0;
        truncate(list, *parts.truncation, special);
    }
    if (post != nullptr) {
        post->process(list, add_special_tokens,
                      [this](const Encoding& encoding, std::size_t index) { return text_of(encoding, index); });
    }
    if (list.size() == 1) return std::move(list[0].encoding);
    Encoding out;
    std::size_t count = 0;
    for (const EncodedPart& part : list) count += part.encoding.size();
    out.reserve(count);
    for (const EncodedPart& part : list) out.append(part.encoding);
    return out;
}

Encoding Tokenizer::State::encode(std::string_view text, std::optional<std::string_view> pair, bool add_special_tokens,
                                  bool limit) const {
    std::vector<EncodedPart> list;
    list.push_back({encode_text(text, 0), text});
    if (pair) list.push_back({encode_text(*pair, 1), *pair});
    return finish(std::move(list), add_special_tokens, limit);
}

void Tokenizer::State::pad_to(Encoding& encoding, std::size_t longest) const {
    if (!parts.padding) return;
    const std::size_t length = parts.padding->fixed_length > 0 ? parts.padding->fixed_length : longest;
    pad(encoding, *parts.padding, length, pad_named);
}

Tokenizer::Tokenizer(TokenizerParts parts) {
    const std::string name = parts.name;
    state_ = make_named(name, [&] { return std::make_unique<const State>(std::move(parts)); });
}
Tokenizer::~Tokenizer() = default;

Encoding Tokenizer::encode(std::string_view text, std::optional<std::string_view> pair, bool add_special_tokens) const {
    Encoding out = state_->encode(text, pair, add_special_tokens, true);
    state_->pad_to(out, out.size());
    return out;
}

std::vector<Encoding> Tokenizer::encode_batch(std::span<const std::string_view> texts, bool add_special_tokens) const {
    std::vector<Encoding> out;
    out.reserve(texts.size());
    std::size_t longest = 0;
    for (const std::string_view text : texts) {
        out.push_back(state_->encode(text, {}, add_special_tokens, true));
        longest = std::max(longest, out.back().size());
    }
    for (Encoding& encoding : out) state_->pad_to(encoding, longest);
    return out;
}

void Tokenizer::encode_ids(std::string_view text, bool add_special_tokens, std::vector<std::int32_t>& out) const {
    const std::size_t before = out.size();
    try {
        if (add_special_tokens && !state_->frame) {
            const Encoding whole = state_->encode(text, {}, true, false);
            out.insert(out.end(), whole.ids.begin(), whole.ids.end());
            return;
        }
        if (add_special_tokens) out.insert(out.end(), state_->frame->first.begin(), state_->frame->first.end());
        IdSink sink{out};
        state_->run(text, false, sink);
        if (add_special_tokens) out.insert(out.end(), state_->frame->second.begin(), state_->frame->second.end());
    } catch (...) {
        out.resize(before);
        throw;
    }
}

std::size_t Tokenizer::count_tokens(std::string_view text) const {
    CountSink sink;
    state_->run(text, false, sink);
    return sink.count;
}

}  // namespace rag::core
