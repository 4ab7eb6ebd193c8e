// Other models for an engine that runs: exchanged at once, or, for an embedder that did not make the vectors, after all chunks
// were embedded anew (reembedding.hpp).
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/polled.hpp"
#include "engine/engine_state.hpp"
#include "engine/reembedding.hpp"

namespace rag::core {
namespace {

// So few documents are embedded while writers wait. Rounds before them end, too, where writers are as fast as the embedder.
constexpr std::uint64_t kLastRound = 16;
constexpr int kRounds = 12;

std::string describe(const ReembedCounts& counts) {
    return nlohmann::ordered_json{{"documents", counts.documents}, {"chunks", counts.chunks},
                                  {"embedded", counts.embedded},   {"taken_over", counts.taken_over},
                                  {"cut_anew", counts.cut_anew},   {"cut_short", counts.cut_short}}
        .dump();
}

/// After it nobody is asked whether to go on. Who is being asked at that moment and then stops, or throws, comes too late: what
/// was committed is not told as stopped.
class LastMoment {
  public:
    /// On the caller's thread.
    bool ask(const Progress& caller, std::uint64_t total) {
        if (state_ == State::kPassed) return true;
        bool on = false;
        try {
            on = caller(total, total);
        } catch (...) {
            if (!decide(State::kStopped)) return true;
            throw;
        }
        return on || !decide(State::kStopped);
    }
    /// On the thread that commits: Stopped if the caller came first.
    void pass() {
        if (!decide(State::kPassed)) throw Stopped();
    }

  private:
    enum class State { kOpen, kStopped, kPassed };
    bool decide(State wanted) {
        State found = State::kOpen;
        return state_.compare_exchange_strong(found, wanted) || found == wanted;
    }
    std::atomic<State> state_{State::kOpen};
};

/// All chunks have vectors of this embedder: there is nothing to do.
std::optional<ReembedCounts> counts_if_embedded_by(Store& store, const Encoder& embedder) {
    auto view = store.read();
    const StoreCounts stored = view.counts();
    if (stored.embeddings != stored.chunks || view.meta("embedder") != embedder.fingerprint()) return std::nullopt;
    ReembedCounts counts;
    counts.documents = static_cast<std::uint64_t>(stored.documents);
    counts.chunks = static_cast<std::uint64_t>(stored.chunks);
    return counts;
}

}  // namespace

std::pair<StoreSnapshot, std::shared_ptr<EmbedderInUse>> Engine::State::settled_view() {
    while (true) {
        auto embedder = embedder_in_use();
        {
            auto view = store->read();
            const bool settled = options.read_only || view.meta_number(kVectorsFromMeta).value_or(0) == vectors_from.load();
            if (settled && embedder == embedder_in_use()) return {std::move(view), std::move(embedder)};
        }
        const std::lock_guard wait(exchanging);
    }
}

void Engine::State::use_models(ModelChange change, const ChunkSettings& settings) {
    auto fresh = change.embedder ? std::make_shared<EmbedderInUse>(*change.embedder) : nullptr;
    const std::lock_guard lock(models);  // nothing below fails
    if (change.embedder) {
        options.embedder = std::move(*change.embedder);
        set_chunk_settings(options, settings);
        in_use = std::move(fresh);
    }
    if (change.reranker) options.reranker = std::move(*change.reranker);
    if (change.generator) options.generator = std::move(*change.generator);
}

/// Holding `writing`: how chunks are cut with another embedder, which may be none.
ChunkSettings Engine::State::settings_with(const Encoder* embedder) {
    auto view = store->read();
    check_embedder(view, embedder);
    if (embedder != nullptr) return chunk_settings_for(*embedder, view, options);
    ChunkSettings settings = chunk_settings_of(options);
    if (!settings.embedder_tokens) return settings;
    EngineOptions without = options;
    without.embedder.reset();
    without.chunk_tokens = without.chunk_overlap = 0;
    settings = {};
    settings.tokens = decide_chunk_tokens(without);
    settings.chunker = without.chunker;
    return settings;
}

void Engine::use(ModelChange change) {
    const Call call(*this);
    if (change.reranker) check_reranker(change.reranker->get());
    std::unique_lock<std::mutex> writing;
    ChunkSettings settings;
    if (change.embedder) {
        writing = call.write();
        settings = call->settings_with(change.embedder->get());
    }
    call->use_models(std::move(change), settings);
}

void Engine::set_embedder(std::shared_ptr<const Encoder> embedder) {
    use({.embedder = std::move(embedder)});
}

void Engine::set_reranker(std::shared_ptr<const Classifier> reranker) {
    use({.reranker = std::move(reranker)});
}

void Engine::set_generator(std::shared_ptr<Decoder> generator) {
    use({.generator = std::move(generator)});
}

std::string Engine::reembed(std::shared_ptr<const Encoder> embedder, const Progress& progress) {
    const Call call(*this);
    State& state = *call;
    if (!embedder) fail(Code::kInvalidArgument, "re-embedding needs an embedder");
    if (state.options.read_only) fail(Code::kReadOnly, "{} is open read-only", quote(state.name, 400));
    const std::unique_lock alone(state.reembedding, std::try_to_lock);
    if (!alone) fail(Code::kBusy, "{} is being re-embedded already", quote(state.name, 400));
    if (const auto counts = counts_if_embedded_by(*state.store, *embedder)) {  // such as by a call that was killed at its end
        set_embedder(embedder);
        // What waits there is for another embedder, or taken over: whoever asks for this one does not go on with it.
        if (!state.store->in_memory()) VectorStage::remove_from(state.store->folder());
        return describe(*counts);
    }
    const EngineOptions present = state.options_now();
    EngineOptions next = present;
    next.embedder = embedder;
    {
        auto view = state.store->read();
        set_chunk_settings(next, chunk_settings_for(*embedder, view, present));
    }
    // Asked in any case: close() may wait.
    const Progress asked = [&](std::uint64_t done, std::uint64_t total) {
        return !state.ending && (!progress || progress(done, total));
    };
    std::optional<Reembedding> work;
    std::uint64_t total = 0;
    run_polled(asked, [&](const Progress& inner) {
        work.emplace(*state.store, *state.indexes, present, next);
        std::uint64_t before = work->catch_up(inner);
        total = before;
        const Progress again = [&](std::uint64_t, std::uint64_t) { return inner(total, total); };
        for (int round = 1; round < kRounds; ++round) {
            const std::uint64_t changed = work->catch_up(inner ? again : inner);
            // Writers that are as fast as the embedder would be followed for ever.
            if (changed <= kLastRound || changed > before / 2) break;
            before = changed;
        }
    });
    const auto writing = call.write();
    if (state.ending) throw Stopped();
    if (state.options.embedder != present.embedder)
        fail(Code::kInvalidState, "{} got another embedder while it was re-embedded: re-embed it again", quote(state.name, 400));
    LastMoment last;
    const Progress to_the_end = [&](std::uint64_t, std::uint64_t) { return last.ask(asked, total); };
    run_polled(to_the_end, [&](const Progress& inner) {
        work->catch_up(inner);
        work->exchange(
            [&](const std::function<void()>& end, std::int64_t vectors_from) {
                const std::lock_guard moment(state.exchanging);
                last.pass();
                end();
                // In this order: settled_view() takes an embedder for that of the vectors when the numbers agree.
                state.use_models({.embedder = embedder}, chunk_settings_of(next));
                state.vectors_from = vectors_from;
            },
            inner);
        work->discard();
    });
    return describe(work->counts());
}

}  // namespace rag::core
