// Adding, replacing and removing documents. Order of a write: check everything; embed (no lock that a search waits for); put the
// chunks into the indexes under keys that no search will show yet; one SQLite transaction; then take what was replaced out of the
// indexes. So a search sees either the old state or the new one, and a crash leaves one of them on disk.
#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "core/error.hpp"
#include "core/polled.hpp"
#include "core/utf8.hpp"
#include "engine/engine_state.hpp"
#include "engine/prepare.hpp"
#include "search/metadata_filter.hpp"

namespace rag::core {
namespace {

// Bytes of text in one transaction, whatever the number of documents.
constexpr std::size_t kBatchBytes = std::size_t{64} << 20;

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// What one transaction will do with a prepared document.
struct Step {
    const PreparedDocument* prepared = nullptr;
    std::int64_t first_key = 0;  // of its new chunks
};

/// Writes batches of documents for one call of add or upsert.
class Writer {
  public:
    using OpenState = std::function<void(StoreView&)>;
    Writer(Store& store, Indexes& indexes, const EngineOptions& options, const Progress& progress, bool replace)
        : store_(store), indexes_(indexes), options_(options), progress_(progress), replace_(replace) {}

    void run(std::span<const DocumentInput> documents, std::size_t batch_documents, std::vector<std::string>& ids) {
        Preparation preparation(options_, stored_dimension_now());
        const auto checked = preparation.check(documents, progress_);
        if (!replace_) check_new(checked);
        require_vectors(checked);
        total_ = checked.size();
        for (std::size_t at = 0; at < checked.size();) {
            const auto batch = std::span(checked).subspan(at, batch_size(checked, at, batch_documents));
            write_batch(batch, preparation);
            for (const auto& document : batch) ids.push_back(document.id);
            at += batch.size();
            done_ = at;
            report(progress_, done_, total_);
        }
    }

  private:
    std::size_t stored_dimension_now() {
        auto view = store_.read();
        return stored_dimension(view);
    }

    void check_new(const std::vector<CheckedDocument>& documents) {
        auto view = store_.read();
        for (const auto& document : documents) {
            if (document.input->id && view.find_head(document.id))
                fail(Code::kAlreadyExists, "document {} exists already", quote(document.id));
        }
    }

    /// A document without a vector in a knowledge base that an embedder made would be invisible to half of the searches.
    void require_vectors(const std::vector<CheckedDocument>& documents) {
        if (options_.embedder) return;
        auto view = store_.read();
        if (!view.meta("embedder")) return;
        for (const auto& document : documents) {
            if (!document.input->vector.empty()) continue;
            fail(Code::kInvalidState, "document {} has no vector, and the engine was opened without the embedder {}",
                 quote(document.id), view.meta("embedder_name").value_or("(unknown)"));
        }
    }

    static std::size_t batch_size(const std::vector<CheckedDocument>& documents, std::size_t from, std::size_t limit) {
        std::size_t count = 0;
        for (std::size_t bytes = 0; from + count < documents.size() && count < limit; ++count) {
            bytes += documents[from + count].input->text.size();
            if (count > 0 && bytes > kBatchBytes) break;
        }
        return count;
    }

    /// Documents of the batch that are not stored just so, with what is stored; those of which only source, language or metadata
    /// changed go to `attributes`.
    std::vector<CheckedDocument> changed_of(std::span<const CheckedDocument> batch, std::vector<CheckedDocument>& attributes) {
        std::vector<CheckedDocument> changed;
        auto view = store_.read();
        for (const auto& document : batch) {
            auto head = replace_ ? view.find_head(document.id) : std::nullopt;
            const bool same = head && head->hash == document.hash;
            if (same && head->metadata == document.metadata && head->source == document.input->source &&
                head->language == document.input->language) {
                continue;
            }
            auto& out = (same ? attributes : changed).emplace_back(document);
            out.stored = std::move(head);
            if (!same && out.stored) out.stored_chunks = view.stored_chunks(out.stored->key);
        }
        return changed;
    }

    void write_batch(std::span<const CheckedDocument> batch, const Preparation& preparation) {
        std::vector<CheckedDocument> attributes;
        const auto changed = changed_of(batch, attributes);
        const Progress in_all = [this](std::uint64_t done, std::uint64_t) {
            return !progress_ || progress_(done_ + done, total_);
        };
        const auto prepared = preparation.prepare(changed, in_all);
        std::vector<Step> steps;
        const Progress no_count = [this](std::uint64_t, std::uint64_t) { return !progress_ || progress_(done_, total_); };
        const NewChunks chunks = plan(prepared, steps, no_count);
        if (!chunks.keys.empty()) indexes_.add(chunks, preparation.dimension(), no_count);
        std::vector<std::int64_t> outdated;
        try {
            outdated = commit(steps, attributes, chunks.embedded.empty() ? 0 : preparation.dimension());
        } catch (...) {
            indexes_.remove(chunks.keys);
            throw;
        }
        indexes_.remove(outdated);
    }

    /// Gives the new chunks their keys. Nobody else can take them: this engine is the only writer, and `writing` is held.
    NewChunks plan(const std::vector<PreparedDocument>& prepared, std::vector<Step>& steps, const Progress& progress) {
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
                chunks.titles.emplace_back(input.title);
                chunks.texts.emplace_back(input.text.substr(chunk.place.start, chunk.place.stop - chunk.place.start));
                if (chunk.vector.empty()) continue;
                chunks.embedded.push_back(key);
                chunks.vectors.insert(chunks.vectors.end(), chunk.vector.begin(), chunk.vector.end());
            }
        }
        return chunks;
    }

