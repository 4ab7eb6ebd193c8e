// rag::Engine: a knowledge base. Documents go in, hits and cited answers come out. Any thread at any time.
//
//   rag::Engine engine("my-knowledge");
//   engine.add({{"faq-1", "Returns are accepted within 30 days."}});
//   for (const rag::Hit& hit : engine.search("how long can I return?")) std::cout << hit.text << '\n';
#pragma once

#include <rag/bm25.hpp>
#include <rag/error.hpp>
#include <rag/generate.hpp>
#include <rag/index.hpp>
#include <rag/model.hpp>
#include <rag/search.hpp>
#include <rag/text.hpp>

#include <cstddef>
#include <optional>
#include <vector>

namespace rag {

struct EngineOptions {
    bool read_only = false;
    const Encoder* embedder = nullptr;     ///< the engine keeps the model alive, not this object
    const Generator* generator = nullptr;  ///< needed for ask()
    std::uint32_t chunk_tokens = 0;        ///< 0: the embedder's limit, or 200 words
    std::uint32_t chunk_overlap = 0;
    Dtype vector_dtype = Dtype::kInt8;  ///< of the vector index: kInt8 or kFloat32
    Chunker chunker = Chunker::kAuto;
    const Classifier* reranker = nullptr;  ///< of one label; needed for Query::rerank
    /// While opening brings an older format to this one, in documents; a stop leaves the older one as it was.
    Progress progress = nullptr;
    /// Of the knowledge base's BM25 index; none: those that it keeps, or the defaults. See rag_engine_options.
    std::optional<Bm25IndexOptions> bm25 = std::nullopt;
    /// How vectors are compared; none: as the knowledge base says, a new one by cosine. It keeps that of its first vector.
    std::optional<Metric> metric = std::nullopt;
    bool accept_loss = false;  ///< opens a base that lost acknowledged commits with its log; see rag_engine_options
};

/// Models for an engine that runs; null: none. What is not given stays.
struct EngineModels {
    std::optional<const Encoder*> embedder = std::nullopt;
    std::optional<const Classifier*> reranker = std::nullopt;
    std::optional<const Generator*> generator = std::nullopt;
};

struct StoredDocument {
    std::string id, text, title, metadata;
    std::int64_t created_ms = 0, updated_ms = 0;  ///< Unix time
    std::uint64_t chunks = 0;
    std::string source, language;
};

enum class ChangeKind : std::uint32_t { kAdded = RAG_CHANGE_ADDED, kUpdated = RAG_CHANGE_UPDATED, kRemoved = RAG_CHANGE_REMOVED };

struct Change {
    ChangeKind kind = ChangeKind::kAdded;
    std::uint64_t sequence = 0;  ///< of the transaction
    std::string id;              ///< of the document
};

struct Changes {
    std::vector<Change> changes;
    std::uint64_t next = 0;  ///< where to go on
    std::uint64_t last = 0;  ///< the last change that there is
};

/// A sentence of an answer and the span of a passage that supports it; bytes.
struct Citation {
    std::uint64_t start = 0, end = 0;          ///< in Answer::text
    std::size_t hit = 0;                       ///< in Answer::hits
    std::uint64_t hit_start = 0, hit_end = 0;  ///< in that hit's text
    float score = 0;
};

struct Answer {
    std::string text;
    std::vector<Citation> citations;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> unsupported;  ///< sentences that nothing supports; bytes in text
    std::vector<Hit> hits;
    Usage usage;
};

struct AskOptions {
    std::uint32_t k = 5;
    SearchMode mode = SearchMode::kAuto;
    std::string where;
    GenerateOptions generation;
};

namespace detail {

inline std::uint32_t engine_metric(Metric metric) noexcept {
    switch (metric) {
        case Metric::kInnerProduct:
            return RAG_ENGINE_METRIC_IP;
        case Metric::kL2:
            return RAG_ENGINE_METRIC_L2;
        default:
            return RAG_ENGINE_METRIC_COSINE;
    }
}

/// The functions of one export; what they throw is kept until the call is over.
struct ExportBridge {
    const std::function<bool(std::string_view)>* line;
    const Progress& progress;
    const std::function<bool(std::string_view, std::string_view)>& on_damaged;
    std::exception_ptr error;
    template <typename Function>
    int ask(const Function& function) noexcept {
        try {
            return function() ? 0 : 1;
        } catch (...) {
            error = std::current_exception();
            return 1;
        }
    }
    static int take(rag_text text, void* user_data) noexcept {
        auto* self = static_cast<ExportBridge*>(user_data);
        return self->ask([&] { return (*self->line)(detail::view(text)); });
    }
    static int report(std::uint64_t done, std::uint64_t total, void* user_data) noexcept {
        auto* self = static_cast<ExportBridge*>(user_data);
        return self->ask([&] { return self->progress(done, total); });
    }
    static int leave_out(rag_text id, rag_text problem, void* user_data) noexcept {
        auto* self = static_cast<ExportBridge*>(user_data);
        return self->ask([&] { return self->on_damaged(detail::view(id), detail::view(problem)); });
    }
};

}  // namespace detail

class Engine {
  public:
    /// In memory.
    Engine() : Engine(std::string_view(), EngineOptions{}) {}
    /// In the folder `path` (made if it is not there); empty: in memory.
    explicit Engine(std::string_view path, const EngineOptions& options = {}) {
        rag_engine_options c_options = RAG_ENGINE_OPTIONS_INIT;
        c_options.read_only = options.read_only ? 1 : 0;
        c_options.embedder = options.embedder != nullptr ? options.embedder->handle() : nullptr;
        c_options.generator = options.generator != nullptr ? options.generator->handle() : nullptr;
        c_options.chunk_tokens = options.chunk_tokens;
        c_options.chunk_overlap = options.chunk_overlap;
        c_options.vector_dtype = static_cast<std::uint32_t>(options.vector_dtype);
        c_options.chunker = static_cast<std::uint32_t>(options.chunker);
        c_options.reranker = options.reranker != nullptr ? options.reranker->handle() : nullptr;
        detail::ProgressBridge bridge(options.progress);
        c_options.progress = bridge.function();
        c_options.user_data = bridge.data();
        c_options.accept_loss = options.accept_loss ? 1 : 0;
        rag_bm25_index_options bm25 = RAG_BM25_INDEX_OPTIONS_INIT;
        if (options.bm25) {
            bm25 = detail::to_c(*options.bm25);
            c_options.bm25 = &bm25;
        }
        if (options.metric) c_options.metric = detail::engine_metric(*options.metric);
        rag_engine* handle = nullptr;
        const rag_text folder = path.empty() ? rag_text{nullptr, 0} : detail::text(path);
        const rag_status status = rag_engine_open(folder, &c_options, &handle);
        bridge.rethrow();
        detail::check(status);
        handle_.reset(handle);
    }
    rag_engine* handle() const noexcept { return handle_.get(); }
    void close() { detail::check(rag_engine_close(handle_.get())); }

