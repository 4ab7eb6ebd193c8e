// All chunks of a knowledge base embedded with another model. catch_up() does the work beside searches and writers: it cuts and
// embeds documents into a VectorStage, one batch after another, and again those that were written meanwhile. exchange() is one
// transaction over all that. Which model serves is for the caller (engine_reembed.cpp).
//
// A document's hash tells by which settings it was cut, if by those of the base: it is then cut as the new embedder wants, which
// for one with the same tokenizer gives the same chunks. Chunks that came with the document, or were cut by settings that are not
// known, stay as they are. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "engine/chunk_settings.hpp"
#include "engine/indexes.hpp"
#include "engine/prepare.hpp"
#include "store/vector_stage.hpp"

namespace rag::core {

struct ReembedCounts {
    std::uint64_t documents = 0, chunks = 0;  // in the end
    std::uint64_t embedded = 0;               // chunks, by this call
    std::uint64_t taken_over = 0;             // documents that a call before had done
    std::uint64_t cut_anew = 0;               // documents that have other chunks than before
    std::uint64_t cut_short = 0;              // chunks that the embedder read the beginning of, by this call
};

class Reembedding {
  public:
    /// `present`: as the engine serves now; `next`: the same with the new embedder, and the chunk settings that come with it.
    Reembedding(Store& store, Indexes& indexes, const EngineOptions& present, const EngineOptions& next);

    /// Documents that were written since the last round, or all; returns how many they were. `progress` counts documents.
    std::uint64_t catch_up(const Progress& progress);
    /// Everything is staged and nobody writes. `commit` is called with what ends the transaction and brings the new indexes; it
    /// has to make them one moment for searches.
    void exchange(const std::function<void(const std::function<void()>& end, std::int64_t vectors_from)>& commit,
                  const Progress& progress);
    /// What is staged is not needed any more.
    void discard() { stage_.discard(); }
    const ReembedCounts& counts() const noexcept { return counts_; }

  private:
    struct Source;
    struct Planned;
    std::string origin() const;
    void require_same_model() const;
    [[noreturn]] void fail_changed() const;
    std::optional<Source> read(std::int64_t key) const;
    std::optional<TextKind> known_kind(const Source& source) const;
    Planned plan(Source&& source, const Progress& progress);
    void stage_batch(std::vector<Planned>& batch, const Progress& progress);
    void apply(WriteTransaction& transaction, const StagedDocument& document, std::int64_t& next_key);

    Store& store_;
    Indexes& indexes_;
    const EngineOptions& next_;
    const Metric metric_;
    Preparation preparation_;
    const std::string fingerprint_;            // of all that preparation_ embeds
    std::vector<std::string> known_settings_;  // by which documents of this base were cut, see hashed_settings()
    VectorStage stage_;
    Pace pace_;
    std::int64_t seen_ = 0;  // the state that was caught up with
    ReembedCounts counts_;
};

}  // namespace rag::core
