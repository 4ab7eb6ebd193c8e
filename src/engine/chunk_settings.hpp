// How the chunks of a knowledge base are cut, kept in the database since the first document that it cut: an engine that is opened
// without settings of its own goes on with them, so that an upsert of an unchanged text finds it unchanged. Thread rule: plain
// functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "engine/engine.hpp"
#include "store/store.hpp"

namespace rag::core {

struct ChunkSettings {
    std::size_t tokens = 0;
    std::size_t overlap = 0;
    ChunkerKind chunker = ChunkerKind::kAuto;
    bool embedder_tokens = false;  // else words

    bool operator==(const ChunkSettings&) const = default;
    /// "254 tokens, 0 shared, chunker 0", for messages.
    std::string text() const;
};

/// Those of an engine whose chunk length is decided.
ChunkSettings chunk_settings_of(const EngineOptions& options);
/// kCorrupt for what is none; nothing where no document was cut yet.
std::optional<ChunkSettings> stored_chunk_settings(StoreView& view);
void store_chunk_settings(WriteTransaction& transaction, const ChunkSettings& settings);

/// `decided`: what an engine would do that knows nothing of the base. Where the caller left all to librag, the stored settings
/// take its place, if they count in the same units; where he did not, and they differ, that is logged: documents that are written
/// again are cut anew.
ChunkSettings settle_chunk_settings(Store& store, const EngineOptions& options, const ChunkSettings& decided);

}  // namespace rag::core