    /// The ids, in order. batch_documents 0: librag chooses. See rag_engine_add for what is checked and what a stop keeps.
    std::vector<std::string> add(const std::vector<Document>& documents, const Progress& progress = nullptr,
                                 std::uint32_t batch_documents = 0) {
        return write(&rag_engine_add, documents, progress, batch_documents);
    }
    /// Replaces documents whose id exists; chunks that did not change are not embedded again, an equal document costs nothing.
    std::vector<std::string> upsert(const std::vector<Document>& documents, const Progress& progress = nullptr,
                                    std::uint32_t batch_documents = 0) {
        return write(&rag_engine_upsert, documents, progress, batch_documents);
    }
    /// Deletes by id; how many there were. Stopped by `progress` (in documents) it deletes nothing.
    std::uint64_t remove(const std::vector<std::string>& ids, const Progress& progress = nullptr) {
        if (ids.empty()) return 0;
        return remove_matching(ids, std::string_view(), progress);
    }
    /// Deletes what matches a JSON filter over metadata.
    std::uint64_t remove_where(std::string_view where, const Progress& progress = nullptr) {
        return remove_matching({}, where, progress);
    }

    /// In this order; nothing where an id is unknown. `progress` is asked while documents are read and copied.
    std::vector<std::optional<StoredDocument>> get(const std::vector<std::string>& ids,
                                                   const Progress& progress = nullptr) const {
        const auto views = to_c(ids);
        rag_documents* raw = nullptr;
        detail::ProgressBridge bridge(progress);
        const rag_status status =
            rag_engine_get(handle_.get(), views.data(), views.size(), bridge.function(), bridge.data(), &raw);
        bridge.rethrow();
        detail::check(status);
        const detail::Handle<rag_documents, rag_documents_free> owner(raw);
        std::vector<std::optional<StoredDocument>> out(rag_documents_count(raw));
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (progress && out.size() > 1 && !progress(i, out.size())) throw Error(RAG_STOPPED, "stopped by the caller");
            rag_document_view view = RAG_DOCUMENT_VIEW_INIT;
            detail::check(rag_documents_at(raw, i, &view));
            if (view.found == 0) continue;
            out[i] = StoredDocument{detail::copy(view.id),
                                    detail::copy(view.text),
                                    detail::copy(view.title),
                                    detail::copy(view.metadata),
                                    view.created_ms,
                                    view.updated_ms,
                                    view.chunks,
                                    detail::copy(view.source),
                                    detail::copy(view.language)};
        }
        return out;
    }
    std::uint64_t count() const {
        std::uint64_t count = 0;
        detail::check(rag_engine_count(handle_.get(), &count));
        return count;
    }

