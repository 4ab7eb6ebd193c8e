#include "engine/reembedding.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>

#include "core/error.hpp"
#include "core/log.hpp"
#include "engine/metric_setting.hpp"
#include "model/encoder.hpp"
#include "store/paced_files.hpp"
#include "text/text_kind.hpp"

namespace rag::core {
namespace {

// Of one batch: what a kill costs, and enough for the embedder to fill its passes.
constexpr std::size_t kBatchDocuments = 64;
constexpr std::size_t kBatchChunks = 256;
constexpr std::size_t kBatchText = std::size_t{8} << 20;

std::optional<std::filesystem::path> folder_of(const Store& store) {
    if (store.in_memory()) return std::nullopt;
    return store.folder();
}

Metric metric_of_base(Store& store) {
    auto view = store.read();
    return stored_metric(view);
}

/// By which chunks of the same text are the same.
using ChunkName = std::tuple<std::size_t, std::size_t, std::string_view>;

}  // namespace

/// A document as it is stored.
struct Reembedding::Source {
    DocumentRow row;
    ContentHash hash{};
    std::vector<StoredChunk> chunks;
    std::vector<float> given;  // the vector of the only chunk, where it may have come with the document

    DocumentInput input() const {
        DocumentInput out;
        out.id = row.id;
        out.text = row.text;
        out.title = row.title;
        return out;
    }
};

/// How it will be, but for the vectors that are still to be made.
struct Reembedding::Planned {
    StagedDocument document;
    std::vector<std::string> texts;   // to be embedded
    std::vector<std::size_t> chunks;  // whose those are
};

Reembedding::Reembedding(Store& store, Indexes& indexes, const EngineOptions& present, const EngineOptions& next)
    : store_(store),
      indexes_(indexes),
      next_(next),
      metric_(metric_of_base(store)),
      preparation_(next, static_cast<std::size_t>(next.embedder->dimension()), metric_),
      fingerprint_(preparation_.fingerprint()),
      stage_(folder_of(store), origin(), static_cast<std::size_t>(next.embedder->dimension())),
      pace_(indexes.courtesy(), kUpkeepPatience) {
    auto view = store_.read();
    const std::string made_by = view.meta("embedder").value_or("");
    std::vector<ChunkSettings> settings = {chunk_settings_of(present)};
    if (const auto stored = stored_chunk_settings(view); stored && *stored != settings.front()) settings.push_back(*stored);
    for (const ChunkSettings& one : settings) known_settings_.push_back(hashed_settings(one, made_by));
    // What was written by an engine with this embedder before there was any vector.
    known_settings_.push_back(hashed_settings(chunk_settings_of(next), fingerprint_));
}

/// What a stage is good for. tell_of_stage() reads the embedder from it.
std::string Reembedding::origin() const {
    return fmt::format("{} [{}; {}]", fingerprint_, hashed_settings(chunk_settings_of(next_), {}), name_of(metric_));
}

std::optional<Reembedding::Source> Reembedding::read(std::int64_t key) const {
    auto view = store_.read();
    // Checksums are made anew at the end: what is damaged must not pass for whole afterwards. A vector is replaced in any case.
    if (const auto problems = view.check_document(key, false); !problems.empty()) {
        fail(Code::kCorrupt, "{} is damaged: {}; upsert this document anew or delete it, and re-embed again",
             quote(store_.name(), 400), problems.front());
    }
    auto row = view.document_at(key);
    if (!row) return std::nullopt;
    Source source;
    source.row = std::move(*row);
    source.hash = *view.document_hash_at(key);
    source.chunks = view.stored_chunks(key);
    const StoredChunk& first = source.chunks.front();
    const std::size_t dimension = stored_dimension(view);
    if (dimension != 0 && source.chunks.size() == 1 && first.embedded && first.place.stop == source.row.text.size()) {
        source.given.resize(dimension);
        if (!view.read_vector(first.key, source.given)) source.given.clear();
    }
    return source;
}

/// As what the document was cut, if it was by librag and settings that are known, or is one chunk because it came with a vector.
std::optional<TextKind> Reembedding::known_kind(const Source& source) const {
    DocumentInput input = source.input();
    for (const std::string& settings : known_settings_) {
        for (std::uint32_t kind = 0; kind < kTextKinds; ++kind) {
            input.kind = static_cast<TextKind>(kind);
            if (cut_hash(settings, input) == source.hash) return input.kind;
        }
    }
    if (!source.given.empty() && document_hash({}, input.title, input.text, source.given) == source.hash) return TextKind::kText;
    return std::nullopt;
}

Reembedding::Planned Reembedding::plan(Source&& source, const Progress& progress) {
    Planned planned;
    DocumentInput input = source.input();
    planned.document.key = source.row.key;
    planned.document.before = source.hash;
    std::vector<StagedChunk>& chunks = planned.document.chunks;
    const auto cut = known_kind(source);
    if (cut) {
        input.kind = *cut;
        CheckedDocument document;
        document.input = &input;
        document.id = source.row.id;
        for (PreparedChunk& chunk : preparation_.chunks(document, progress))
            chunks.push_back({chunk.place, std::move(chunk.title_path), chunk.hash, {}});
        planned.document.after = preparation_.hash(input);
    } else {
        for (const StoredChunk& chunk : source.chunks) {
            const auto text = std::string_view(source.row.text).substr(chunk.place.start, chunk.place.stop - chunk.place.start);
            chunks.push_back({chunk.place, chunk.title_path, chunk_hash(source.row.title, chunk.title_path, text, {}), {}});
        }
        // No settings: an upsert of this document cuts it anew, and embeds what then differs.
        planned.document.after = document_hash("as it was cut, embedded by " + fingerprint_, input.title, input.text, {});
    }
    // Of a document that was changed since it was staged, most chunks are often the same.
    std::map<ContentHash, const std::vector<float>*> made;
    const auto staged = stage_.find(source.row.key);
    if (staged) {
        for (const StagedChunk& chunk : staged->chunks) made.emplace(chunk.hash, &chunk.vector);
    }
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        if (const auto found = made.find(chunks[i].hash); found != made.end()) {
            chunks[i].vector = *found->second;
            continue;
        }
        planned.texts.push_back(preparation_.embedded_text(input, chunks[i].place, chunks[i].title_path));
        planned.chunks.push_back(i);
        if (!cut && !preparation_.fits(planned.texts.back())) ++counts_.cut_short;
    }
    return planned;
}

