// The core engine: documents in, hits and cited answers out. Composition only: store/ keeps the truth, index/ finds, model/
// embeds, search/ filters and fuses, generate/ answers; this folder says in which order, so that what was acknowledged is durable
// and what is derived can always be made again.
//
// Thread rule: any thread at any time. Searches go on while one thread writes; writers wait for one another; close() waits for
// the calls that are under way. Process rule: one process writes, any number read the last commit. After fork(): kInvalidState.
// State after failure: unchanged, unless a function says otherwise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/cancel.hpp"
#include "index/bm25/bm25_index.hpp"
#include "index/vector/rows.hpp"
#include "search/fusion.hpp"
#include "store/view.hpp"
#include "text/chunk.hpp"

namespace rag::core {

class Classifier;
class Decoder;
class Encoder;
struct Answer;
struct AskOptions;
struct SearchRun;

struct EngineOptions {
    std::optional<std::filesystem::path> path;  // a folder; none: in memory
    std::shared_ptr<const Encoder> embedder;    // null: no vectors but those that callers give
    std::shared_ptr<Decoder> generator;         // null: ask() is kInvalidState
    /// Of one label, which scores a query beside a chunk; null: Query::rerank is kInvalidState.
    std::shared_ptr<const Classifier> reranker;
    bool read_only = false;
    /// Longest chunk in tokens of the embedder, or in words without one. 0: what the embedder takes, at most 254; or 200 words.
    /// Where this, chunk_overlap and chunker are left as they are here, those that the knowledge base keeps hold.
    std::size_t chunk_tokens = 0;
    std::size_t chunk_overlap = 0;  // below chunk_tokens
    /// Set by open(): what this caller, or one before, gave as the two, 0 for what was left to librag. An embedder that takes
    /// less makes chunks shorter than that, and one that takes more makes them so long again.
    std::size_t chosen_chunk_tokens = 0, chosen_chunk_overlap = 0;
    /// Of the vector index: kInt8 builds and walks graphs over int8 codes, which is faster, and scores what it finds in float32.
    VectorType vector_type = VectorType::kInt8;
    ChunkerKind chunker = ChunkerKind::kAuto;
    /// How vectors are compared; none: as the knowledge base says, a new one by cosine. See metric_setting.hpp.
    std::optional<Metric> metric;
    /// While opening brings an older format to this one: in documents, on the calling thread, every 50 ms. Stopped: the knowledge
    /// base is as it was.
    Progress progress = nullptr;
    /// See StoreOptions.
    bool accept_loss = false;
    /// None: those of the knowledge base; see bm25_settings.hpp.
    std::optional<Bm25Options> bm25;
};

/// Models for an engine that runs; null: none. What is not given stays.
struct ModelChange {
    std::optional<std::shared_ptr<const Encoder>> embedder = std::nullopt;
    std::optional<std::shared_ptr<const Classifier>> reranker = std::nullopt;
    std::optional<std::shared_ptr<Decoder>> generator = std::nullopt;
};

inline constexpr std::size_t kMaxIdBytes = 1024;
inline constexpr std::size_t kMaxSourceBytes = std::size_t{8} << 10;
inline constexpr std::size_t kMaxLanguageTagBytes = 64;
inline constexpr std::size_t kMaxTitleBytes = std::size_t{64} << 10;
inline constexpr std::size_t kMaxDocumentBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxQueryBytes = std::size_t{1} << 20;

/// A chunk that came with its document: bytes [start, stop) of the text, in the section [parent_start, parent_stop). Views.
struct ChunkInput {
    std::size_t start = 0, stop = 0, parent_start = 0, parent_stop = 0;
    std::string_view title_path;
    std::span<const float> vector;  // made by the embedder of the knowledge base; empty: it is made now, if there is one
};

/// A document to store. Views must last for the call.
struct DocumentInput {
    std::optional<std::string_view> id;  // none: a random one of 32 hexadecimal digits
    std::string_view text;
    std::string_view title;
    std::string_view metadata;                    // a JSON object, or empty
    std::span<const float> vector;                // of the whole text, which then stays one chunk; empty: the embedder's
    std::string_view source;                      // where it came from, such as a URI; may be empty
    std::string_view language;                    // such as "en", "zh-Hans"; may be empty
    std::span<const ChunkInput> chunks;           // how the text was cut; empty: it is cut now. Not beside a vector
    std::int64_t created_ms = 0, updated_ms = 0;  // Unix time; 0: now (of a stored document: when it was created)
    TextKind kind = TextKind::kText;  // how chunks are cut; not kept: give it again when the document is written again
};

struct WriteOptions {
    std::size_t batch_documents = 0;  // a transaction; 0: 1,024, or 128 where the engine embeds
    Progress progress;                // in documents; on the calling thread, every 50 ms
};

struct ExportOptions {
    bool vectors = true;  // and how texts were cut; without them, import cuts and embeds anew
    Progress progress;    // in documents
    /// Takes the id of a document that is damaged (a checksum, a page that cannot be read) and what is wrong, and says whether to
    /// go on without it; also links that cannot be read, under no id. Null: the first one is kCorrupt.
    std::function<bool(std::string_view id, std::string_view problem)> on_damaged;
};

struct ImportOptions {
    std::size_t batch_documents = 0;  // a transaction; 0: as WriteOptions
    Progress progress;                // in bytes of the file
};

struct StoredDocument {
    std::string id, text, title, metadata;
    std::int64_t created_ms = 0, updated_ms = 0;  // Unix time
    std::uint64_t chunks = 0;
    std::string source, language;
};

/// Numbers of rag_search_mode.
enum class SearchMode : std::uint32_t { kAuto = 0, kHybrid = 1, kVector = 2, kBm25 = 3 };

/// What surrounds a hit: nothing, the chunks before and after it, the section that holds it.
enum class Expand : std::uint32_t { kNone = 0, kNeighbours = 1, kSection = 2 };

/// Of offset + k, and of candidates.
inline constexpr std::size_t kMaxResults = 100'000;
inline constexpr std::size_t kMaxNeighbours = 1000;
/// Chunks that a reranker reads for one query: it takes milliseconds for each.
inline constexpr std::size_t kMaxReranked = 1000;

/// Views must last for the call.
struct Query {
    std::string_view text;
    std::span<const float> vector;  // empty: the embedder's, of the text
    std::size_t k = 10;
    SearchMode mode = SearchMode::kAuto;
    std::optional<std::string_view> where;  // see search/metadata_filter.hpp
    bool explain = false;
    FusionOptions fusion;  // of hybrid; its vector_weight falls where the embedder does not know the words, see known_words.hpp
    /// The first hit wanted, for pages: offset + k is at most kMaxResults. Pages of one ranking are cut from it as long as the
    /// content does not change and `candidates` is the same; 0 stands for 100, 1,000, 10,000 or 100,000, the first that holds the
    /// page.
    std::size_t offset = 0;
    std::size_t candidates = 0;  // that each scorer gives to fusion, diversity and links; 0: as said, never fewer than the page
    float diversity = 0;         // [0, 1]: how much a hit loses by being like an earlier one (see search/diversity.hpp)
    /// Not 0: k counts documents, with at most so many hits each, which stand together; documents by their best hit.
    std::size_t group_hits = 0;
    Expand expand = Expand::kNone;
    std::size_t neighbours = 1;  // of Expand::kNeighbours: chunks on each side, at most 1,000
    float link_weight = 0;       // [0, 1]: of the links' part in the score; 0: links are not looked at
    float link_damping = 0.85F;  // [0, 1): the chance that a walk goes on over a link
    float min_score = std::numeric_limits<float>::lowest();  // hits below are left out
    /// Not 0: the reranker reads so many of the best chunks (never fewer than the page), and hits are those of them, by its
    /// score.
    std::size_t rerank = 0;
    /// kLanguage: the text is read by query_parser.hpp. Hits are then those that it matches (and what links lead to from them),
    /// also in a hybrid search; embedder and reranker read its words without the signs. kInvalidArgument in a vector search.
    Bm25Syntax syntax = Bm25Syntax::kPlain;
    bool highlight = false;  // fills Hit::highlights
};

/// A chunk that was found.
struct Hit {
    std::string id;  // the document's id, '#', and the chunk's number
    std::string document_id, text, title, metadata;
    std::uint64_t start = 0, end = 0;  // bytes: text is the document's text from start to end
    float score = 0;                   // higher is better; comparable within one search only
    float vector_score = 0;  // by the metric: cosine, inner product, -(squared distance); NaN where the vector had no part
    float bm25_score = 0;    // NaN where BM25 had no part
    std::string explain;     // JSON, if asked for
    std::string title_path;  // headings above the chunk, joined by " > "
    std::string context;     // the text around it, if expansion was asked for
    std::uint64_t context_start = 0, context_end = 0;
    std::vector<std::uint64_t> highlights;  // [n, 2]: bytes of text that the query's words hit, ascending; if asked for
};

/// An edge between documents (by id) or chunks (by a hit's id, such as "report#3"). A hit's id always means its chunk; "id#" is
/// the document `id`, whatever it looks like, and so are documents named whose id reads like one of these.
struct Link {
    std::string source, target;
    std::string type;
    double weight = 1;  // above 0
};

struct SearchBatchOptions {
    std::size_t threads = 0;  // 0: as many as the process may use
    Progress progress;        // in queries; on the calling thread, every 50 ms
};

struct VerifyReport {
    bool ok = false;
    std::string json;  // {"ok", "problems": [...], "rebuilt": [...], "documents", "chunks", "embeddings"}
};

class Engine {
  public:
    /// Errors: as Store::open, and kInvalidArgument for an embedder other than the one that made the vectors (both are named),
    /// for another metric than that of its vectors, for chunks longer than the embedder takes, for an overlap that is not below
    /// them.
    static std::unique_ptr<Engine> open(const EngineOptions& options);
    /// Closes if need be; errors are logged. In the child of a fork nothing is touched.
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Writes the derived files and closes; later calls are kInvalidState. Twice is fine. After a failure it is closed too: what
    /// could not be written is made again at the next open.
    void close();