    std::vector<Hit> search(std::string_view text, std::uint32_t k = 10) const {
        Query query;
        query.text = std::string(text);
        query.k = k;
        return search(query);
    }
    /// `progress` is asked without counts, on this thread; a stop is an rag::Error of RAG_STOPPED.
    std::vector<Hit> search(const Query& query, const Progress& progress = nullptr) const {
        rag_query c_query = detail::to_c(query);
        detail::ProgressBridge bridge(progress);
        c_query.progress = bridge.function();
        c_query.user_data = bridge.data();
        rag_hits* raw = nullptr;
        const rag_status status = rag_engine_search(handle_.get(), &c_query, &raw);
        bridge.rethrow();
        detail::check(status);
        const detail::Handle<rag_hits, rag_hits_free> owner(raw);
        return detail::from_c(raw);
    }

    /// Many searches at once: texts are embedded together, searches run on `threads` (0: as many as the process may use).
    std::vector<std::vector<Hit>> search(const std::vector<Query>& queries, std::uint32_t threads = 0,
                                         const Progress& progress = nullptr) const {
        std::vector<rag_query> c_queries;
        c_queries.reserve(queries.size());
        for (const Query& query : queries) c_queries.push_back(detail::to_c(query));
        detail::ProgressBridge bridge(progress);
        rag_search_batch_options options = RAG_SEARCH_BATCH_OPTIONS_INIT;
        options.threads = threads;
        options.progress = bridge.function();
        options.user_data = bridge.data();
        std::vector<rag_hits*> raw(queries.size(), nullptr);
        const rag_status status =
            rag_engine_search_batch(handle_.get(), c_queries.data(), c_queries.size(), &options, raw.data());
        std::vector<detail::Handle<rag_hits, rag_hits_free>> owners(raw.begin(), raw.end());
        bridge.rethrow();
        detail::check(status);
        std::vector<std::vector<Hit>> out;
        out.reserve(raw.size());
        for (const rag_hits* hits : raw) out.push_back(detail::from_c(hits));
        return out;
    }

