// Opening and closing, and the check that begins every call.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/error.hpp"
#include "core/log.hpp"
#include "core/polled.hpp"
#include "engine/bm25_settings.hpp"
#include "engine/chunk_settings.hpp"
#include "engine/engine_state.hpp"
#include "engine/metric_setting.hpp"
#include "store/vector_stage.hpp"

namespace rag::core {
namespace {

bool is_there(const std::optional<std::filesystem::path>& folder) {
    std::error_code ignored;
    return folder && std::filesystem::exists(*folder / "knowledge.sqlite3", ignored);
}

/// A re-embedding that was interrupted has left its work, and one that was killed at its very end what nobody needs.
void tell_of_stage(Store& store, StoreView& view) {
    if (store.in_memory() || store.read_only()) return;
    const auto origin = VectorStage::origin_in(store.folder());
    if (!origin) return;
    const auto made_by = view.meta("embedder");
    // Up to where Reembedding::origin() goes on: with an adapter a model's name is longer, and it is another model.
    if (made_by && origin->starts_with(*made_by + " [")) {
        VectorStage::remove_from(store.folder());
        return;
    }
    log(LogLevel::kInfo,
        "a re-embedding of {} was interrupted: re-embedding it with the same model goes on where it was; {} may be deleted",
        quote(store.name(), 400), VectorStage::kName);
}

}  // namespace

void check_reranker(const Classifier* reranker) {
    if (reranker == nullptr || reranker->labels().size() == 1) return;
    fail(Code::kInvalidArgument, "a reranker gives one score a pair, {} has {} labels", reranker->describe(),
         reranker->labels().size());
}

void Engine::State::check_embedder(StoreView& view, const Encoder* embedder) const {
    if (embedder != nullptr) check_embedder(view, embedder, embedder->fingerprint());
}

void Engine::State::check_embedder(StoreView& view, const Encoder* embedder, const std::string& fingerprint) const {
    constexpr const char* kNext = "open it with that one, or without an embedder, and re-embed it with this one";
    const auto stored = view.meta("embedder");
    if (stored && *stored != fingerprint) {
        fail(Code::kInvalidArgument, "the vectors of {} were made by {} [{}], the embedder given is {} [{}]: {}",
             quote(name, 400), view.meta("embedder_name").value_or("(unknown)"), *stored, embedder->describe(), fingerprint,
             kNext);
    }
    const std::size_t dimension = stored_dimension(view);
    if (dimension != 0 && dimension != static_cast<std::size_t>(embedder->dimension())) {
        fail(Code::kInvalidArgument, "the vectors of {} have {} dimensions, the embedder {} makes {}: {}", quote(name, 400),
             dimension, embedder->describe(), embedder->dimension(), kNext);
    }
}

std::unique_ptr<Engine> Engine::open(const EngineOptions& options) {
    // Refused before anything is made. Only a base that is there knows whether the length was chosen for a longer embedder.
    const bool ask_base = is_there(options.path) && asks_too_long(options);
    const std::size_t chunk_tokens = ask_base ? options.chunk_tokens : decide_chunk_tokens(options);
    check_reranker(options.reranker.get());
    auto state = std::make_unique<State>();
    state->options = options;
    state->options.chunk_tokens = chunk_tokens;
    state->options.chosen_chunk_tokens = options.chunk_tokens;
    state->options.chosen_chunk_overlap = options.chunk_overlap;
    state->options.progress = nullptr;  // the caller's, for this call
    state->options.bm25.reset();        // from here on what the indexes say
    state->options.metric.reset();      // and the store
    run_polled(options.progress, [&](const Progress& progress) {
        state->store = Store::open({options.path, options.read_only, progress, options.accept_loss});
    });
    state->name = state->store->name();
    {
        auto view = state->store->read();
        state->check_embedder(view, options.embedder.get());
        if (ask_base) set_chunk_settings(state->options, fit_chosen_settings(view, options));
        state->vectors_from = view.meta_number(kVectorsFromMeta).value_or(0);
        tell_of_stage(*state->store, view);
    }
    settle_metric(*state->store, options.metric);
    state->in_use = std::make_shared<EmbedderInUse>(options.embedder);
    set_chunk_settings(state->options, settle_chunk_settings(*state->store, options, chunk_settings_of(state->options)));
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
    state_->ending = true;  // a re-embedding, which takes hours, ends instead of keeping us waiting
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
