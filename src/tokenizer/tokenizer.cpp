#include "tokenizer/tokenizer.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/error.hpp"
#include "core/log.hpp"
#include "core/utf8.hpp"
#include "tokenizer/encode_sinks.hpp"
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

constexpr std::int32_t kMarker = -1;

std::vector<SourceSequence> sources_of(const TextPair& texts, const EncodeOptions& options) {
    std::vector<SourceSequence> out;
    if (texts.words) {
        out.emplace_back(*texts.words, options, "words");
        if (texts.pair_words) out.emplace_back(*texts.pair_words, options, "pair");
    } else {
        out.emplace_back(SourceText(texts.text, options, "the text"));
        if (texts.pair) out.emplace_back(SourceText(*texts.pair, options, "the pair"));
    }
    return out;
}

}  // namespace

Tokenizer::State::State(TokenizerParts all)
    : parts(std::move(all)), plan(parts.normalizer.get()), chat_templates(std::move(parts.chat_templates), parts.name) {
    assign_ids();
    added = AddedTokens(std::move(parts.added_tokens), plan);
    for (const AddedToken& token : added.tokens()) {
        const auto text = parts.model->id_to_token(token.id);
        if (text && *text != added.find(token.id)->text) renamed.emplace(token.id, *text);
    }
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
    process(marked, true);
    const Encoding result = join_parts(marked, std::vector<std::uint32_t>(marked.size(), 0), Told::kNone);
    const auto at = std::find(result.ids.begin(), result.ids.end(), kMarker);
    if (std::count(result.ids.begin(), result.ids.end(), kMarker) != 1) return;
    const auto place = static_cast<std::size_t>(at - result.ids.begin());
    frame.emplace(Frame{result.slice(0, place), result.slice(place + 1, result.size() - place - 1), result.type_ids[place]});
    for (Encoding* side : {&frame->before, &frame->behind}) std::fill(side->sequence_ids.begin(), side->sequence_ids.end(), -1);
}

template <typename Sink>
void Tokenizer::State::run(std::string_view text, bool places, Sink& sink) const {
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
            sink.tokens(work.tokens, work.pieces, work.text);
        }
    }
    work.shrink();
}

Encoding Tokenizer::State::encode_text(std::string_view text, const Frame* around) const {
    Encoding out;
    EncodingSink sink(out, {parts.model->id_read_as_text(), renamed}, around == nullptr ? nullptr : &around->before,
                      around == nullptr ? 0 : around->behind.size());
    run(text, true, sink);
    sink.finish();
    return out;
}

Encoding Tokenizer::State::encode_sequence(const SourceSequence& source) const {
    if (!source.has_words()) return encode_text(source.texts()[0].text(), nullptr);
    Encoding out;
    for (std::size_t i = 0; i < source.texts().size(); ++i) {
        Encoding word = encode_text(source.texts()[i].text(), nullptr);
        std::fill(word.words.begin(), word.words.end(), static_cast<std::int32_t>(i));
        out.append(word);
    }
    return out;
}

// The same as process() and join_parts() for one text and a post-processor that only puts a frame around it. Not done, and
// `tokens` those of the text alone, where the file's truncation has to cut.
bool Tokenizer::State::encode_framed(const SourceText& source, const EncodeOptions& options, Encoding& tokens) const {
    const bool framed = parts.post_processor != nullptr && options.add_special_tokens;
    tokens = encode_text(source.text(), framed ? &*frame : nullptr);
    const std::size_t size = tokens.size() + (framed ? frame->behind.size() : 0);
    if (options.file_truncation && parts.truncation && size > parts.truncation->max_length) {
        if (framed) tokens.drop_front(frame->before.size());
        return false;
    }
    source.convert(tokens.offsets);
    tokens.complete(parts.post_processor ? frame->type_id : 0, 0);
    if (framed) tokens.append(frame->behind);
    tokens.one_sequence = parts.post_processor == nullptr;
    return true;
}

void Tokenizer::State::process(std::vector<EncodedPart>& list, bool add_special_tokens) const {
    if (!parts.post_processor) return;
    parts.post_processor->process(list, add_special_tokens,
                                  [this](const Encoding& encoding, std::size_t index) { return text_of(encoding, index); });
}

Told Tokenizer::State::told(std::size_t texts) const {
    if (parts.post_processor) return Told::kAll;
    return texts == 2 ? Told::kFirstWindows : Told::kNone;
}