    /// Adds links, all or none; one with the same ends and type gets the new weight.
    void link(const std::vector<Link>& links) {
        const auto c_links = to_c(links);
        detail::check(rag_engine_link(handle_.get(), c_links.data(), c_links.size()));
    }
    /// Removes links; an empty type stands for every type. How many there were.
    std::uint64_t unlink(const std::vector<Link>& links) {
        const auto c_links = to_c(links);
        std::uint64_t removed = 0;
        detail::check(rag_engine_unlink(handle_.get(), c_links.data(), c_links.size(), &removed));
        return removed;
    }
    /// Of these documents and their chunks; of no ids: all.
    std::vector<Link> links(const std::vector<std::string>& ids = {}) const {
        const auto views = to_c(ids);
        rag_links* raw = nullptr;
        detail::check(rag_engine_links(handle_.get(), views.data(), views.size(), &raw));
        const detail::Handle<rag_links, rag_links_free> owner(raw);
        std::vector<Link> out(rag_links_count(raw));
        for (std::size_t i = 0; i < out.size(); ++i) {
            rag_link link = RAG_LINK_INIT;
            detail::check(rag_links_at(raw, i, &link));
            out[i] = {detail::copy(link.source), detail::copy(link.target), detail::copy(link.type), link.weight};
        }
        return out;
    }

    /// Streams through options.generation.on_token; a stopped answer is given as far as it got.
    Answer ask(std::string_view question, const AskOptions& options = {}) const {
        const detail::GenerateBridge bridge(options.generation);
        rag_ask_options c_options = RAG_ASK_OPTIONS_INIT;
        c_options.k = options.k;
        c_options.mode = static_cast<std::uint32_t>(options.mode);
        c_options.where = options.where.empty() ? rag_text{nullptr, 0} : detail::text(options.where);
        c_options.generation = bridge.options();
        rag_answer* raw = nullptr;
        const rag_status status = rag_engine_ask(handle_.get(), detail::text(question), &c_options, &raw);
        const detail::Handle<rag_answer, rag_answer_free> owner(raw);
        bridge.rethrow();
        detail::check_or_stopped(status);
        return take(raw);
    }

    /// JSON.
    std::string stats() const {
        rag_string* json = nullptr;
        detail::check(rag_engine_stats(handle_.get(), &json));
        return detail::take(json);
    }
    /// True if everything stored agrees; `report` (may be null): JSON.
    bool verify(std::string* report = nullptr, const Progress& progress = nullptr) const {
        std::int32_t ok = 0;
        rag_string* json = nullptr;
        detail::ProgressBridge bridge(progress);
        const rag_status status = rag_engine_verify(handle_.get(), bridge.function(), bridge.data(), &ok, &json);
        std::string text = detail::take(json);
        bridge.rethrow();
        detail::check(status);
        if (report != nullptr) *report = std::move(text);
        return ok != 0;
    }
    /// Gives back the space of deleted documents and makes each index one segment.
    void compact(const Progress& progress = nullptr) {
        detail::ProgressBridge bridge(progress);
        const rag_status status = rag_engine_compact(handle_.get(), bridge.function(), bridge.data());
        bridge.rethrow();
        detail::check(status);
    }

    /// Embeds all chunks with another embedder, which the engine then has; meanwhile, on other threads, searches and writes go
    /// on. Returns what it did as JSON; after the commit `progress` is not called any more. See rag_engine_reembed.
    std::string reembed(const Encoder& embedder, const Progress& progress = nullptr) {
        rag_string* report = nullptr;
        detail::ProgressBridge bridge(progress);
        const rag_status status = rag_engine_reembed(handle_.get(), embedder.handle(), bridge.function(), bridge.data(), &report);
        std::string text = detail::take(report);
        if (status == RAG_OK) return text;  // committed: what the callback threw meanwhile came too late
        bridge.rethrow();
        detail::check(status);
        return text;
    }
    /// Another model from the next call on; null: none. An embedder must be the one that made the vectors.
    void set_embedder(const Encoder* embedder) {
        detail::check(rag_engine_set_embedder(handle_.get(), embedder != nullptr ? embedder->handle() : nullptr));
    }
    void set_reranker(const Classifier* reranker) {
        detail::check(rag_engine_set_reranker(handle_.get(), reranker != nullptr ? reranker->handle() : nullptr));
    }
    void set_generator(const Generator* generator) {
        detail::check(rag_engine_set_generator(handle_.get(), generator != nullptr ? generator->handle() : nullptr));
    }
    /// Several at one moment: a failure of one leaves all as they were.
    void use(const EngineModels& models) {
        rag_engine_models raw RAG_ENGINE_MODELS_INIT;
        const auto take = [&raw](const auto& given, rag_engine_part part, auto& out) {
            if (!given) return;
            raw.parts |= static_cast<std::uint32_t>(part);
            out = *given != nullptr ? (*given)->handle() : nullptr;
        };
        take(models.embedder, RAG_PART_EMBEDDER, raw.embedder);
        take(models.reranker, RAG_PART_RERANKER, raw.reranker);
        take(models.generator, RAG_PART_GENERATOR, raw.generator);
        detail::check(rag_engine_use(handle_.get(), &raw));
    }