/// An adapter that is merged or taken back makes another model of the embedder: vectors of both would be mixed.
void Reembedding::require_same_model() const {
    if (next_.embedder->fingerprint() != fingerprint_) fail_changed();
}

void Reembedding::fail_changed() const {
    fail(Code::kInvalidState,
         "an adapter of {} was merged or taken back while {} was re-embedded: nothing was changed; re-embed again",
         next_.embedder->describe(), quote(store_.name(), 400));
}

/// Embeds what is missing and stages the batch. Its documents may be gone or changed by then: the next round sees that.
void Reembedding::stage_batch(std::vector<Planned>& batch, const Progress& progress) {
    std::vector<std::string> texts;
    for (Planned& planned : batch) {
        for (std::string& text : planned.texts) texts.push_back(std::move(text));
    }
    if (!texts.empty()) {
        std::vector<float> vectors;
        try {
            vectors = preparation_.embed(texts, progress);
        } catch (const Error& error) {
            if (error.code() == Code::kInvalidState && next_.embedder->changed_since(preparation_.moment())) fail_changed();
            throw;
        }
        const std::size_t dimension = vectors.size() / texts.size();
        auto from = vectors.begin();
        for (Planned& planned : batch) {
            for (const std::size_t chunk : planned.chunks) {
                planned.document.chunks[chunk].vector.assign(from, from + static_cast<std::ptrdiff_t>(dimension));
                from += static_cast<std::ptrdiff_t>(dimension);
            }
        }
    }
    require_same_model();
    std::vector<StagedDocument> documents;
    for (Planned& planned : batch) documents.push_back(std::move(planned.document));
    stage_.put(documents);
    counts_.embedded += texts.size();
    batch.clear();
}