    /// All documents are checked before the first is stored: kAlreadyExists (an id that is there, or stands twice),
    /// kInvalidArgument (text, title, id, metadata, vector), each naming the document. `ids` gets the ids of what is stored, in
    /// order; after Stopped or another failure it has those of whole batches that stay.
    void add(std::span<const DocumentInput> documents, const WriteOptions& options, std::vector<std::string>& ids);
    /// As add, but what has the same id is replaced: chunks that did not change are neither embedded nor indexed again, and what
    /// is equal costs nothing.
    void upsert(std::span<const DocumentInput> documents, const WriteOptions& options, std::vector<std::string>& ids);
    /// Removes the documents with these ids (none: any) that match `where` (none: any); kInvalidArgument without both. Returns
    /// how many there were. One transaction: stopped by `progress` (in documents, every 50 ms), it removes nothing.
    std::uint64_t remove(std::span<const std::string_view> ids, std::optional<std::string_view> where,
                         const Progress& progress = {});

    /// In the order of the ids; nothing where there is no such document. `progress`: in documents, every 50 ms; of a single one
    /// nobody is asked.
    std::vector<std::optional<StoredDocument>> get(std::span<const std::string_view> ids, const Progress& progress = {}) const;
    std::uint64_t count() const;

    /// The k best chunks that match; fewer only where fewer match. kInvalidArgument: the query; kInvalidState: a vector search
    /// without vectors, or without an embedder for a text.
    /// Polls `progress` without counts, on the calling thread, several times in 100 ms; Stopped by it.
    std::vector<Hit> search(const Query& query, const Progress& progress = {}) const;