    /// What a copy of the state `since` has to do to follow; go on from `next` until it equals `last`. limit 0: 1,000.
    Changes changes(std::uint64_t since = 0, std::uint64_t limit = 0) const {
        rag_changes* raw = nullptr;
        detail::check(rag_engine_changes(handle_.get(), since, limit, &raw));
        const detail::Handle<rag_changes, rag_changes_free> owner(raw);
        Changes out;
        out.next = rag_changes_next(raw);
        out.last = rag_changes_last(raw);
        out.changes.reserve(rag_changes_count(raw));
        for (std::size_t i = 0; i < rag_changes_count(raw); ++i) {
            rag_change change = RAG_CHANGE_INIT;
            detail::check(rag_changes_at(raw, i, &change));
            out.changes.push_back({static_cast<ChangeKind>(change.kind), change.sequence, detail::copy(change.id)});
        }
        return out;
    }
    /// The last commit as a knowledge base of its own in a new folder, which appears when it is whole. A damaged document is an
    /// error that names it.
    void backup(std::string_view path, const Progress& progress = nullptr) const {
        detail::ProgressBridge bridge(progress);
        const rag_status status = rag_engine_backup(handle_.get(), detail::text(path), bridge.function(), bridge.data());
        bridge.rethrow();
        detail::check(status);
    }
    /// Takes a damaged document's id (none: links) and what is wrong with it; false stops.
    using OnDamaged = std::function<bool(std::string_view id, std::string_view problem)>;
    /// All documents as lines of JSON into a file, which appears when it is whole; how many. Without vectors, import embeds anew.
    /// A damaged document is an error that names it, or goes to `on_damaged` and is left out.
    std::uint64_t export_file(std::string_view path, bool vectors = true, const Progress& progress = nullptr,
                              const OnDamaged& on_damaged = nullptr) const {
        return export_to(detail::text(path), nullptr, vectors, progress, on_damaged);
    }
    /// The same to a function, which returns false to stop and may throw.
    std::uint64_t export_lines(const std::function<bool(std::string_view)>& line, bool vectors = true,
                               const OnDamaged& on_damaged = nullptr) const {
        return export_to({nullptr, 0}, &line, vectors, nullptr, on_damaged);
    }
    /// Upserts the documents of such a file; how many. A bad line is named by its number; whole batches before it stay.
    std::uint64_t import_file(std::string_view path, const Progress& progress = nullptr, std::uint32_t batch_documents = 0) {
        detail::ProgressBridge bridge(progress);
        rag_import_options options = RAG_IMPORT_OPTIONS_INIT;
        options.batch_documents = batch_documents;
        options.progress = bridge.function();
        options.user_data = bridge.data();
        std::uint64_t count = 0;
        const rag_status status = rag_engine_import(handle_.get(), detail::text(path), &options, &count);
        bridge.rethrow();
        detail::check(status);
        return count;
    }

  private:
    std::uint64_t export_to(rag_text path, const std::function<bool(std::string_view)>* line, bool vectors,
                            const Progress& progress, const OnDamaged& on_damaged) const {
        detail::ExportBridge bridge{line, progress, on_damaged, nullptr};
        rag_export_options options = RAG_EXPORT_OPTIONS_INIT;
        options.no_vectors = vectors ? 0 : 1;
        if (line != nullptr) options.line = &detail::ExportBridge::take;
        if (progress) options.progress = &detail::ExportBridge::report;
        if (on_damaged) options.on_damaged = &detail::ExportBridge::leave_out;
        options.user_data = &bridge;
        std::uint64_t count = 0;
        const rag_status status = rag_engine_export(handle_.get(), path, &options, &count);
        if (bridge.error) std::rethrow_exception(bridge.error);
        detail::check(status);
        return count;
    }

