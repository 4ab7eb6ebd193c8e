// From the caller's documents to what the store and the indexes take: checked, hashed, cut into chunks, embedded. Nothing here
// changes the knowledge base. Thread rule: a Preparation is used by one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "engine/engine.hpp"
#include "model/encoder.hpp"
#include "store/view.hpp"
#include "text/chunk.hpp"

namespace rag::core {

/// A document that passed all checks. `input` is the caller's; id and metadata are ours. `stored`: what has this id already, with
/// its chunks; whoever prepares it for an upsert sets that.
struct CheckedDocument {
    const DocumentInput* input = nullptr;
    std::string id;
    std::string metadata;
    ContentHash hash{};
    std::optional<DocumentHead> stored;
    std::vector<StoredChunk> stored_chunks;
    bool keep_chunks = true;  // false: what is stored is damaged, so that nothing of it is kept
};

struct PreparedChunk {
    ChunkPlace place;
    std::string title_path;
    ContentHash hash{};
    std::optional<StoredChunk> kept;  // the stored chunk that is the same: it has its vector and its postings
    std::vector<float> vector;        // of a new chunk; empty: none
};
struct PreparedDocument {
    const CheckedDocument* document = nullptr;
    std::vector<PreparedChunk> chunks;
};

/// Of a document that librag cuts; see hashed_settings().
ContentHash cut_hash(const std::string& settings, const DocumentInput& input);

class Preparation {
  public:
    /// `options`: with the chunk length that holds. `dimension`: of the stored vectors, 0 if there are none yet. `metric`: that
    /// they are compared by.
    Preparation(const EngineOptions& options, std::size_t dimension, Metric metric);

    /// Checks all documents by themselves and against each other; kInvalidArgument or kAlreadyExists names the first that is
    /// wrong.
    std::vector<CheckedDocument> check(std::span<const DocumentInput> documents, const Progress& progress);
    /// One document by itself.
    CheckedDocument check_one(const DocumentInput& input, const std::string& name);
    /// Chunks, and vectors of those that are not stored yet. `progress` counts documents.
    std::vector<PreparedDocument> prepare(std::span<const CheckedDocument> documents, const Progress& progress) const;

    /// Chunks without vectors, as a new document is cut. `document` needs input and id.
    std::vector<PreparedChunk> chunks(const CheckedDocument& document, const Progress& progress) const;
    /// What the embedder reads of a chunk.
    std::string embedded_text(const DocumentInput& input, const ChunkPlace& place, std::string_view title_path) const;
    /// [texts, the embedder's dimension], as chunks are embedded; every number is finite. `progress` counts texts.
    std::vector<float> embed(const std::vector<std::string>& texts, const Progress& progress) const;
    /// Whether the embedder reads all of such a text.
    bool fits(std::string_view text) const;
    ContentHash hash(const DocumentInput& input) const;
    /// What the embedder is for all that this embeds, whatever is set meanwhile; empty: no embedder.
    const std::string& fingerprint() const noexcept { return moment_.fingerprint(); }
    const Encoder::Moment& moment() const noexcept { return moment_; }

    /// Of vectors given or made so far; 0: none.
    std::size_t dimension() const noexcept { return dimension_; }
    Metric metric() const noexcept { return metric_; }
    void set_metric(Metric metric) noexcept { metric_ = metric; }

  private:
    void check_vector(std::span<const float> vector, const std::string& name);
    void check_chunks(const DocumentInput& input, const std::string& name);
    static std::vector<PreparedChunk> given_chunks(const DocumentInput& input);
    void keep_stored(std::vector<PreparedChunk>& chunks, const CheckedDocument& document) const;
    std::string embedded_heading(std::string_view title, std::string_view title_path) const;
    void embed_new(std::span<PreparedDocument> documents, const Progress& progress) const;

    const EngineOptions& options_;
    Encoder::Moment moment_;
    std::size_t dimension_;
    Metric metric_;
    std::size_t text_tokens_ = 0;  // that the embedder takes, without special ones; 0: no embedder
    std::size_t chunk_tokens_ = 0;
    std::string settings_;  // what chunks and vectors depend on besides the document
    TokenCounter count_;
};

}  // namespace rag::core
