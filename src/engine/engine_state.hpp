// What an open engine holds, for the files of this folder alone.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>

#include "core/fork_guard.hpp"
#include "engine/engine.hpp"
#include "engine/filter_cache.hpp"
#include "engine/indexes.hpp"
#include "engine/known_words.hpp"
#include "model/classifier.hpp"
#include "model/decoder.hpp"
#include "model/encoder.hpp"
#include "store/store.hpp"

namespace rag::core {

struct Engine::State {
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
    std::once_flag known_words_once;
    std::optional<KnownWords> known_words;  // of the embedder, since it was first asked

    /// kInvalidState if the embedder is not (any more) the one that made the stored vectors. `view` tells which that was.
    void check_embedder(StoreView& view) const;
    bool embeds() const { return options.embedder != nullptr; }
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
