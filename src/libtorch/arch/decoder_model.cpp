#include "libtorch/arch/decoder_model.hpp"

#include "libtorch/kernels/rows.hpp"
#include "libtorch/quant/shared_weights.hpp"

namespace rag::core::libtorch {
namespace {

// Ids that go through the layers together; bounds the memory of a long prompt.
constexpr std::int64_t kChunkTokens = 512;
// So many more go with them where they are the last: a part of a prompt beside other callers' single tokens is one pass.
constexpr std::int64_t kLastTokens = 64;
// Multiply-adds of the output layer between two questions: some tens of milliseconds on few cores.
constexpr std::int64_t kHeadWork = std::int64_t{1} << 31;

class DecoderModel;

class DecoderModelSession : public BackendSession {
  public:
    DecoderModelSession(std::shared_ptr<DecoderModel> of, KvCache keys) : model(std::move(of)), cache(std::move(keys)) {}

    std::int64_t length() const noexcept override { return tokens; }

    BackendStatus truncate(std::int64_t length) noexcept override {
        return guarded([&] {
            if (length < 0 || length > tokens) {
                fail(Code::kInvalidArgument, "cannot truncate a sequence of ", tokens, " tokens to ", length);
            }
            if (!cache.reaches_back(length)) {
                fail(Code::kInvalidState, "cannot truncate a sequence of ", tokens, " tokens to ", length,
                     ": layers with a window have dropped what it would see");
            }
            tokens = length;
        });
    }

    const std::shared_ptr<DecoderModel> model;
    KvCache cache;
    std::int64_t tokens = 0;
};

class DecoderPiece : public BackendPiece {
  public:
    DecoderPiece(std::shared_ptr<DecoderModel> of, KvCache keys, std::int64_t count)
        : model(std::move(of)), cache(std::move(keys)), tokens(count) {}

    std::int64_t length() const noexcept override { return tokens; }
    std::uint64_t size_bytes() const noexcept override { return cache.size_bytes(); }

    const std::shared_ptr<DecoderModel> model;
    const KvCache cache;
    const std::int64_t tokens;
};

// An item of a call while it is computed.
struct Running {
    DecoderItem* item = nullptr;
    DecoderModelSession* session = nullptr;
    std::size_t done = 0;  // ids that have gone through the layers

    std::int64_t past() const { return session->tokens + static_cast<std::int64_t>(done); }
    std::int64_t end() const { return session->tokens + static_cast<std::int64_t>(item->ids.size()); }
    // Of the whole call: what the sequence must be able to go back to, and its length in the end.
    std::int64_t call_begin() const { return item->whole ? item->whole->begin : session->tokens; }
    std::int64_t call_end() const { return item->whole ? item->whole->end : end(); }
    bool finished() const { return done == item->ids.size(); }
};

// Some ids of one item in a pass.
struct Slice {
    Running* of = nullptr;
    std::size_t count = 0;
};

// Asks the callers of a pass whether to go on; the pass ends early when none wants it any more.
bool stop_all(void* context) {
    auto& slices = *static_cast<std::vector<Slice>*>(context);
    bool all = true;
    for (const Slice& slice : slices) {
        DecoderItem& item = *slice.of->item;
        if (item.status.ok()) {
            item.status = guarded([&] { poll(item.call); });
        }
        all = all && !item.status.ok();
    }
    return all;
}

class DecoderModel : public ModelCore {
  public:
    DecoderModel(const DecoderConfig& config, const DecoderParts& parts, const Weights& weights, const BackendOptions& options)
        : ModelCore(weights, "", options), plan_(options.precision, options.exceptions), body_(config, parts) {
        cache_type_ = options.int8_cache ? at::kChar : precision == Precision::kFloat32 ? at::kFloat : at::kBFloat16;
        check_decoder_config(config, weights);
    }

    void load() {
        const DecoderConfig& config = body_.config();
        const std::int64_t hidden = config.hidden_size;
        worker.size_team(hidden * (config.vocab_size + config.layers * 3 * (hidden + config.intermediate_size)));
        body_.load(source, plan_);
        if (body_.shared_table() != nullptr) {
            tied_head_ = std::make_shared<const Int8PanelLinear>(body_.shared_table(), at::Tensor());
        } else if (config.tied_embeddings) {
            const Precision kept = body_.table_kept();
            const std::string key =
                source->identity().empty() ? "" : c10::str(source->identity(), "\ntied ", static_cast<std::uint32_t>(kept));
            tied_head_ = SharedWeights::get<PackedLinear>(key, [&] {
                const at::Tensor table = source->float_tensor("model.embed_tokens.weight", {config.vocab_size, hidden});
                return pack_linear(kept, {{table, at::Tensor()}}, {.wide_inputs = true, .device = source->device()});
            });
        } else {
            const Precision kept = plan_.of("lm_head", table_precision(precision));
            head_ = Linear(source, {{{"lm_head", config.vocab_size, 0}}, hidden, false, true}, kept);
        }
        plan_.check_all_used(source->source());
        loaded();
    }