    /// Returns the keys of chunks that are not stored any more.
    std::vector<std::int64_t> commit(const std::vector<Step>& steps, const std::vector<CheckedDocument>& attributes,
                                     std::size_t dimension) {
        std::vector<std::int64_t> outdated;
        if (steps.empty() && attributes.empty()) return outdated;
        const std::int64_t now = now_ms();
        auto transaction = store_.write();
        if (dimension != 0) set_vectors_meta(transaction, dimension);
        for (const auto& document : attributes) {
            transaction.update_attributes(document.stored->key, document.input->source, document.input->language,
                                          document.metadata, now);
        }
        for (const Step& step : steps) store_document(transaction, step, now, outdated);
        transaction.commit();
        return outdated;
    }

    static void store_document(WriteTransaction& transaction, const Step& step, std::int64_t now,
                               std::vector<std::int64_t>& outdated) {
        const CheckedDocument& document = *step.prepared->document;
        const DocumentInput& input = *document.input;
        const NewDocument row{document.id,
                              input.title,
                              input.text,
                              input.source,
                              input.language,
                              document.metadata,
                              document.hash,
                              document.stored ? document.stored->created_ms : now,
                              now};
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
    static void make_room(WriteTransaction& transaction, const Step& step, std::vector<std::int64_t>& outdated) {
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

    void set_vectors_meta(WriteTransaction& transaction, std::size_t dimension) {
        if (!transaction.meta("dimension")) transaction.set_meta("dimension", std::to_string(dimension));
        if (!options_.embedder || transaction.meta("embedder")) return;
        transaction.set_meta("embedder", options_.embedder->fingerprint());
        transaction.set_meta("embedder_name", options_.embedder->describe());
    }

    Store& store_;
    Indexes& indexes_;
    const EngineOptions& options_;
    const Progress& progress_;
    const bool replace_;
    std::uint64_t done_ = 0;
    std::uint64_t total_ = 0;
};

}  // namespace

void Engine::write(std::span<const DocumentInput> documents, const WriteOptions& options, bool replace,
                   std::vector<std::string>& ids) {
    const Call call(*this);
    if (call->options.read_only) fail(Code::kReadOnly, "{} is open read-only", quote(call->name, 400));
    ids.clear();
    const std::lock_guard writing(call->writing);
    {
        auto view = call->store->read();
        call->check_embedder(view);
    }
    std::size_t batch = options.batch_documents;
    if (batch == 0) batch = call->embeds() ? 128 : 1024;
    run_polled(options.progress, [&](const Progress& progress) {
        Writer(*call->store, *call->indexes, call->options, progress, replace).run(documents, batch, ids);
    });
}

void Engine::add(std::span<const DocumentInput> documents, const WriteOptions& options, std::vector<std::string>& ids) {
    write(documents, options, false, ids);
}

void Engine::upsert(std::span<const DocumentInput> documents, const WriteOptions& options, std::vector<std::string>& ids) {
    write(documents, options, true, ids);
}

std::uint64_t Engine::remove(std::span<const std::string_view> ids, std::optional<std::string_view> where) {
    const Call call(*this);
    if (ids.empty() && !where)
        fail(Code::kInvalidArgument, "nothing says which documents to delete: give ids, or where, or both");
    if (call->options.read_only) fail(Code::kReadOnly, "{} is open read-only", quote(call->name, 400));
    std::optional<MetadataFilter> filter;
    if (where) filter.emplace(*where);
    for (const auto id : ids) require_utf8(id, "an id to delete");
    const std::lock_guard writing(call->writing);
    std::vector<std::int64_t> documents;
    std::vector<std::int64_t> chunks;
    {
        auto transaction = call->store->write();
        if (ids.empty()) {
            transaction.each_metadata([&](std::int64_t document, std::string_view metadata) {
                if (filter->matches(metadata)) documents.push_back(document);
            });
        }
        for (const auto id : std::unordered_set<std::string_view>(ids.begin(), ids.end())) {
            const auto head = transaction.find_head(id);
            if (head && (!filter || filter->matches(transaction.find_document(id)->metadata))) documents.push_back(head->key);
        }
        for (const std::int64_t document : documents) {
            const auto keys = transaction.remove_document(document);
            chunks.insert(chunks.end(), keys.begin(), keys.end());
        }
        if (!documents.empty()) transaction.commit();
    }
    call->indexes->remove(chunks);
    return documents.size();
}

std::vector<std::optional<StoredDocument>> Engine::get(std::span<const std::string_view> ids) const {
    const Call call(*this);
    std::vector<std::optional<StoredDocument>> out;
    out.reserve(ids.size());
    auto view = call->store->read();
    for (const auto id : ids) {
        auto row = view.find_document(id);
        if (!row) {
            out.emplace_back();
            continue;
        }
        out.emplace_back(StoredDocument{std::move(row->id), std::move(row->text), std::move(row->title), std::move(row->metadata),
                                        row->created_ms, row->updated_ms, view.chunks_of(row->key).size(), std::move(row->source),
                                        std::move(row->language)});
    }
    return out;
}

std::uint64_t Engine::count() const {
    const Call call(*this);
    return static_cast<std::uint64_t>(call->store->read().counts().documents);
}

}  // namespace rag::core