    using WriteFunction = rag_status (*)(rag_engine*, const rag_document*, std::size_t, const rag_write_options*, rag_strings**);

    static std::vector<rag_text> to_c(const std::vector<std::string>& texts) {
        std::vector<rag_text> views;
        views.reserve(texts.size());
        for (const auto& text : texts) views.push_back(detail::text(text));
        return views;
    }
    static std::vector<rag_link> to_c(const std::vector<Link>& links) {
        std::vector<rag_link> out;
        out.reserve(links.size());
        for (const Link& link : links) out.push_back(detail::to_c(link));
        return out;
    }
    static rag_text optional(const std::string& text) { return text.empty() ? rag_text{nullptr, 0} : detail::text(text); }

    std::vector<std::string> write(WriteFunction function, const std::vector<Document>& documents, const Progress& progress,
                                   std::uint32_t batch_documents) {
        std::vector<rag_document> c_documents;
        c_documents.reserve(documents.size());
        for (const auto& document : documents) {
            rag_document c_document = RAG_DOCUMENT_INIT;
            c_document.id = optional(document.id);
            c_document.text = detail::text(document.text);
            c_document.title = optional(document.title);
            c_document.metadata = optional(document.metadata);
            c_document.source = optional(document.source);
            c_document.language = optional(document.language);
            c_document.kind = static_cast<std::uint32_t>(document.kind);
            c_document.vector = document.vector.empty() ? nullptr : document.vector.data();
            c_document.dimension = static_cast<std::uint32_t>(document.vector.size());
            c_documents.push_back(c_document);
        }
        detail::ProgressBridge bridge(progress);
        rag_write_options options = RAG_WRITE_OPTIONS_INIT;
        options.batch_documents = batch_documents;
        options.progress = bridge.function();
        options.user_data = bridge.data();
        rag_strings* raw = nullptr;
        const rag_status status = function(handle_.get(), c_documents.data(), c_documents.size(), &options, &raw);
        const detail::Handle<rag_strings, rag_strings_free> owner(raw);
        bridge.rethrow();
        detail::check(status);
        std::vector<std::string> ids;
        ids.reserve(rag_strings_count(raw));
        for (std::size_t i = 0; i < rag_strings_count(raw); ++i) ids.push_back(detail::copy(rag_strings_at(raw, i)));
        return ids;
    }
    std::uint64_t remove_matching(const std::vector<std::string>& ids, std::string_view where, const Progress& progress) {
        const auto views = to_c(ids);
        std::uint64_t deleted = 0;
        const rag_text filter = where.empty() ? rag_text{nullptr, 0} : detail::text(where);
        detail::ProgressBridge bridge(progress);
        const rag_status status =
            rag_engine_delete(handle_.get(), views.data(), views.size(), filter, bridge.function(), bridge.data(), &deleted);
        bridge.rethrow();
        detail::check(status);
        return deleted;
    }
    static Answer take(const rag_answer* raw) {
        Answer out;
        out.text = detail::copy(rag_answer_text(raw));
        out.hits = detail::from_c(rag_answer_hits(raw));
        for (std::size_t i = 0; i < rag_answer_citation_count(raw); ++i) {
            rag_citation citation = RAG_CITATION_INIT;
            detail::check(rag_answer_citation_at(raw, i, &citation));
            out.citations.push_back(
                {citation.start, citation.end, citation.hit, citation.hit_start, citation.hit_end, citation.score});
        }
        for (std::size_t i = 0; i < rag_answer_unsupported_count(raw); ++i) {
            std::uint64_t start = 0;
            std::uint64_t end = 0;
            detail::check(rag_answer_unsupported_at(raw, i, &start, &end));
            out.unsupported.emplace_back(start, end);
        }
        rag_usage usage = RAG_USAGE_INIT;
        detail::check(rag_answer_usage(raw, &usage));
        out.usage = detail::from_c(usage);
        return out;
    }

    detail::Handle<rag_engine, rag_engine_free> handle_;
};

}  // namespace rag