    KvCache new_cache() const { return body_.new_cache(cache_type_); }

    // The two below on the worker.
    const DecoderModelSession& own(const BackendSession& session) const;
    void append(DecoderModelSession& session, const BackendPiece& piece) const;

    // On the worker. Every item's status says how it went.
    void forward(std::span<DecoderItem> items) {
        std::vector<Running> running;
        for (DecoderItem& item : items) {
            item.status = guarded([&] { running.push_back(admit(item, running)); });
        }
        while (!running.empty()) {
            std::vector<Slice> slices = next_slices(running);
            const BackendStatus status = guarded([&] { compute(slices); });
            for (const Slice& slice : slices) {
                slice.of->done += slice.count;
                if (slice.of->item->status.ok()) {
                    slice.of->item->status = status;
                }
            }
            settle(running);
        }
    }

  private:
    Running admit(DecoderItem& item, const std::vector<Running>& before) const;
    std::vector<Slice> next_slices(std::vector<Running>& running) const;
    void compute(std::vector<Slice>& slices);
    void write_logits(std::span<const Slice> slices, const at::Tensor& x, const HostCall& call) const;
    void head(const at::Tensor& hidden, const RowAdapters& adapters, at::Tensor& out) const;

    // Items that are done or have failed leave; a sequence grows when it has succeeded.
    static void settle(std::vector<Running>& running) {
        for (const Running& one : running) {
            if (one.finished() && one.item->status.ok()) {
                one.session->tokens = one.end();
            }
        }
        std::erase_if(running, [](const Running& one) { return one.finished() || !one.item->status.ok(); });
    }

    std::vector<Linear*> linears() override {
        std::vector<Linear*> all = body_.linears();
        if (!tied_head_) {
            all.push_back(&head_);
        }
        return all;
    }

    void list_norms(std::vector<NormTensors>& out) override { body_.list_norms(out); }

    std::uint64_t count_bytes() const override {
        const std::uint64_t total = body_.size_bytes();
        if (!tied_head_) {
            return total + head_.packed().size_bytes();
        }
        // In float32 and int8 a tied output layer is the embedding's own memory.
        const bool shared = body_.table_kept() == Precision::kFloat32 || body_.shared_table() != nullptr;
        return shared ? total : total + tied_head_->size_bytes();
    }

