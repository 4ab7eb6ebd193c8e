// How the chunks of a knowledge base are cut, kept in the database since the first document that it cut: an engine that is opened
// without settings of its own goes on with them, so that an upsert of an unchanged text finds it unchanged. Thread rule: plain
// functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "engine/engine.hpp"
#include "store/store.hpp"

namespace rag::core {

struct ChunkSettings {
    std::size_t tokens = 0;
    std::size_t overlap = 0;
    ChunkerKind chunker = ChunkerKind::kAuto;
    bool embedder_tokens = false;  // else words
    // What a caller asked for, in the same units, before it had to fit an embedder that takes less; 0: left to librag.
    std::size_t chosen_tokens = 0;
    std::size_t chosen_overlap = 0;

    bool operator==(const ChunkSettings&) const = default;
    bool cuts_as(const ChunkSettings& other) const;
    /// "254 tokens, 0 shared, chunker 0", for messages.
    std::string text() const;
};

/// Those of an engine whose chunk length is decided.
ChunkSettings chunk_settings_of(const EngineOptions& options);
void set_chunk_settings(EngineOptions& options, const ChunkSettings& settings);
/// kCorrupt for what is none; nothing where no document was cut yet.
std::optional<ChunkSettings> stored_chunk_settings(StoreView& view);
void store_chunk_settings(WriteTransaction& transaction, const ChunkSettings& settings);

/// The longest text in tokens that the embedder takes as a chunk. kUnsupported: none.
std::size_t longest_chunk_of(const Encoder& embedder);
/// The chunk length of an engine with these options, after all checks.
std::size_t decide_chunk_tokens(const EngineOptions& options);
/// Whether they name a chunk length beyond what their embedder takes.
bool asks_too_long(const EngineOptions& options);
/// Of such options, for a base whose caller chose just this length before it went over to an embedder that takes less: as long as
/// that one takes, as re-embedding cut it. Any other base: throws as decide_chunk_tokens.
ChunkSettings fit_chosen_settings(StoreView& view, const EngineOptions& options);
/// Those of a knowledge base that goes over to `embedder`: what a caller chose (by `current` of an engine with an embedder, else
/// as it is stored), no longer than the embedder takes; where nobody chose, what a new one with this embedder would have.
ChunkSettings chunk_settings_for(const Encoder& embedder, StoreView& view, const EngineOptions& current);

/// What the hash of a document says of how it is cut and embedded. `fingerprint`: of the embedder, where chunks are counted in
/// its tokens.
std::string hashed_settings(const ChunkSettings& settings, std::string_view fingerprint);

/// `decided`: what an engine would do that knows nothing of the base. Where the caller left all to librag, the stored settings
/// take its place, if they count in the same units; where he did not, and they differ, that is logged: documents that are written
/// again are cut anew.
ChunkSettings settle_chunk_settings(Store& store, const EngineOptions& options, const ChunkSettings& decided);

}  // namespace rag::core
