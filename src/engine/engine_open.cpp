// Opening and closing, and the check that begins every call.
#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "core/log.hpp"
#include "core/polled.hpp"
#include "engine/bm25_settings.hpp"
#include "engine/chunk_settings.hpp"
#include "engine/engine_state.hpp"
#include "engine/metric_setting.hpp"

namespace rag::core {
namespace {

// The chunk length for retrieval that most embedders were trained with, also where they would take more.
constexpr std::int64_t kDefaultTokens = 254;
constexpr std::size_t kDefaultWords = 200;

/// The chunk length that holds, after all checks.
std::size_t chunk_tokens_of(const EngineOptions& options) {
    std::size_t longest = options.chunk_tokens;
    if (options.embedder) {
        const auto limit =
            options.embedder->max_tokens() - options.embedder->special_tokens() - options.embedder->prompt_tokens();
        if (limit < 1) fail(Code::kUnsupported, "the embedder takes {} tokens of text", limit);
        if (longest > static_cast<std::size_t>(limit)) {
            fail(Code::kInvalidArgument, "chunk_tokens is {}, the embedder takes {} and {} special ones", longest, limit,
                 options.embedder->special_tokens());
        }
        if (longest == 0) longest = static_cast<std::size_t>(std::min(limit, kDefaultTokens));
    }
    if (longest == 0) longest = kDefaultWords;
    if (options.chunk_overlap >= longest)
        fail(Code::kInvalidArgument, "chunk_overlap is {}, it must be below the {} tokens of a chunk", options.chunk_overlap,
             longest);
    return longest;
}

}  // namespace

void Engine::State::check_embedder(StoreView& view) const {
    if (!options.embedder) return;
    const auto stored = view.meta("embedder");
    if (stored && *stored != options.embedder->fingerprint()) {
        fail(Code::kInvalidArgument, "the vectors of {} were made by {} [{}], the embedder given is {} [{}]", quote(name, 400),
             view.meta("embedder_name").value_or("(unknown)"), *stored, options.embedder->describe(),
             options.embedder->fingerprint());
    }
    const std::size_t dimension = stored_dimension(view);
    if (dimension != 0 && dimension != static_cast<std::size_t>(options.embedder->dimension())) {
        fail(Code::kInvalidArgument, "the vectors of {} have {} dimensions, the embedder {} makes {}", quote(name, 400),
             dimension, options.embedder->describe(), options.embedder->dimension());
    }
}

std::unique_ptr<Engine> Engine::open(const EngineOptions& options) {
    const std::size_t chunk_tokens = chunk_tokens_of(options);
    if (options.reranker && options.reranker->labels().size() != 1) {
        fail(Code::kInvalidArgument, "a reranker gives one score a pair, {} has {} labels", options.reranker->describe(),
             options.reranker->labels().size());
    }
    auto state = std::make_unique<State>();
    state->options = options;
    state->options.chunk_tokens = chunk_tokens;
    state->options.progress = nullptr;  // the caller's, for this call
    state->options.bm25.reset();        // from here on what the indexes say
    state->options.metric.reset();      // and the store
    run_polled(options.progress, [&](const Progress& progress) {
        state->store = Store::open({options.path, options.read_only, progress, options.accept_loss});
    });
    state->name = state->store->name();
    {
        auto view = state->store->read();
        state->check_embedder(view);
    }
    settle_metric(*state->store, options.metric);
    const ChunkSettings cut = settle_chunk_settings(*state->store, options, chunk_settings_of(state->options));
    state->options.chunk_tokens = cut.tokens;
    state->options.chunk_overlap = cut.overlap;
    state->options.chunker = cut.chunker;
    const Bm25Options bm25 = settle_bm25_settings(*state->store, options.bm25);
    state->indexes = std::make_unique<Indexes>(*state->store, options.vector_type, bm25);
    return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}

Engine::~Engine() {
    if (state_->fork_guard.in_child()) {
        // Closing here would touch locks and files of the parent: the child lets go of the memory and leaves the rest alone.
        static_cast<void>(state_.release());
        return;
    }
    try {
        close();
    } catch (const std::exception& error) {
        log(LogLevel::kError, "closing {}: {}", quote(state_->name, 400), error.what());
    }
}

void Engine::close() {
    state_->fork_guard.check("the engine");
    if (Call::is_under_way(*state_))
        fail(Code::kInvalidState, "the engine of {} is closed inside a call of its own, which would wait for itself",
             quote(state_->name, 400));
    const std::unique_lock lock(state_->closing);
    if (state_->closed) return;
    state_->closed = true;
    // The store is given up even if the files cannot be written: they are derived.
    const auto store = std::move(state_->store);
    const auto indexes = std::move(state_->indexes);
    indexes->stop();
    indexes->save(false);
    store->tidy();
}

namespace {

/// The calls that this thread is inside of, the outermost first.
struct UnderWay {
    const void* state = nullptr;
    bool writes = false;
};
std::vector<UnderWay>& calls_of_thread() {
    thread_local std::vector<UnderWay> calls;
    return calls;
}

}  // namespace

bool Engine::Call::is_under_way(const State& state) noexcept {
    return std::ranges::any_of(calls_of_thread(), [&](const UnderWay& call) { return call.state == &state; });
}

Engine::Call::Call(const Engine& engine) : state_(engine.state_.get()) {
    state_->fork_guard.check("the engine");
    // The outer call keeps the engine open; a shared mutex must not be taken twice by one thread.
    if (!is_under_way(*state_)) lock_ = std::shared_lock(state_->closing);
    if (state_->closed) fail(Code::kInvalidState, "the engine of {} is closed", quote(state_->name, 400));
    calls_of_thread().push_back({state_});
}

Engine::Call::~Call() {
    calls_of_thread().pop_back();
}

std::unique_lock<std::mutex> Engine::Call::write() const {
    auto& calls = calls_of_thread();
    if (std::ranges::any_of(calls, [&](const UnderWay& call) { return call.state == state_ && call.writes; })) {
        fail(Code::kInvalidState, "a write to {} is begun inside another one, which would wait for itself",
             quote(state_->name, 400));
    }
    std::unique_lock turn(state_->writing);
    calls.back().writes = true;
    return turn;
}

}  // namespace rag::core
