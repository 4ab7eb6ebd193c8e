#include "engine/writer.hpp"

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "core/error.hpp"
#include "core/log.hpp"
#include "engine/chunk_settings.hpp"
#include "engine/metric_setting.hpp"
#include "model/encoder.hpp"
#include "store/paced_files.hpp"

namespace rag::core {
namespace {

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::size_t dimension_of(Store& store) {
    auto view = store.read();
    return stored_dimension(view);
}

Metric metric_of(Store& store) {
    auto view = store.read();
    return stored_metric(view);
}

std::int64_t created_of(const CheckedDocument& document, std::int64_t now) {
    if (document.input->created_ms != 0) return document.input->created_ms;
    return document.stored ? document.stored->created_ms : now;
}

bool has_vectors(const DocumentInput& input) {
    if (!input.vector.empty()) return true;
    return !input.chunks.empty() &&
           std::all_of(input.chunks.begin(), input.chunks.end(), [](const ChunkInput& chunk) { return !chunk.vector.empty(); });
}

std::size_t batch_size(const std::vector<CheckedDocument>& documents, std::size_t from, std::size_t limit) {
    std::size_t count = 0;
    for (std::size_t bytes = 0; from + count < documents.size() && count < limit; ++count) {
        bytes += documents[from + count].input->text.size();
        if (count > 0 && bytes > kBatchBytes) break;
    }
    return count;
}

}  // namespace

/// What one transaction will do with a prepared document.
struct Writer::Step {
    const PreparedDocument* prepared = nullptr;
    std::int64_t first_key = 0;  // of its new chunks
};

Writer::Writer(Store& store, Indexes& indexes, const EngineOptions& options, const Progress& progress, bool replace)
    : store_(store),
      indexes_(indexes),
      options_(options),
      progress_(progress),
      replace_(replace),
      pace_(indexes.courtesy(), kWriterPatience),
      preparation_(options, dimension_of(store), metric_of(store)) {
    if (!options.embedder) return;
    origin_ = {preparation_.fingerprint(), options.embedder->describe()};
    // The engine has compared it, but an adapter may have come or gone since: from here on the embedder is one.
    const auto stored = store.read().meta("embedder");
    if (stored && *stored != origin_->fingerprint)
        fail(
            Code::kInvalidState,
            "an adapter of {} was set, merged or taken back while {} began to write: nothing was written; take it back and write "
            "again",
            origin_->name, quote(store.name(), 400));
}

void Writer::run(std::span<const DocumentInput> documents, std::size_t batch_documents, std::vector<std::string>& ids) {
    const auto checked = preparation_.check(documents, progress_);
    if (!replace_) check_new(checked);
    require_vectors(checked);
    total_ = checked.size();
    for (std::size_t at = 0; at < checked.size();) {
        const auto batch = std::span(checked).subspan(at, batch_size(checked, at, batch_documents));
        write_batch(batch);
        for (const auto& document : batch) ids.push_back(document.id);
        at += batch.size();
        done_ = at;
        report(progress_, done_, total_);
    }
}

void Writer::check_new(const std::vector<CheckedDocument>& documents) {
    auto view = store_.read();
    for (const auto& document : documents) {
        if (document.input->id && view.find_head(document.id))
            fail(Code::kAlreadyExists, "document {} exists already", quote(document.id));
    }
}

/// A document without a vector in a knowledge base that an embedder made would be invisible to half of the searches.
void Writer::require_vectors(std::span<const CheckedDocument> documents) {
    if (options_.embedder) return;
    auto view = store_.read();
    if (!view.meta("embedder")) return;
    for (const auto& document : documents) {
        if (has_vectors(*document.input)) continue;
        const auto head = replace_ ? view.find_head(document.id) : std::nullopt;
        if (head && is_kept(view, *head, document) && view.check_document(head->key).empty()) continue;
        fail(Code::kInvalidState, "document {} has no vector, and the engine was opened without the embedder {}",
             quote(document.id), view.meta("embedder_name").value_or("(unknown)"));
    }
}

/// Documents of the batch that are not stored just so, with what is stored; those of which only source, language or metadata
/// changed go to `attributes`.
std::vector<CheckedDocument> Writer::changed_of(std::span<const CheckedDocument> batch,
                                                std::vector<CheckedDocument>& attributes) {
    std::vector<CheckedDocument> changed;
    auto view = store_.read();
    for (const auto& document : batch) {
        auto head = replace_ ? view.find_head(document.id) : std::nullopt;
        const bool whole = head && is_whole(view, *head);
        const bool same = whole && (head->hash == document.hash || is_kept(view, *head, document));
        if (same && head->metadata == document.metadata && head->source == document.input->source &&
            head->language == document.input->language) {
            continue;
        }
        auto& out = (same ? attributes : changed).emplace_back(document);
        out.stored = std::move(head);
        if (same || !out.stored) continue;
        out.stored_chunks = view.stored_chunks(out.stored->key);
        out.keep_chunks = whole;
    }
    return changed;
}

/// Damage that the stored hash does not show. What is damaged is written anew as a whole: postings and vectors of its chunks may
/// have been made of it.
bool Writer::is_whole(StoreView& view, const DocumentHead& head) {
    const auto problems = view.check_document(head.key);
    if (!problems.empty()) log(LogLevel::kWarning, "{}; the upsert writes it anew", problems.front());
    return problems.empty();
}

/// Without the embedder of the knowledge base the settings of its hashes are unknown, and nothing could be cut or embedded anew:
/// the same title and text are then the same document.
bool Writer::is_kept(StoreView& view, const DocumentHead& head, const CheckedDocument& document) const {
    const DocumentInput& input = *document.input;
    if (options_.embedder || !input.vector.empty() || !input.chunks.empty() || !view.meta("embedder")) return false;
    const auto row = view.document_at(head.key);
    return row && row->title == input.title && row->text == input.text;
}

void Writer::write_batch(std::span<const CheckedDocument> batch) {
    std::vector<CheckedDocument> attributes;
    const auto changed = changed_of(batch, attributes);
    const Progress in_all = [this](std::uint64_t done, std::uint64_t) {
        pace_.give_way();
        return !progress_ || progress_(done_ + done, total_);
    };
    const auto prepared = preparation_.prepare(changed, in_all);
    std::vector<Step> steps;
    const Progress no_count = [this](std::uint64_t, std::uint64_t) {
        pace_.give_way();
        return !progress_ || progress_(done_, total_);
    };
    const NewChunks chunks = plan(prepared, steps, no_count);
    if (!chunks.keys.empty()) indexes_.add(chunks, preparation_.dimension(), preparation_.metric(), no_count);
    std::vector<std::int64_t> outdated;
    try {
        outdated = commit(steps, attributes, chunks.embedded.empty() ? 0 : preparation_.dimension());
    } catch (...) {
        indexes_.remove(chunks.keys);
        throw;
    }
    indexes_.remove(outdated);
}

/// Gives the new chunks their keys. Nobody else can take them: this engine is the only writer, and `writing` is held.
NewChunks Writer::plan(const std::vector<PreparedDocument>& prepared, std::vector<Step>& steps, const Progress& progress) {
    NewChunks chunks;
    if (prepared.empty()) return chunks;
    bool embedded = false;
    for (const auto& document : prepared) {
        for (const auto& chunk : document.chunks) embedded = embedded || !chunk.vector.empty();
    }
    std::int64_t key = indexes_.highest_key(embedded, progress);
    key = std::max(key, store_.read().last_chunk_key());
    for (const auto& document : prepared) {
        steps.push_back({&document, key + 1});
        const DocumentInput& input = *document.document->input;
        for (const auto& chunk : document.chunks) {
            if (chunk.kept) continue;
            chunks.keys.push_back(++key);
            chunks.titles.push_back(heading_of(input.title, chunk.title_path));
            chunks.texts.emplace_back(input.text.substr(chunk.place.start, chunk.place.stop - chunk.place.start));
            if (chunk.vector.empty()) continue;
            chunks.embedded.push_back(key);
            chunks.vectors.insert(chunks.vectors.end(), chunk.vector.begin(), chunk.vector.end());
        }
    }
    return chunks;
}

/// Returns the keys of chunks that are not stored any more.
std::vector<std::int64_t> Writer::commit(const std::vector<Step>& steps, const std::vector<CheckedDocument>& attributes,
                                         std::size_t dimension) {
    std::vector<std::int64_t> outdated;
    if (steps.empty() && attributes.empty()) return outdated;
    const std::int64_t now = now_ms();
    const PacedWrites paced(pace_);
    auto transaction = store_.write();
    if (metric_) store_metric(transaction, *metric_);
    if (dimension != 0) set_vectors_meta(transaction, dimension);
    keep_chunk_settings(transaction, steps);
    for (const auto& document : attributes) {
        transaction.update_attributes(document.stored->key, document.input->source, document.input->language, document.metadata,
                                      document.input->updated_ms != 0 ? document.input->updated_ms : now);
    }
    for (const Step& step : steps) store_document(transaction, step, now, outdated);
    indexes_.announce(outdated);
    transaction.commit();
    metric_.reset();
    return outdated;
}

void Writer::store_document(WriteTransaction& transaction, const Step& step, std::int64_t now,
                            std::vector<std::int64_t>& outdated) {
    const CheckedDocument& document = *step.prepared->document;
    const DocumentInput& input = *document.input;
    // In memory there is one connection for all: searches would wait for this transaction.
    if (!store_.in_memory()) pace_.give_way();
    const NewDocument row{document.id,
                          input.title,
                          input.text,
                          input.source,
                          input.language,
                          document.metadata,
                          document.hash,
                          created_of(document, now),
                          input.updated_ms != 0 ? input.updated_ms : now};
    std::int64_t document_key = 0;
    if (document.stored) {
        document_key = document.stored->key;
        transaction.update_document(document_key, row);
        make_room(transaction, step, outdated);
    } else {
        document_key = transaction.insert_document(row);
    }
    std::int64_t key = step.first_key;
    for (const auto& chunk : step.prepared->chunks) {
        if (chunk.kept) continue;
        transaction.insert_chunk(document_key, {key++, chunk.place, chunk.title_path, chunk.hash, chunk.vector});
    }
}

/// Removes the stored chunks that are not kept and puts those that are where they stand now.
void Writer::make_room(WriteTransaction& transaction, const Step& step, std::vector<std::int64_t>& outdated) {
    std::unordered_set<std::int64_t> kept;
    std::vector<std::pair<std::int64_t, ChunkPlace>> moved;
    for (const auto& chunk : step.prepared->chunks) {
        if (!chunk.kept) continue;
        kept.insert(chunk.kept->key);
        if (chunk.kept->place != chunk.place) moved.emplace_back(chunk.kept->key, chunk.place);
    }
    std::vector<std::int64_t> gone;
    for (const StoredChunk& chunk : step.prepared->document->stored_chunks) {
        if (!kept.contains(chunk.key)) gone.push_back(chunk.key);
    }
    transaction.remove_chunks(gone);
    transaction.move_chunks(moved);
    outdated.insert(outdated.end(), gone.begin(), gone.end());
}

/// With documents that are cut here; written only where the base keeps others.
void Writer::keep_chunk_settings(WriteTransaction& transaction, const std::vector<Step>& steps) {
    const bool cut = std::ranges::any_of(steps, [](const Step& step) {
        const DocumentInput& input = *step.prepared->document->input;
        return input.vector.empty() && input.chunks.empty();
    });
    if (!cut) return;
    const ChunkSettings settings = chunk_settings_of(options_);
    if (stored_chunk_settings(transaction) != settings) store_chunk_settings(transaction, settings);
}

void Writer::set_vectors_meta(WriteTransaction& transaction, std::size_t dimension) {
    if (!transaction.meta("dimension")) transaction.set_meta("dimension", std::to_string(dimension));
    if (!origin_ || transaction.meta("embedder")) return;
    transaction.set_meta("embedder", origin_->fingerprint);
    transaction.set_meta("embedder_name", origin_->name);
}

}  // namespace rag::core