    /// The same for many queries at once: texts are embedded together, searches run on threads. Each finds what search() finds.
    /// kInvalidArgument and kInvalidState name the query by its number; Stopped by the progress.
    std::vector<std::vector<Hit>> search(std::span<const Query> queries, const SearchBatchOptions& options) const;

    /// Adds links between documents and chunks, all or none; one that is there (same ends and type) gets the new weight.
    /// kNotFound names an end that does not exist, kInvalidArgument a weight that is not above 0 or not finite, a type that is no
    /// UTF-8 or longer than kMaxIdBytes, a link from something to itself. Links go with their documents.
    void link(std::span<const Link> links);
    /// Removes links; an empty type stands for every type. Returns how many there were. kNotFound names an end that does not
    /// exist.
    std::uint64_t unlink(std::span<const Link> links);
    /// Links that begin or end at one of these documents or their chunks; without ids all. Those whose chunk the document lost in
    /// an upsert are left out: they lead nowhere.
    std::vector<Link> links(std::span<const std::string_view> ids) const;

    /// Answers from the k best chunks; see answer.hpp. kInvalidState without a generator; kInvalidArgument for a question that
    /// alone is longer than the context. Stopped by its callback it gives what there was so far.
    Answer ask(std::string_view question, const AskOptions& options) const;

