// What an open engine holds, for the files of this folder alone.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <utility>

#include "core/fork_guard.hpp"
#include "engine/chunk_settings.hpp"
#include "engine/engine.hpp"
#include "engine/filter_cache.hpp"
#include "engine/indexes.hpp"
#include "engine/known_words.hpp"
#include "model/classifier.hpp"
#include "model/decoder.hpp"
#include "model/encoder.hpp"
#include "store/store.hpp"

namespace rag::core {

/// The embedder that serves, with what is known of it. `encoder` null: none.
struct EmbedderInUse {
    explicit EmbedderInUse(std::shared_ptr<const Encoder> embedder) : encoder(std::move(embedder)) {}
    const std::shared_ptr<const Encoder> encoder;
    std::once_flag known_words_once;
    std::optional<KnownWords> known_words;  // since it was first asked
};

/// kInvalidArgument unless it is null or gives one score a pair.
void check_reranker(const Classifier* reranker);

struct Engine::State {
    /// Its models and chunk settings change under `writing` and `models` (see models()): who holds one of them may read.
    EngineOptions options;
    ForkGuard fork_guard;
    std::string name;           // for messages
    std::shared_mutex closing;  // shared: a call is under way
    bool closed = false;        // guarded by closing
    std::mutex writing;         // held by the one that writes

    // Gone when closed. The indexes refer to the store.
    std::unique_ptr<Store> store;
    std::unique_ptr<Indexes> indexes;
    FilterCache filters;
    std::mutex reembedding;                     // held by the one that re-embeds
    std::mutex exchanging;                      // held while vectors, indexes and embedder are exchanged for others
    std::atomic<bool> ending{false};            // close() waits
    std::atomic<std::int64_t> vectors_from{0};  // a writer's: which vectors the indexes are of, see kVectorsFromMeta
    mutable std::mutex models;                  // see options; guards in_use
    std::shared_ptr<EmbedderInUse> in_use;

    /// kInvalidArgument if the embedder (may be null) is not (any more) the one that made the stored vectors. `view` tells which
    /// that was.
    void check_embedder(StoreView& view, const Encoder* embedder) const;
    void check_embedder(StoreView& view, const Encoder* embedder, const std::string& fingerprint) const;
    /// Holding `writing`.
    bool embeds() const { return options.embedder != nullptr; }
    std::shared_ptr<EmbedderInUse> embedder_in_use() const {
        const std::lock_guard lock(models);
        return in_use;
    }
    EngineOptions options_now() const {
        const std::lock_guard lock(models);
        return options;
    }
    /// A state to search and the embedder that belongs to it. While vectors are exchanged it waits.
    std::pair<StoreSnapshot, std::shared_ptr<EmbedderInUse>> settled_view();
    /// At one moment. Holding `writing` where the embedder is among them, which comes with `settings`.
    void use_models(ModelChange change, const ChunkSettings& settings);
    ChunkSettings settings_with(const Encoder* embedder);
};

/// Every entry of Engine begins with one: it refuses after fork() and after close(), and keeps close() waiting. A callback may
/// call the engine again; what would wait for itself there, closing and a write inside a write, is refused.
class Engine::Call {
  public:
    explicit Call(const Engine& engine);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    State* operator->() const { return state_; }
    State& operator*() const { return *state_; }
    /// The turn to write, for as long as it is held and this call lasts. kInvalidState: this thread has it already.
    [[nodiscard]] std::unique_lock<std::mutex> write() const;
    /// Whether this thread is inside a call of this engine.
    static bool is_under_way(const State& state) noexcept;

  private:
    State* state_;
    std::shared_lock<std::shared_mutex> lock_;  // of the outermost call of this thread
};

}  // namespace rag::core