std::uint64_t Reembedding::catch_up(const Progress& progress) {
    const bool first = seen_ == 0;
    std::int64_t state = 0;
    std::vector<std::int64_t> keys;
    {
        auto view = store_.read();
        state = view.sequence();
        keys = view.changed_documents(seen_);
    }
    std::vector<Planned> batch;
    std::size_t done = 0;
    std::size_t batch_chunks = 0;
    std::size_t batch_text = 0;
    const auto flush = [&] {
        const std::size_t waiting = batch.size();
        const Progress in_documents = [&](std::uint64_t texts, std::uint64_t of) {
            pace_.give_way();
            return !progress || progress(done + (of == 0 ? 0 : waiting * texts / of), keys.size());
        };
        stage_batch(batch, in_documents);
        done += waiting;
        batch_chunks = batch_text = 0;
    };
    for (const std::int64_t key : keys) {
        report(progress, done, keys.size());
        auto source = read(key);
        if (!source || stage_.has(key, source->hash)) {
            counts_.taken_over += source && first ? 1U : 0U;
            ++done;
            continue;
        }
        batch_text += source->row.text.size();
        const Progress within = [&](std::uint64_t, std::uint64_t) { return !progress || progress(done, keys.size()); };
        batch.push_back(plan(std::move(*source), within));
        batch_chunks += batch.back().texts.size();
        if (batch.size() >= kBatchDocuments || batch_chunks >= kBatchChunks || batch_text >= kBatchText) flush();
    }
    if (!batch.empty()) flush();
    seen_ = state;
    return keys.size();
}

/// Gives the document the staged chunks: those that are the same keep their key, and so their postings.
void Reembedding::apply(WriteTransaction& transaction, const StagedDocument& document, std::int64_t& next_key) {
    const auto stored = transaction.stored_chunks(document.key);
    std::multimap<ChunkName, const StoredChunk*> same;  // a caller may have given a chunk twice
    for (const StoredChunk& chunk : stored)
        same.emplace(ChunkName(chunk.place.start, chunk.place.stop, chunk.title_path), &chunk);
    std::vector<std::pair<std::int64_t, ChunkPlace>> moved;
    std::vector<const StagedChunk*> fresh;
    for (const StagedChunk& chunk : document.chunks) {
        const auto found = same.find(ChunkName(chunk.place.start, chunk.place.stop, chunk.title_path));
        if (found == same.end()) {
            fresh.push_back(&chunk);
            continue;
        }
        if (found->second->place != chunk.place) moved.emplace_back(found->second->key, chunk.place);
        transaction.set_vector(found->second->key, chunk.hash, chunk.vector);
        same.erase(found);
    }
    std::vector<std::int64_t> gone;
    for (const auto& [name, chunk] : same) gone.push_back(chunk->key);
    transaction.remove_chunks(gone);
    transaction.move_chunks(moved);
    for (const StagedChunk* chunk : fresh)
        transaction.insert_chunk(document.key, {next_key++, chunk->place, chunk->title_path, chunk->hash, chunk->vector});
    transaction.set_document_hash(document.key, document.after);
    counts_.cut_anew += fresh.empty() && gone.empty() ? 0U : 1U;
    counts_.chunks += document.chunks.size();
}

void Reembedding::exchange(const std::function<void(const std::function<void()>& end, std::int64_t vectors_from)>& commit,
                           const Progress& progress) {
    Indexes::Exchange indexes(indexes_, progress);
    const PacedWrites paced(pace_);
    auto transaction = store_.write();
    const auto keys = transaction.document_keys();
    std::int64_t next_key = std::max(indexes.highest_key(), transaction.last_chunk_key()) + 1;
    for (const std::int64_t key : keys) {
        report(progress, keys.size(), keys.size());
        const auto document = stage_.find(key);
        if (!document || document->before != *transaction.document_hash_at(key)) {
            fail(Code::kIo, "the vectors of document {} that wait in {} are damaged: nothing was changed; re-embed again",
                 quote(transaction.document_id(key).value_or("?")), VectorStage::kName);
        }
        apply(transaction, *document, next_key);
    }
    counts_.documents = keys.size();
    const auto dimension = static_cast<std::size_t>(next_.embedder->dimension());
    transaction.set_meta("dimension", std::to_string(dimension));
    transaction.set_meta("embedder", fingerprint_);
    transaction.set_meta("embedder_name", next_.embedder->describe());
    store_chunk_settings(transaction, chunk_settings_of(next_));
    const std::int64_t from = transaction.raise_sequence();  // also where there is no document
    transaction.set_meta(kVectorsFromMeta, std::to_string(from));
    const auto former = transaction.drop_file("vector");
    indexes.build(transaction, dimension, from, counts_.cut_anew > 0, progress);
    report(progress, keys.size(), keys.size());
    require_same_model();
    commit(
        [&] {
            transaction.commit();
            indexes.finish();
        },
        from);
    if (!former) return;
    std::error_code error;  // it is not listed any more: the next opening deletes it
    std::filesystem::remove(store_.folder() / former->name, error);
}

}  // namespace rag::core
