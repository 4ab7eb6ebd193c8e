#include "model/decoder.hpp"

#include <algorithm>
#include <functional>

#include "core/error.hpp"
#include "formats/inspect.hpp"
#include "model/adapter.hpp"
#include "model/adapter_gguf.hpp"
#include "model/auto_precision.hpp"
#include "model/gguf_description.hpp"
#include "model/host_call.hpp"

namespace rag::core {
namespace {

/// The backend takes no more through its layers at once, so longer parts would only make others wait.
constexpr std::size_t kPartTokens = 512;
/// Of logits of every row in float32, whose output layer alone would take a caller who stops longer than he is promised to wait.
constexpr std::size_t kFloatLogitsTokens = 256;

std::shared_ptr<const Tokenizer> open_tokenizer(const DecoderFiles& files) {
    if (files.tokenizer.empty()) return nullptr;
    auto tokenizer = Tokenizer::from_pretrained(files.tokenizer);
    if (tokenizer->id_limit() > files.config.vocab_size)
        fail(Code::kCorrupt, "{}: the tokenizer has ids up to {}, the model {} tokens: they do not belong together",
             quote(files.tokenizer.string(), 400), tokenizer->id_limit() - 1, files.config.vocab_size);
    return tokenizer;
}

/// Whether two calls add the same to the base.
bool equal_shares(std::vector<AdapterShare> a, std::vector<AdapterShare> b) {
    const auto before = [](const AdapterShare& left, const AdapterShare& right) {
        return std::less<>()(left.adapter, right.adapter);
    };
    std::sort(a.begin(), a.end(), before);
    std::sort(b.begin(), b.end(), before);
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const AdapterShare& left, const AdapterShare& right) {
        return left.adapter == right.adapter && left.weight == right.weight;
    });
}

}  // namespace

Decoder::Decoder(const ModelOptions& options, DecoderFiles files, std::string source)
    : Model(options, files.layers),
      files_(std::move(files)),
      source_(std::move(source)),
      precision_(options.precision),
      exceptions_(exceptions_text(options)),
      tokenizer_(open_tokenizer(files_)) {
    load_with(options,
              [&](const BackendOptions& known) { return backend().load_decoder(files_.config, files_.weights, known, model_); });
    if (model_ == nullptr) fail(Code::kInternal, "the backend gave no decoder for {}", quote(source_, 400));
    batcher_ = std::make_unique<StepBatcher>(*model_, options.batching);
    part_tokens_ = std::min(options.batching.tokens, kPartTokens);
}

std::shared_ptr<Decoder> Decoder::open(const std::filesystem::path& path, const ModelOptions& options) {
    if (options.verify) require_verified(path, options.opening);
    DecoderFiles files = read_decoder_files(path);
    ModelOptions chosen = options;
    std::string why;
    if (options.measured_precision) why = choose_precision(files.config, files.weights, chosen);
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) chosen.exceptions = with_saved_exceptions(path, chosen);
    auto decoder = std::shared_ptr<Decoder>(new Decoder(chosen, std::move(files), path.string()));
    decoder->exceptions_ += why;
    return decoder;
}

// In the child of a fork the backend's threads do not exist: waiting for them would never end, so its objects are left alone.
Decoder::~Decoder() {
    if (!in_fork_child()) return;
    static_cast<void>(batcher_.release());
    static_cast<void>(model_.release());
}

DecoderSession::DecoderSession(std::shared_ptr<Decoder> decoder, std::unique_ptr<BackendSession> session, Decoder::KeptMix mix)
    : decoder_(std::move(decoder)), session_(std::move(session)), mix_(std::move(mix)) {
    decoder_->batcher_->add_caller();
}

DecoderSession::~DecoderSession() {
    if (decoder_->in_fork_child()) {
        static_cast<void>(session_.release());
    } else {
        decoder_->batcher_->remove_caller();
    }
}

std::shared_ptr<const Tokenizer> Decoder::shared_tokenizer() const {
    if (tokenizer_ == nullptr) fail(Code::kInvalidState, "{} has no tokenizer: it works with ids alone", quote(source_, 400));
    return tokenizer_;
}

std::string Decoder::describe() const {
    const DecoderConfig& c = files_.config;
    return fmt::format("{}: {} decoder, {} layers, {} dimensions, {} tokens of context, {}{}; {}", source_, c.architecture,
                       c.layers, c.hidden_size, c.context_length, precision_name(precision_), exceptions_, backend().describe());
}

AdapterWeights Decoder::read_adapter_at(const std::filesystem::path& path) const {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path, ignored))
        return read_gguf_adapter(GgufFile::open(path), files_.config, linear_layers());
    return read_adapter(path, linear_layers(), &files_.weights);
}