    /// See StoreView::changes.
    Changes changes(std::int64_t since, std::size_t limit) const;
    /// See Store::backup; the folder appears at the end. kCorrupt names a document that is damaged: nothing of the kind is passed
    /// on.
    void backup(const std::filesystem::path& folder, const Progress& progress = {}) const;
    /// All documents of one state as lines of JSON (exchange/document_line.hpp), each compared with its checksums; returns how
    /// many. In constant memory; of a knowledge base in memory a copy is made first, so that nobody waits. kCorrupt names a
    /// damaged document, see ExportOptions::on_damaged. `write` may call the engine; what it throws goes on to the caller.
    using LineSink = std::function<void(std::string_view line)>;
    std::uint64_t export_lines(const LineSink& write, const ExportOptions& options) const;
    /// The same into a file, which appears when it is whole.
    std::uint64_t export_file(const std::filesystem::path& path, const ExportOptions& options) const;
    /// Upserts the documents of such lines, in constant memory; returns how many lines were taken. A bad line is named by its
    /// number and ends the import: whole batches before it stay, and what they hold is told. Vectors are taken over where the
    /// same embedder made them for the same metric; else texts are cut and embedded anew. A knowledge base without vectors for
    /// which nobody chose a metric gets that of the file.
    std::uint64_t import_file(const std::filesystem::path& path, const ImportOptions& options);

    /// Counts, sizes, models and settings as a JSON object.
    std::string stats() const;
    /// Checks everything stored against everything else. Derived files that are damaged are made again and named in "rebuilt".
    VerifyReport verify(const Progress& progress = {});
    /// Gives back the space of removed documents and makes each index one segment.
    void compact(const Progress& progress = {});

    /// Embeds all chunks with another embedder, which then serves: while that goes on, searches find what they found, by the old
    /// vectors, and documents may be written. Then one transaction exchanges vectors, embedder and (where the new one cuts texts
    /// in another way) chunks, and graphs are built as after any addition. The vectors wait in a file beside the database
    /// (store/vector_stage.hpp), so that a call that was stopped, failed or killed changed nothing, and the next one with the
    /// same embedder takes over the documents that are done. Chunks that came with their documents, or were cut by settings that
    /// are not known any more, are embedded as they stand. The change feed tells all documents as updated. kBusy: it is under
    /// way; kReadOnly; Stopped by `progress` (in documents), and by close(). Returns what it did as a JSON object: {"documents",
    /// "chunks", "embedded", "taken_over" (documents that an earlier call had done), "cut_anew" (documents), "cut_short" (chunks
    /// of which the embedder reads the beginning only)}.
    std::string reembed(std::shared_ptr<const Encoder> embedder, const Progress& progress = {});
    /// Other models from the next call on, all of them or none. kInvalidArgument as at open(): an embedder that did not make the
    /// vectors, a reranker with several labels. Calls that are under way end with the model that they began with.
    void use(ModelChange change);
    /// The same for one of them; null: none.
    void set_embedder(std::shared_ptr<const Encoder> embedder);
    void set_reranker(std::shared_ptr<const Classifier> reranker);
    void set_generator(std::shared_ptr<Decoder> generator);

  private:
    struct State;
    class Call;
    explicit Engine(std::unique_ptr<State> state);
    void write(std::span<const DocumentInput> documents, const WriteOptions& options, bool replace,
               std::vector<std::string>& ids);
    static std::optional<SearchRun> begin_search(State& state, const Query& query);
    static void embed_queries(std::span<std::optional<SearchRun>> runs, std::vector<float>& embedded, const Progress& progress);
    static std::optional<std::vector<Hit>> finish_search(State& state, SearchRun& run);
    /// `on_helper`: the caller is asked by another thread, so that models may report too.
    static std::vector<Hit> search_now(State& state, const Query& query, const Progress& progress, bool on_helper);
    std::unique_ptr<State> state_;
};

}  // namespace rag::core