std::shared_ptr<CutTexts> Tokenizer::State::truncate(std::vector<EncodedPart>& list, const Truncation& truncation,
                                                     const EncodeOptions& options) const {
    const bool post = parts.post_processor != nullptr && options.add_special_tokens;
    const std::size_t special = post ? parts.post_processor->added_tokens(list.size() == 2) : 0;
    const std::vector<std::size_t> kept = kept_tokens(list, truncation, special);
    // A file's is looked at when something is cut, as Hugging Face does; a caller's mistake is told at once.
    if (!options.file_truncation && truncation.stride != 0 && truncation.stride >= truncation.max_length - special) {
        fail(Code::kInvalidArgument, "a stride of {} tokens must be less than {}: a window has {}, {} of them special",
             truncation.stride, truncation.max_length - special, truncation.max_length, special);
    }
    std::shared_ptr<CutTexts> cut;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::size_t size = list[i].encoding.size();
        if (kept[i] >= size) continue;
        const auto [first, count] = first_window(size, kept[i], truncation);
        if (options.overflow && !cut) {
            cut = std::make_shared<CutTexts>();
            cut->texts = list;
            cut->kept = kept;
            cut->truncation = truncation;
            cut->add_special_tokens = options.add_special_tokens;
        }
        list[i].encoding = list[i].encoding.slice(first, count);
    }
    return cut;
}

Encoding Tokenizer::State::encode(const TextPair& texts, const EncodeOptions& options) const {
    const std::optional<Truncation>& truncation = options.file_truncation ? parts.truncation : options.truncation;
    const bool simple = !texts.pair && !texts.words && frame && !(parts.post_processor && parts.post_processor->trims());
    std::vector<SourceSequence> sources;
    std::vector<EncodedPart> list;
    if (simple && (!truncation || options.file_truncation)) {
        SourceText source(texts.text, options, "the text");
        Encoding tokens;
        if (encode_framed(source, options, tokens)) return tokens;
        sources.emplace_back(std::move(source));
        list.push_back({std::move(tokens), &sources[0], 0});
    } else {
        sources = sources_of(texts, options);
        for (std::size_t i = 0; i < sources.size(); ++i) {
            list.push_back({encode_sequence(sources[i]), &sources[i], static_cast<int>(i)});
        }
    }
    // The columns that tokens have from their text, until a post-processor says otherwise.
    for (EncodedPart& part : list) part.encoding.complete(static_cast<std::uint32_t>(part.sequence), part.sequence);
    std::shared_ptr<CutTexts> cut;
    if (truncation) cut = truncate(list, *truncation, options);
    process(list, options.add_special_tokens);
    for (EncodedPart& part : list) {
        if (part.sequence >= 0) part.source->convert(part.encoding.offsets, part.encoding.words);
    }
    Encoding out = join_parts(list, std::vector<std::uint32_t>(list.size(), 0), told(sources.size()));
    if (cut) {
        for (SourceSequence& source : sources) source.keep();
        cut->sources = std::move(sources);
        for (std::size_t i = 0; i < cut->texts.size(); ++i) cut->texts[i].source = &cut->sources[i];
        out.cut = std::move(cut);
    }
    return out;
}