void Decoder::calibrate(std::span<const std::string_view> texts, const Progress& progress) {
    constexpr std::size_t kWindowTokens = 512;
    std::vector<std::int32_t> ids;
    for (const std::string_view text : texts) tokenizer().encode_ids(text, true, ids);
    if (ids.empty()) fail(Code::kInvalidArgument, "{} texts to calibrate with hold no token", texts.size());
    const std::size_t window = std::min(kWindowTokens, static_cast<std::size_t>(context_length()));
    const std::uint64_t changes = merged_now().changes;
    Model::calibrate([&] {
        for (std::size_t begin = 0; begin < ids.size(); begin += window) {
            report(progress, begin, ids.size());
            const std::size_t count = std::min(window, ids.size() - begin);
            new_session()->forward(std::span(ids).subspan(begin, count), {},
                                   [&] { return progress && !progress(begin, ids.size()); });
            require_same_weights(changes, fmt::format("{} tokens to calibrate with", ids.size()));
        }
        report(progress, ids.size(), ids.size());
    });
}

float Decoder::saved_norm_offset() const {
    return files_.config.architecture.starts_with("gemma") && !files_.config.unit_offset_norms ? -1.0F : 0.0F;
}

std::filesystem::path Decoder::describe_into(const std::filesystem::path& folder, const SavedWeights& saved) const {
    if (std::filesystem::is_directory(source_)) {
        copy_description(source_, folder, saved);
    } else {
        describe_gguf_model(source_, files_.config, tokenizer_.get(), folder, saved);
    }
    return folder;
}

std::unique_ptr<DecoderSession> Decoder::session_with(const std::optional<AdapterMix>& mix) {
    check_fork();
    KeptMix kept = kept_mix(mix);
    std::unique_ptr<BackendSession> session;
    check_status(model_->new_session(session));
    if (session == nullptr) fail(Code::kInternal, "the backend gave no session for {}", quote(source_, 400));
    return std::unique_ptr<DecoderSession>(new DecoderSession(shared_from_this(), std::move(session), std::move(kept)));
}

std::shared_ptr<const CachedText> Decoder::cache(std::span<const std::int32_t> ids, const std::optional<AdapterMix>& mix,
                                                 const std::function<bool()>& stop) {
    const auto session = session_with(mix);
    session->forward(ids, {}, stop);
    const std::shared_ptr<CachedText> text(new CachedText);
    text->decoder_ = shared_from_this();
    check_status(model_->copy_piece(*session->session_, text->piece_));
    if (text->piece_ == nullptr) fail(Code::kInternal, "the backend kept no keys and values for {}", quote(source_, 400));
    text->ids_.assign(ids.begin(), ids.end());
    text->mix_ = session->mix_;
    text->changes_ = session->changes_;
    return text;
}

CachedText::~CachedText() {
    if (decoder_ != nullptr && decoder_->in_fork_child()) static_cast<void>(piece_.release());
}

void Decoder::logits(std::span<const std::int32_t> ids, std::span<float> out, const Progress& progress,
                     std::span<const std::shared_ptr<const CachedText>> prefix) {
    const std::size_t expected = ids.size() * static_cast<std::size_t>(vocab_size());
    if (out.size() != expected)
        fail(Code::kInvalidArgument, "room for {} logits, {} ids of {} logits take {}", out.size(), ids.size(), vocab_size(),
             expected);
    if (ids.empty() && prefix.empty()) return;
    const auto session = new_session();
    for (const auto& text : prefix) session->append(*text);
    if (ids.empty()) return;
    const std::int64_t begin = session->length();
    std::function<bool()> stop;
    if (progress) stop = [&] { return !progress(static_cast<std::uint64_t>(session->length() - begin), ids.size()); };
    session->forward(ids, out, stop);
}

void DecoderSession::check(std::span<const std::int32_t> ids, std::span<float> logits) const {
    decoder_->check_fork();
    const std::int64_t vocab = decoder_->vocab_size();
    const auto one = static_cast<std::size_t>(vocab);
    if (ids.empty()) fail(Code::kInvalidArgument, "no ids to compute");
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] < 0 || ids[i] >= vocab)
            fail(Code::kInvalidArgument, "id {} at position {} is outside the vocabulary of {} tokens", ids[i], i, vocab);
    }
    if (!logits.empty() && logits.size() != one && logits.size() != ids.size() * one)
        fail(Code::kInvalidArgument, "room for {} logits; 0, {} or {} are expected", logits.size(), one, ids.size() * one);
    const std::int64_t room = decoder_->context_length() - length();
    if (static_cast<std::int64_t>(ids.size()) > room)
        fail(Code::kInvalidArgument, "{} tokens after {} do not fit the context of {} tokens", ids.size(), length(),
             decoder_->context_length());
}