    const PrecisionPlan plan_;
    at::ScalarType cache_type_ = at::kFloat;
    DecoderBody body_;
    std::shared_ptr<const PackedLinear> tied_head_;
    Linear head_;
};

const DecoderModelSession& DecoderModel::own(const BackendSession& session) const {
    const auto* known = dynamic_cast<const DecoderModelSession*>(&session);
    if (known == nullptr || known->model.get() != this) {
        fail(Code::kInvalidArgument, "a session of another model");
    }
    return *known;
}

void DecoderModel::append(DecoderModelSession& session, const BackendPiece& piece) const {
    const auto* known = dynamic_cast<const DecoderPiece*>(&piece);
    if (known == nullptr || known->model.get() != this) {
        fail(Code::kInvalidArgument, "cached keys and values of another model");
    }
    const DecoderConfig& config = body_.config();
    const std::int64_t end = session.tokens + known->tokens;
    if (end > config.context_length) {
        fail(Code::kInvalidArgument, "a sequence of ", session.tokens, " tokens and ", known->tokens,
             " cached ones exceed the model's context of ", config.context_length);
    }
    for (const RotaryConfig* rotary : {&config.rotary, &config.local_rotary}) {
        if (rotary->dynamic_factor > 0.0 && end > rotary->original_context) {
            fail(Code::kUnsupported, known->tokens, " cached tokens behind ", session.tokens, " pass the ",
                 rotary->original_context, " tokens beyond which this model's rotary frequencies change with every token ",
                 "(dynamic scaling); give them as text");
        }
    }
    if (session.tokens == 0) {
        session.cache.append(known->cache, known->tokens, 0, nullptr, nullptr);
        session.tokens = end;
        return;
    }
    RotaryRows turns(config.rotary, known->tokens);
    turns.add_turns(session.tokens, known->tokens);
    turns.place_on(source->device());
    std::optional<RotaryRows> local;
    if (!config.local_rotary.frequencies.empty()) {
        local.emplace(config.local_rotary, known->tokens).add_turns(session.tokens, known->tokens);
        local->place_on(source->device());
    }
    session.cache.append(known->cache, known->tokens, session.tokens, &turns, local ? &*local : &turns);
    session.tokens = end;
}

Running DecoderModel::admit(DecoderItem& item, const std::vector<Running>& before) const {
    auto* session = dynamic_cast<DecoderModelSession*>(item.session);
    if (session == nullptr || session->model.get() != this) {
        fail(Code::kInvalidArgument, "an item without a session of this model");
    }
    for (const Running& other : before) {
        if (other.session == session) {
            fail(Code::kInvalidArgument, "two items of one call have the same session");
        }
    }
    const DecoderConfig& config = body_.config();
    const auto vocab = static_cast<std::size_t>(config.vocab_size);
    if (item.ids.empty()) {
        fail(Code::kInvalidArgument, "no token ids to append");
    }
    if (item.ids.size() > static_cast<std::size_t>(config.context_length - session->tokens)) {
        fail(Code::kInvalidArgument, "a sequence of ", session->tokens, " tokens and ", item.ids.size(),
             " more exceed the model's context of ", config.context_length);
    }
    if (item.whole && (item.whole->begin < 0 || item.whole->begin > session->tokens ||
                       item.whole->end < session->tokens + static_cast<std::int64_t>(item.ids.size()))) {
        fail(Code::kInvalidArgument, "an item of ", item.ids.size(), " tokens after ", session->tokens,
             " as part of a call from ", item.whole->begin, " to ", item.whole->end);
    }
    if (!item.logits.empty() && item.logits.size() != vocab && item.logits.size() != item.ids.size() * vocab) {
        fail(Code::kInvalidArgument, "room for ", item.logits.size(), " logits, expected 0, ", vocab, " or ",
             item.ids.size() * vocab);
    }
    check_ids(item.ids, config.vocab_size, "token id");
    check_shares(item.adapters);
    return {&item, session, 0};
}

// Ids of as many items as a chunk takes, first come, first served. Room in the caches is made here, so that an item without
// memory fails alone.
std::vector<Slice> DecoderModel::next_slices(std::vector<Running>& running) const {
    std::vector<Slice> slices;
    std::int64_t left = 0;
    for (const Running& one : running) {
        left += one.end() - one.past();
    }
    std::int64_t room = left <= kChunkTokens + kLastTokens ? left : kChunkTokens;
    for (Running& one : running) {
        const std::int64_t count = std::min(room, one.end() - one.past());
        if (count == 0) {
            break;
        }
        // A sequence that began with this call has nothing to go back to.
        const std::int64_t oldest = one.call_begin() == 0 ? one.past() : one.call_begin();
        one.item->status = guarded([&] { one.session->cache.reserve(one.past(), one.past() + count, oldest); });
        if (one.item->status.ok()) {
            slices.push_back({&one, static_cast<std::size_t>(count)});
            room -= count;
        }
    }
    return slices;
}

void DecoderModel::compute(std::vector<Slice>& slices) {
    std::vector<SequenceRows> sequences;
    std::int64_t rows = 0;
    for (const Slice& slice : slices) {
        const Running& one = *slice.of;
        sequences.push_back(
            {one.item->ids.subspan(one.done, slice.count), one.past(), one.call_end(), one.item->adapters, &one.session->cache});
        rows += static_cast<std::int64_t>(slice.count);
    }
    if (sequences.empty()) {
        return;
    }
    worker.size_team(work(rows));
    HostCall call;
    call.stop = stop_all;
    call.context = &slices;
    const at::Tensor x = body_.run(sequences, call);
    write_logits(slices, x, call);
}

// Every id's logits of a long item take longer than the layers: the callers are asked between blocks of rows.
void DecoderModel::write_logits(std::span<const Slice> slices, const at::Tensor& x, const HostCall& call) const {
    struct Target {
        std::int64_t row;
        std::span<const AdapterShare> shares;
        float* out;
    };
    const std::int64_t vocab = body_.config().vocab_size;
    const std::int64_t block = std::max<std::int64_t>(kHeadWork / (vocab * x.size(1)) / 16 * 16, 16);
    std::vector<Target> last;
    std::int64_t row = 0;
    for (const Slice& slice : slices) {
        const Running& one = *slice.of;
        const auto count = static_cast<std::int64_t>(slice.count);
        const std::span<float> logits = one.item->logits;
        // A single id is a step: those of several callers share one product.
        const std::size_t ids = one.item->ids.size();
        const bool every = ids > 1 && logits.size() == ids * static_cast<std::size_t>(vocab);
        if (!logits.empty() && every) {
            float* out = logits.data() + static_cast<std::int64_t>(one.done) * vocab;
            for (std::int64_t first = 0; first < count; first += block) {
                const std::int64_t rows = std::min(block, count - first);
                if (first > 0) {
                    poll(call);
                }
                RowAdapters adapters;
                adapters.append(rows, one.item->adapters);
                at::Tensor to = at::from_blob(out + first * vocab, {rows, vocab}, at::kFloat);
                head(x.narrow(0, row + first, rows), adapters, to);
            }
        } else if (!logits.empty() && one.done + slice.count == ids) {
            last.push_back({row + count - 1, one.item->adapters, logits.data()});
        }
        row += count;
    }
    if (last.empty()) {
        return;
    }
    const auto wanted = static_cast<std::int64_t>(last.size());
    RowAdapters adapters;
    at::Tensor hidden = at::empty({wanted, x.size(1)}, x.options());
    for (std::int64_t i = 0; i < wanted; ++i) {
        const Target& target = last[static_cast<std::size_t>(i)];
        adapters.append(1, target.shares);
        hidden.select(0, i).copy_(x.select(0, target.row));
    }
    if (wanted == 1) {
        at::Tensor out = at::from_blob(last.front().out, {1, vocab}, at::kFloat);
        return head(hidden, adapters, out);
    }
    at::Tensor out = at::empty({wanted, vocab}, at::kFloat);
    head(hidden, adapters, out);
    const float* from = out.const_data_ptr<float>();
    for (const Target& target : last) {
        std::copy_n(from, vocab, target.out);
        from += vocab;
    }
}

void DecoderModel::head(const at::Tensor& hidden, const RowAdapters& adapters, at::Tensor& out) const {
    const at::Tensor x = body_.finish(hidden);
    if (tied_head_) {
        tied_head_->run(x, out);
    } else {
        head_.packed().run(x, out);
        adapters.add(head_, x, out);
    }
    const float cap = body_.config().logit_softcap;
    if (cap == 0.0F) {
        return;
    }
    float* logits = out.mutable_data_ptr<float>();
    at::parallel_for(0, out.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
        kernels::softcap_row(logits + begin * out.size(1), (end - begin) * out.size(1), cap, logits + begin * out.size(1));
    });
}

class TorchDecoder : public CoreModel<BackendDecoder, DecoderModel> {
  public:
    using CoreModel::CoreModel;