std::vector<OverflowingEncoding> Tokenizer::State::overflowing(const CutTexts& cut) const {
    std::vector<EncodedPart> list = cut.texts;
    std::size_t total = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const EncodedPart& whole = cut.texts[i];
        const auto windows = windows_of(whole.encoding.size(), cut.kept[i], cut.truncation);
        total += (windows.size() - 1) * std::max(cut.kept[i], std::size_t{1});
        if (total > kMaxOverflowTokens) {
            fail(Code::kInvalidArgument, "what truncation cut off makes {} windows of {} tokens, together more than {} tokens",
                 windows.size(), cut.kept[i], kMaxOverflowTokens);
        }
        list[i].encoding = whole.encoding.slice(windows[0].first, windows[0].second);
        for (std::size_t k = 1; k < windows.size(); ++k) {
            EncodedPart window;
            window.encoding = whole.encoding.slice(windows[k].first, windows[k].second);
            window.source = whole.source;
            window.sequence = whole.sequence;
            list[i].overflowing.push_back(std::move(window));
        }
    }
    process(list, cut.add_special_tokens);
    std::vector<std::size_t> counts;
    std::size_t longest = 1;
    for (EncodedPart& part : list) {
        counts.push_back(part.overflowing.size());
        std::size_t largest = part.encoding.size();
        for (const EncodedPart& window : part.overflowing) largest = std::max(largest, window.encoding.size());
        longest += largest;
        if (part.sequence < 0) continue;
        const SourceSequence& source = cut.sources[static_cast<std::size_t>(part.sequence)];
        source.convert(part.encoding.offsets, part.encoding.words);
        for (EncodedPart& window : part.overflowing) source.convert(window.encoding.offsets, window.encoding.words);
    }
    const WindowChoice root = combine_windows(counts, kMaxOverflowTokens / std::max(longest, cut.padded));
    const auto make = [&](const auto& self, const std::vector<WindowChoice>& choices) -> std::vector<OverflowingEncoding> {
        std::vector<OverflowingEncoding> out;
        out.reserve(choices.size());
        for (const WindowChoice& choice : choices) {
            OverflowingEncoding one{join_parts(list, choice.windows, told(cut.texts.size())), self(self, choice.overflowing)};
            if (cut.padding) pad_to(one.encoding, *cut.padding, cut.padded);
            out.push_back(std::move(one));
        }
        return out;
    };
    return make(make, root.overflowing);
}

const Padding* Tokenizer::State::padding_of(const EncodeOptions& options) const {
    const std::optional<Padding>& padding = options.file_padding ? parts.padding : options.padding;
    return padding ? &*padding : nullptr;
}

void Tokenizer::State::pad_to(Encoding& encoding, const Padding& padding, std::size_t length) const {
    if (length > kMaxPadding && length > encoding.size()) {
        fail(Code::kInvalidArgument, "padding to {} tokens, at most {} are made", length, kMaxPadding);
    }
    pad(encoding, padding, length, token_of(padding.id) != std::optional<std::string_view>(padding.token));
    if (!encoding.cut) return;
    encoding.cut->padding = padding;
    encoding.cut->padded = length;
}

Tokenizer::Tokenizer(TokenizerParts parts) {
    const std::string name = parts.name;
    state_ = make_named(name, [&] { return std::make_unique<const State>(std::move(parts)); });
}
Tokenizer::~Tokenizer() = default;

Encoding Tokenizer::encode(const TextPair& texts, const EncodeOptions& options) const {
    Encoding out = state_->encode(texts, options);
    if (const Padding* padding = state_->padding_of(options)) state_->pad_to(out, *padding, padded_length(*padding, out.size()));
    return out;
}

Encoding Tokenizer::encode(std::string_view text, std::optional<std::string_view> pair, bool add_special_tokens) const {
    EncodeOptions options;
    options.add_special_tokens = add_special_tokens;
    return encode({text, pair}, options);
}

std::vector<OverflowingEncoding> Tokenizer::overflowing(const Encoding& encoding) const {
    return encoding.cut ? state_->overflowing(*encoding.cut) : std::vector<OverflowingEncoding>();
}

const Padding* Tokenizer::padding() const noexcept {
    return state_->parts.padding ? &*state_->parts.padding : nullptr;
}

void Tokenizer::encode_ids(std::string_view text, bool add_special_tokens, std::vector<std::int32_t>& out) const {
    const std::size_t before = out.size();
    EncodeOptions options;
    options.file_truncation = false;
    try {
        if (add_special_tokens && !state_->frame) {
            const Encoding whole = state_->encode({text}, options);
            out.insert(out.end(), whole.ids.begin(), whole.ids.end());
            return;
        }
        const State::Frame* frame = add_special_tokens ? &*state_->frame : nullptr;
        if (frame != nullptr) out.insert(out.end(), frame->before.ids.begin(), frame->before.ids.end());
        IdSink sink{out};
        state_->run(SourceText(text, options, "the text").text(), false, sink);
        if (frame != nullptr) out.insert(out.end(), frame->behind.ids.begin(), frame->behind.ids.end());
    } catch (...) {
        out.resize(before);
        throw;
    }
}

std::size_t Tokenizer::count_tokens(std::string_view text) const {
    CountSink sink;
    state_->run(SourceText(text, {}, "the text").text(), false, sink);
    return sink.count;
}

}  // namespace rag::core