/// What a merge comes into would be of two models. An empty sequence is of none yet.
void DecoderSession::begin_or_require_same(std::size_t ids) {
    if (length() == 0) changes_ = decoder_->merged_now().changes;
    require_same(ids);
}

void DecoderSession::require_same(std::size_t ids) const {
    if (!texts_only_) return decoder_->require_same_weights(changes_, fmt::format("a sequence and {} tokens behind it", ids));
    if (decoder_->merged_now().changes == changes_) return;
    fail(Code::kInvalidState,
         "an adapter was merged or unmerged before {} tokens behind cached ones were computed; cache the texts again", ids);
}

/// Behind cached texts the keys would have other frequencies than the prompt.
void DecoderSession::check_frequencies(std::size_t ids) const {
    const DecoderConfig& config = decoder_->files_.config;
    for (const RotaryConfig* rotary : {&config.rotary, &config.local_rotary}) {
        if (rotary->dynamic_factor > 0.0 && length() + static_cast<std::int64_t>(ids) > rotary->original_context)
            fail(Code::kUnsupported,
                 "{} tokens behind {} cached ones pass the {} tokens beyond which this model's rotary frequencies change with "
                 "every "
                 "token (dynamic scaling); give all as text",
                 ids, length(), rotary->original_context);
    }
}

void DecoderSession::forward(std::span<const std::int32_t> ids, std::span<float> logits, const std::function<bool()>& stop) {
    check(ids, logits);
    begin_or_require_same(ids.size());
    if (texts_only_) check_frequencies(ids.size());
    const std::int64_t begin = length();
    compute(ids, logits, stop);
    try {
        require_same(ids.size());
    } catch (const Error&) {
        check_status(session_->truncate(begin));
        throw;
    }
    texts_only_ = false;
}

void DecoderSession::compute(std::span<const std::int32_t> ids, std::span<float> logits, const std::function<bool()>& stop) {
    const auto one = static_cast<std::size_t>(decoder_->vocab_size());
    const bool every = logits.size() == ids.size() * one;
    const std::size_t part = every && decoder_->precision_ == Precision::kFloat32
                                 ? std::min(decoder_->part_tokens_, kFloatLogitsTokens)
                                 : decoder_->part_tokens_;
    const CallSpan whole{length(), length() + static_cast<std::int64_t>(ids.size())};
    StopCheck asked(stop);
    for (std::size_t done = 0; done < ids.size();) {
        const std::size_t count = std::min(part, ids.size() - done);
        const bool last = done + count == ids.size();
        const std::span<float> out = every ? logits.subspan(done * one, count * one) : last ? logits : std::span<float>();
        DecoderItem item{session_.get(), ids.subspan(done, count), out, asked.call(), mix_.shares, {}, whole};
        decoder_->batcher_->run(item);
        if (!item.status.ok()) {
            // The sequence is as before the call; the backend has kept what that takes.
            if (done > 0) check_status(session_->truncate(whole.begin));
            asked.finish(item.status);
        }
        done += count;
    }
}

void DecoderSession::append(const CachedText& text) {
    decoder_->check_fork();
    if (text.decoder_ != decoder_) {
        if (text.decoder_->source_ == decoder_->source_)
            fail(Code::kInvalidArgument,
                 "the cached text is of the model {} as it was opened another time; cache it with this one",
                 quote(decoder_->source_, 400));
        fail(Code::kInvalidArgument, "the cached text is of the model {}, not of {}; cache it with this one",
             quote(text.decoder_->source_, 400), quote(decoder_->source_, 400));
    }
    const std::size_t count = text.ids_.size();
    if (static_cast<std::int64_t>(count) > decoder_->context_length() - length())
        fail(Code::kInvalidArgument, "{} cached tokens after {} do not fit the context of {} tokens", count, length(),
             decoder_->context_length());
    if (!equal_shares(text.mix_.shares, mix_.shares))
        fail(Code::kInvalidState,
             "{} cached tokens were computed with other adapters than this call has; cache the text with these", count);
    begin_or_require_same(count);
    if (text.changes_ != changes_)
        fail(Code::kInvalidState, "{} cached tokens were computed before an adapter was merged or unmerged; cache the text again",
             count);
    check_status(decoder_->model_->append_piece(*session_, *text.piece_));
    texts_only_ = true;
}

void DecoderSession::truncate(std::int64_t length) {
    decoder_->check_fork();
    if (length < 0 || length > session_->length())
        fail(Code::kInvalidArgument, "cannot cut a sequence of {} tokens to {}", session_->length(), length);
    check_status(session_->truncate(length));
    if (length == 0) texts_only_ = false;
}

}  // namespace rag::core