    BackendStatus new_session(std::unique_ptr<BackendSession>& out) noexcept override {
        return guarded([&] { out = std::make_unique<DecoderModelSession>(core_, core_->new_cache()); });
    }

    BackendStatus copy_piece(const BackendSession& session, std::unique_ptr<BackendPiece>& out) noexcept override {
        return core_->worker.run([&] {
            const DecoderModelSession& known = core_->own(session);
            if (known.tokens == 0) {
                fail(Code::kInvalidArgument, "a sequence without tokens has no keys and values to cache");
            }
            out = std::make_unique<DecoderPiece>(core_, known.cache.copy(known.tokens), known.tokens);
        });
    }

    BackendStatus append_piece(BackendSession& session, const BackendPiece& piece) noexcept override {
        return core_->worker.run([&] {
            core_->own(session);
            core_->append(dynamic_cast<DecoderModelSession&>(session), piece);
        });
    }

    BackendStatus forward(std::span<DecoderItem> items) noexcept override {
        BackendStatus status = core_->worker.run([&] { core_->forward(items); });
        if (!status.ok()) {
            for (DecoderItem& item : items) {
                item.status = status;
            }
        }
        return status;
    }
};

}  // namespace

BackendStatus load_decoder_model(const DecoderConfig& config, const DecoderParts& parts, const Weights& weights,
                                 const BackendOptions& options, std::unique_ptr<BackendDecoder>& out) noexcept {
    return guarded([&] {
        auto core = std::make_shared<DecoderModel>(config, parts, weights, options);
        BackendStatus status = core->worker.run([&] { core->load(); });
        if (!status.ok()) {
            throw BackendError(static_cast<Code>(status.code), status.text);
        }
        out = std::make_unique<TorchDecoder>(std::move(core));
    });
}

}  // namespace rag::core::libtorch
