/* librag: a private knowledge base with local language models, inside your program. This header is the whole C interface, and
 * what it declares is all that librag.so exports. It is C99 and valid C++.
 *
 * Order: status and text, then the engine (most programs need nothing else), then its parts on their own: tokenizer, encoder,
 * generator, vector index, BM25 index, evaluation.
 *
 * Conventions
 *   Status      Functions return rag_status: 0 is success, negative an error, positive a note. After an error,
 *               rag_error_message() gives one line, for this thread, that names the object and the values.
 *   Failure     Out parameters come last and are zeroed on failure. Unless a comment says otherwise, a call that fails changes
 *               nothing.
 *   Text        UTF-8, pointer and length (rag_text), not terminated. {NULL, 0} is "not given" where that is allowed, else the
 *               empty text. Ill-formed UTF-8 is RAG_INVALID_ARGUMENT with the offset, never a replacement (the tokenizer replaces
 *               it when asked to).
 *   Ownership   What you pass in is copied or used during the call only. What comes out belongs to a handle and lives until that
 *               handle is freed; every rag_NOUN_free takes NULL. You never call free() on anything of librag's.
 *   Structs     Structs that you pass begin with `uint32_t struct_size`; set them with their RAG_..._INIT macro. They grow only
 *               at their end; a longer one is accepted when the part unknown to this version is zero.
 *   Callbacks   End with `user_data`. Return 0 to go on; any other value stops the call, which then returns RAG_STOPPED, and
 *               rag_stop_value() tells the value. What was acknowledged before stays. A callback must not throw, must not
 *               longjmp and must not call back into the object that calls it.
 *   JSON        Metadata, filters, messages and reports are JSON texts (RFC 8259).
 *
 * Threads
 *   rag_engine         any thread at any time; one writes while others search, writers wait for each other
 *   rag_reader         one thread at a time
 *   rag_tokenizer      any thread at any time (immutable); also in a child of fork()
 *   rag_decode_stream  one thread at a time
 *   rag_encoder        any thread at any time; texts of concurrent calls are computed together
 *   rag_classifier     as rag_encoder
 *   rag_generator      any thread at any time; steps of concurrent calls are computed together, long prompts part by part
 *   rag_cached_text    immutable; any thread until freed
 *   rag_vector_index   any thread at any time; searches go on while one adds or removes, writers wait for each other
 *   rag_bm25_index     as rag_vector_index
 *   rag_evaluate_...   any thread at any time
 *   rag_training_rows  immutable; any thread until freed
 *   rag_train          any thread; runs at the same time need different folders
 *   results            immutable; any thread until freed
 *   rag_..._free       when no other thread uses the handle
 *   rag_log_set        any thread; rag_error_message() and rag_stop_value() are per thread
 *   exit()             stops models that other threads compute with; see rag_models_shutdown
 *   fork()             a child must not use handles of its parent: calls return RAG_INVALID_STATE, except rag_..._free
 *
 * Stability: every function is marked with the version that brought it. In 0.x everything may still change between minor
 * versions; CHANGELOG.md says so when it does. */
#ifndef RAG_RAG_H_
#define RAG_RAG_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define RAG_API __declspec(dllimport)
#elif defined(__GNUC__)
#define RAG_API __attribute__((visibility("default")))
#else
#define RAG_API
#endif

#ifdef __cplusplus
#define RAG_NOEXCEPT noexcept
extern "C" {
#else
#define RAG_NOEXCEPT
#endif

#define RAG_VERSION_MAJOR 0
#define RAG_VERSION_MINOR 1
#define RAG_VERSION_PATCH 0

/* ------------------------------------------------------------------------------------------------------------------------------
 * Status, text, log
 * ---------------------------------------------------------------------------------------------------------------------------- */

typedef int32_t rag_status;

enum {
    RAG_OK = 0,
    RAG_STOPPED = 1,           /* a callback asked to stop; rag_stop_value() tells with what */
    RAG_INVALID_ARGUMENT = -1, /* a value outside what the function takes, NULL where a pointer is needed, ill-formed text */
    RAG_NOT_FOUND = -2,        /* a file, id or name that does not exist */
    RAG_ALREADY_EXISTS = -3,   /* an id that is there already */
    RAG_CORRUPT = -4,          /* stored data contradicts itself: truncated, wrong checksum, impossible sizes */
    RAG_IO = -5,               /* the operating system refused to read or write */
    RAG_UNSUPPORTED = -6,      /* well-formed but unknown to librag: an architecture, a tokenizer stage, an element type */
    RAG_VERSION_MISMATCH = -7, /* written by a newer librag, or a library of another version */
    RAG_BUSY = -8,             /* another process writes to this knowledge base, or another call re-embeds it */
    RAG_READ_ONLY = -9,        /* a write to a knowledge base opened read-only */
    RAG_OUT_OF_MEMORY = -10,
    RAG_NO_BACKEND = -11,    /* librag_torch.so or LibTorch could not be loaded; the message says what to install */
    RAG_INVALID_STATE = -12, /* closed, used after fork, or a part that was not given when the engine was opened */
    RAG_INTERNAL = -13       /* a defect of librag; please report the message */
};

/* UTF-8 bytes that somebody else owns. */
typedef struct rag_text {
    const char* data;
    size_t size; /* bytes */
} rag_text;

/* "0.1.0". Never fails; valid for ever. since 0.1.0 */
RAG_API const char* rag_version(void) RAG_NOEXCEPT;

/* The name of a status, such as "RAG_NOT_FOUND"; "unknown status" for any other number. Valid for ever. since 0.1.0 */
RAG_API const char* rag_status_name(rag_status status) RAG_NOEXCEPT;

/* The text of the last error in this thread: one line, terminated, "" when there was none. Valid until the next call into librag
 * in this thread. since 0.1.0 */
RAG_API const char* rag_error_message(void) RAG_NOEXCEPT;

/* What the callback returned that made the last call of this thread RAG_STOPPED; 0 where that call ended otherwise. Ask before
 * the next call into librag. since 0.1.0 */
RAG_API int rag_stop_value(void) RAG_NOEXCEPT;

typedef enum rag_log_level { RAG_LOG_DEBUG = 0, RAG_LOG_INFO = 1, RAG_LOG_WARNING = 2, RAG_LOG_ERROR = 3 } rag_log_level;
typedef void (*rag_log_fn)(rag_log_level level, rag_text line, void* user_data);

/* Sends log lines of at least `minimum` (rag_log_level) to `sink`, from any thread; NULL (the default) drops them. librag never
 * prints. since 0.1.0 */
RAG_API rag_status rag_log_set(rag_log_fn sink, int32_t minimum, void* user_data) RAG_NOEXCEPT;

/* Work done and work in all (0: not known yet). Called at least every 100 ms in long calls, from the calling thread. */
typedef int (*rag_progress_fn)(uint64_t done, uint64_t total, void* user_data);

/* A text that librag made. */
typedef struct rag_string rag_string;
RAG_API rag_text rag_string_text(const rag_string* string) RAG_NOEXCEPT; /* {NULL, 0} for NULL; also terminated. since 0.1.0 */
RAG_API void rag_string_free(rag_string* string) RAG_NOEXCEPT;           /* since 0.1.0 */

typedef struct rag_tokenizer rag_tokenizer;
typedef struct rag_encoder rag_encoder;
typedef struct rag_classifier rag_classifier;
typedef struct rag_generator rag_generator;
typedef struct rag_cached_text rag_cached_text;
typedef struct rag_engine rag_engine;

/* ------------------------------------------------------------------------------------------------------------------------------
 * Engine: documents in, hits and cited answers out
 * ---------------------------------------------------------------------------------------------------------------------------- */

/* How a document is cut into chunks. */
typedef enum rag_chunker {
    RAG_CHUNKER_AUTO = 0,     /* by its kind: sections of Markdown, reStructuredText, pages and code; sentences of prose */
    RAG_CHUNKER_TOKENS = 1,   /* as full as words allow, wherever sentences end */
    RAG_CHUNKER_SENTENCES = 2 /* whole sentences and paragraphs, whatever the kind */
} rag_chunker;

/* How an engine compares vectors. A knowledge base keeps the metric that it had with its first vector. */
typedef enum rag_engine_metric {
    RAG_ENGINE_METRIC_KEPT = 0,   /* that of the base; a new one: cosine */
    RAG_ENGINE_METRIC_COSINE = 1, /* lengths count nothing; vectors of length 0 are refused */
    RAG_ENGINE_METRIC_IP = 2,     /* inner product */
    RAG_ENGINE_METRIC_L2 = 3      /* Euclidean distance; scores are minus its square */
} rag_engine_metric;

typedef struct rag_engine_options {
    uint32_t struct_size;
    int32_t read_only;           /* not 0: no lock is taken, writes return RAG_READ_ONLY, the last commit of a writer is seen */
    const rag_encoder* embedder; /* NULL: no vectors but those you give. The engine keeps the model alive; free yours any time */
    const rag_generator* generator; /* NULL: rag_engine_ask is RAG_INVALID_STATE */
    uint32_t chunk_tokens; /* longest chunk: embedder tokens, or words without an embedder. 0: the embedder's limit, or 200; where
                              this, chunk_overlap and chunker are all 0, those that the base keeps hold */
    uint32_t chunk_overlap; /* tokens (words) that neighbouring chunks share, below chunk_tokens */
    uint32_t vector_dtype;  /* of the vector index, as in rag_vector_index_options: RAG_INT8 (in INIT; faster) or RAG_FLOAT32 */
    uint32_t chunker;       /* rag_chunker */
    const rag_classifier* reranker; /* of one label (RAG_INVALID_ARGUMENT); NULL: a query with `rerank` is RAG_INVALID_STATE */
    rag_progress_fn progress;       /* while opening brings an older format to this one, in documents; may be NULL */
    void* user_data;
    int32_t accept_loss; /* not 0: a database that lost acknowledged commits with its log (else RAG_CORRUPT) is opened as it is; a
                            copy that follows its changes must then begin anew */
    uint32_t metric;     /* rag_engine_metric; RAG_INVALID_ARGUMENT: another than that of the vectors that are there */
    const struct rag_bm25_index_options*
        bm25; /* NULL: those that the base keeps, or the defaults. What a writer gives is kept from
                 then on, and the index built again; RAG_INVALID_ARGUMENT: a reader gives others */
} rag_engine_options;
#define RAG_ENGINE_OPTIONS_INIT \
    {sizeof(rag_engine_options), 0, NULL, NULL, 0, 0, RAG_INT8, RAG_CHUNKER_AUTO, NULL, NULL, NULL, 0, 0, NULL}

/* Opens the knowledge base in the folder `path`, or makes it (not when read_only). `path` not given: in memory, gone when freed.
 * One process writes at a time (else RAG_BUSY), any number read. RAG_INVALID_ARGUMENT: a folder with other things in it, or an
 * embedder other than the one that made its vectors, or a metric other than theirs (both are named). RAG_VERSION_MISMATCH: made
 * by a newer librag. RAG_STOPPED: by options.progress, the older format is as it was. RAG_CORRUPT: the database is damaged, or
 * misses commits that were acknowledged (its log was removed, cut or damaged; the last change and the last one acknowledged are
 * named, the files stay as they are, see accept_loss); derived index files that are lost or damaged are rebuilt instead. since
 * 0.1.0 */
RAG_API rag_status rag_engine_open(rag_text path, const rag_engine_options* options, rag_engine** engine) RAG_NOEXCEPT;

/* Writes the derived index files and closes; every later call is RAG_INVALID_STATE. Nothing acknowledged is lost without it, the
 * next open is only slower. Twice is fine. since 0.1.0 */
RAG_API rag_status rag_engine_close(rag_engine* engine) RAG_NOEXCEPT;

/* Closes if need be (errors are logged) and frees. since 0.1.0 */
RAG_API void rag_engine_free(rag_engine* engine) RAG_NOEXCEPT;

/* What a text is written in: it tells where chunks may be cut. */
typedef enum rag_text_kind {
    RAG_KIND_TEXT = 0, /* prose */
    RAG_KIND_MARKDOWN = 1,
    RAG_KIND_RST = 2,           /* reStructuredText */
    RAG_KIND_HTML = 3,          /* what a reader makes of a page: headings as "# ...", code between lines of "```" */
    RAG_KIND_CODE = 4,          /* blocks in braces, comments by double slashes: C, C++, Java, JavaScript, Go, Rust ... */
    RAG_KIND_CODE_INDENTED = 5, /* blocks by indentation: Python, Ruby, Lua ... */
    RAG_KIND_CODE_SHELL = 6     /* blocks in braces, comments by #: shells, Perl, R */
} rag_text_kind;

/* A document to be stored. In an array all elements have the same struct_size. */
typedef struct rag_document {
    uint32_t struct_size;
    uint32_t dimension;  /* of vector; 0 when there is none */
    rag_text id;         /* not given: librag makes one; at most 1,024 bytes */
    rag_text text;       /* not empty and not only white space; at most 64 MiB */
    rag_text title;      /* searched with the text */
    rag_text metadata;   /* a JSON object; not given: {} */
    const float* vector; /* your embedding of the whole text: the document then stays one chunk. NULL: the embedder's */
    rag_text source;     /* where it came from, such as a URI; not given: empty. At most 8 KiB */
    rag_text language;   /* such as "en" or "zh-Hans"; not given: empty. At most 64 bytes */
    uint32_t kind;       /* rag_text_kind: how it is cut into chunks; not kept */
    uint32_t reserved;   /* 0 */
} rag_document;
#define RAG_DOCUMENT_INIT {sizeof(rag_document), 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, NULL, {NULL, 0}, {NULL, 0}, 0, 0}

typedef struct rag_write_options {
    uint32_t struct_size;
    uint32_t batch_documents; /* documents a transaction; 0: librag chooses (1,024) */
    rag_progress_fn progress; /* in documents; may be NULL */
    void* user_data;
} rag_write_options;
#define RAG_WRITE_OPTIONS_INIT {sizeof(rag_write_options), 0, NULL, NULL}

/* Texts in an order that the function states. */
typedef struct rag_strings rag_strings;
RAG_API size_t rag_strings_count(const rag_strings* strings) RAG_NOEXCEPT;              /* 0 for NULL. since 0.1.0 */
RAG_API rag_text rag_strings_at(const rag_strings* strings, size_t index) RAG_NOEXCEPT; /* {NULL, 0} out of range. since 0.1.0 */
RAG_API void rag_strings_free(rag_strings* strings) RAG_NOEXCEPT;                       /* since 0.1.0 */

/* Adds documents: chunks them, embeds the chunks, indexes them. When it returns RAG_OK they are durable and found. All are
 * checked before any is stored: an id that exists or stands twice is RAG_ALREADY_EXISTS; a bad text, metadata that is no JSON
 * object, a vector with NaN or of another dimension are RAG_INVALID_ARGUMENT; each names the document. Stored in transactions of
 * batch_documents: after RAG_STOPPED or a failure of the disk, whole batches before it stay, and after RAG_INVALID_STATE, when an
 * adapter of the embedder was merged or unmerged meanwhile (what is set meanwhile is for later calls). `ids` (may be NULL): the
 * ids in the order of the documents; also given with RAG_STOPPED, then only the stored ones. `options` may be NULL. since 0.1.0
 */
RAG_API rag_status rag_engine_add(rag_engine* engine, const rag_document* documents, size_t count,
                                  const rag_write_options* options, rag_strings** ids) RAG_NOEXCEPT;

/* As rag_engine_add, but a document whose id exists replaces the stored one. Chunks whose text and title did not change are
 * neither embedded nor indexed again, wherever they stand now; a document that is equal in everything costs nothing. since 0.1.0
 */
RAG_API rag_status rag_engine_upsert(rag_engine* engine, const rag_document* documents, size_t count,
                                     const rag_write_options* options, rag_strings** ids) RAG_NOEXCEPT;

/* Deletes the documents with these ids (unknown ones are passed over) that also match `where`; either may be left out (count 0;
 * not given), both is RAG_INVALID_ARGUMENT. One transaction: after RAG_STOPPED nothing is deleted. `progress` (in documents) and
 * `deleted` (how many) may be NULL. since 0.1.0 */
RAG_API rag_status rag_engine_delete(rag_engine* engine, const rag_text* ids, size_t count, rag_text where,
                                     rag_progress_fn progress, void* user_data, uint64_t* deleted) RAG_NOEXCEPT;

/* Stored documents. */
typedef struct rag_documents rag_documents;
typedef struct rag_document_view {
    uint32_t struct_size; /* set by the caller: RAG_DOCUMENT_VIEW_INIT */
    int32_t found;        /* 0: there is no document with this id; the texts but `id` are then not given */
    rag_text id, text, title, metadata;
    int64_t created_ms, updated_ms; /* Unix time */
    uint64_t chunks;
    rag_text source, language;
} rag_document_view;
#define RAG_DOCUMENT_VIEW_INIT \
    {sizeof(rag_document_view), 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, 0, 0, 0, {NULL, 0}, {NULL, 0}}

/* The documents with these ids, in this order and of one state; unknown ids give an entry with found = 0. `progress` (in
 * documents; may be NULL) is not asked for a single one. since 0.1.0 */
RAG_API rag_status rag_engine_get(rag_engine* engine, const rag_text* ids, size_t count, rag_progress_fn progress,
                                  void* user_data, rag_documents** documents) RAG_NOEXCEPT;
RAG_API size_t rag_documents_count(const rag_documents* documents) RAG_NOEXCEPT; /* 0 for NULL. since 0.1.0 */
RAG_API rag_status rag_documents_at(const rag_documents* documents, size_t index,
                                    rag_document_view* view) RAG_NOEXCEPT; /* since 0.1.0 */
RAG_API void rag_documents_free(rag_documents* documents) RAG_NOEXCEPT;    /* since 0.1.0 */

/* How many documents there are. since 0.1.0 */
RAG_API rag_status rag_engine_count(rag_engine* engine, uint64_t* count) RAG_NOEXCEPT;

typedef enum rag_search_mode {
    RAG_SEARCH_AUTO = 0, /* hybrid where there are vectors, else bm25 */
    RAG_SEARCH_HYBRID = 1,
    RAG_SEARCH_VECTOR = 2,
    RAG_SEARCH_BM25 = 3
} rag_search_mode;

/* How hybrid search joins two rankings. The candidates are the best of both lists. */
typedef enum rag_fusion {
    RAG_FUSION_WEIGHTED = 0,       /* each scored by both scorers, as shares of the best, added with weights */
    RAG_FUSION_RECIPROCAL_RANK = 1 /* the sum of 1 / (60 + rank) */
} rag_fusion;
typedef enum rag_expand {
    RAG_EXPAND_NONE = 0,
    RAG_EXPAND_NEIGHBOURS = 1, /* the chunk with those before and after it */
    RAG_EXPAND_SECTION = 2     /* the section of the document that holds the chunk */
} rag_expand;
/* Hits that one search ranks: offset + k, and candidates. */
#define RAG_MAX_RANKED 100000

typedef struct rag_query {
    uint32_t struct_size;
    uint32_t k;          /* hits wanted; 0: 10 */
    rag_text text;       /* may be left out in vector mode when `vector` is given */
    const float* vector; /* NULL: the embedder's, of the text */
    uint32_t dimension;  /* of vector */
    uint32_t mode;       /* rag_search_mode */
    rag_text where;      /* filter over metadata: {"lang": "en", "year": {"$gte": 2020}}; not given: all. Operators: $eq $ne $gt
                            $gte $lt $lte $in $nin $and $or $not $exists $contains */
    int32_t explain;     /* not 0: each hit says how its score came about */
    uint32_t offset;     /* the first hit wanted, for pages; offset + k is at most RAG_MAX_RANKED. Pages are cut from one ranking
                            as long as the content does not change and `candidates` stays the same */
    uint32_t candidates; /* that each scorer gives to fusion, diversity and links; 0: 100, 1,000, 10,000 or 100,000, the first
                            that holds the page */
    uint32_t fusion;     /* rag_fusion, of hybrid */
    float vector_weight; /* [0, 1], of weighted fusion: BM25 has the rest. Below 0: librag's choice (0.5). It falls where the
                            embedder does not know the words of the query */
    float diversity;     /* [0, 1]: how much a hit loses by being like an earlier one (maximal marginal relevance) */
    uint32_t group_hits; /* not 0: k counts documents, each with at most so many hits, which stand together */
    uint32_t expand;     /* rag_expand: what rag_hit.context holds */
    uint32_t neighbours; /* of RAG_EXPAND_NEIGHBOURS: chunks on each side, at most 1,000 */
    float link_weight;   /* [0, 1]: of the links' part in the score (personalised PageRank from the hits); 0: none */
    float link_damping;  /* [0, 1): the chance that the walk goes on over a link */
    float min_score;     /* hits below are left out */
    uint32_t rerank; /* not 0: the engine's reranker reads so many of the best chunks (never fewer than the page, at most 1,000),
                        and the hits are those of them, by its score */
    uint32_t syntax; /* rag_bm25_syntax. RAG_BM25_LANGUAGE: the hits are those that the operators allow (and what links lead to);
                        the embedder reads the words without them. RAG_INVALID_ARGUMENT in a vector search */
    int32_t highlight;        /* not 0: each hit says where its text has what the query looks for */
    rag_progress_fn progress; /* of rag_engine_search, asked without counts on the calling thread; may be NULL. RAG_STOPPED: by
                                 it. A batch has its own */
    void* user_data;
} rag_query;
#define RAG_QUERY_INIT    \
    {sizeof(rag_query),   \
     0,                   \
     {NULL, 0},           \
     NULL,                \
     0,                   \
     RAG_SEARCH_AUTO,     \
     {NULL, 0},           \
     0,                   \
     0,                   \
     0,                   \
     RAG_FUSION_WEIGHTED, \
     -1.0F,               \
     0.0F,                \
     0,                   \
     RAG_EXPAND_NONE,     \
     1,                   \
     0.0F,                \
     0.85F,               \
     -3.402823466e+38F,   \
     0,                   \
     0,                   \
     0,                   \
     NULL,                \
     NULL}

typedef struct rag_hits rag_hits;
typedef struct rag_hit {
    uint32_t struct_size; /* set by the caller: RAG_HIT_INIT */
    float score;          /* higher is better; by it the hits are ordered. Comparable within one search only */
    rag_text id;          /* of the chunk: the document's id, '#', and the chunk's number */
    rag_text doc_id, text, title, metadata;
    uint64_t start, end; /* bytes: text is the document's text from start to end */
    float vector_score;  /* by the metric: cosine, inner product, -(squared distance). NaN where the vector had no part */
    float bm25_score;    /* NaN where BM25 had no part */
    rag_text explain;    /* JSON whose parts sum to the score; not given unless asked for */
    rag_text title_path; /* headings above the chunk, joined by " > " */
    rag_text context;    /* what `expand` asked for; text is part of it */
    uint64_t context_start, context_end;
    const uint64_t* highlights; /* [highlight_count, 2] first byte and end in text, ascending; NULL unless asked for */
    size_t highlight_count;
} rag_hit;
#define RAG_HIT_INIT                                                                                \
    {sizeof(rag_hit), 0,         {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, 0, 0, 0, 0, \
     {NULL, 0},       {NULL, 0}, {NULL, 0}, 0,         0,         NULL,      0}

/* The k best chunks. Fewer only where fewer match. Hybrid joins the best of both lists and scores each by both; a vector search
 * without vectors is RAG_INVALID_STATE. docs/searching.md shows what a query can ask for. since 0.1.0 */
RAG_API rag_status rag_engine_search(rag_engine* engine, const rag_query* query, rag_hits** hits) RAG_NOEXCEPT;
RAG_API size_t rag_hits_count(const rag_hits* hits) RAG_NOEXCEPT;                              /* 0 for NULL. since 0.1.0 */
RAG_API rag_status rag_hits_at(const rag_hits* hits, size_t index, rag_hit* hit) RAG_NOEXCEPT; /* since 0.1.0 */
RAG_API void rag_hits_free(rag_hits* hits) RAG_NOEXCEPT;                                       /* since 0.1.0 */

typedef struct rag_search_batch_options {
    uint32_t struct_size;
    uint32_t threads;         /* 0: as many as the process may use */
    rag_progress_fn progress; /* in queries; may be NULL */
    void* user_data;
} rag_search_batch_options;
#define RAG_SEARCH_BATCH_OPTIONS_INIT {sizeof(rag_search_batch_options), 0, NULL, NULL}

/* Many searches at once: texts are embedded together, searches run on threads; each finds what rag_engine_search finds. `hits`:
 * an array of `count`, in the order of the queries; each is freed by rag_hits_free. On failure (the message names the query) and
 * with RAG_STOPPED all are NULL. In the array of queries all elements have the same struct_size. `options` may be NULL. since
 * 0.1.0 */
RAG_API rag_status rag_engine_search_batch(rag_engine* engine, const rag_query* queries, size_t count,
                                           const rag_search_batch_options* options, rag_hits** hits) RAG_NOEXCEPT;

/* An edge between documents (by id) or chunks (by a hit's id), for searches with a link_weight. "report#3" is the chunk that a
 * hit calls so, "report#" the document "report"; what is neither is a document's id as it stands. So a document whose own id
 * reads like a chunk's, "report#3" beside "report", is meant by "report#3#", and links are told in this way too. */
typedef struct rag_link {
    uint32_t struct_size;
    rag_text source, target;
    rag_text type; /* yours, such as "cites"; may be empty; at most 1,024 bytes */
    double weight; /* above 0 */
} rag_link;
#define RAG_LINK_INIT {sizeof(rag_link), {NULL, 0}, {NULL, 0}, {NULL, 0}, 1.0}

/* Adds links, all or none; one that is there (same ends and type) gets the new weight. They go with their documents.
 * RAG_NOT_FOUND names an end that does not exist; RAG_INVALID_ARGUMENT: a weight, a type, a link from something to itself. In the
 * array all elements have the same struct_size. since 0.1.0 */
RAG_API rag_status rag_engine_link(rag_engine* engine, const rag_link* links, size_t count) RAG_NOEXCEPT;
/* Removes links; an empty type stands for every type, weights are not looked at. `removed` (may be NULL): how many. since 0.1.0
 */
RAG_API rag_status rag_engine_unlink(rag_engine* engine, const rag_link* links, size_t count, uint64_t* removed) RAG_NOEXCEPT;

typedef struct rag_links rag_links;
/* The links that begin or end at one of these documents or at their chunks; count 0: all. since 0.1.0 */
RAG_API rag_status rag_engine_links(rag_engine* engine, const rag_text* ids, size_t count, rag_links** links) RAG_NOEXCEPT;
RAG_API size_t rag_links_count(const rag_links* links) RAG_NOEXCEPT;                                /* 0 for NULL. since 0.1.0 */
RAG_API rag_status rag_links_at(const rag_links* links, size_t index, rag_link* link) RAG_NOEXCEPT; /* since 0.1.0 */
RAG_API void rag_links_free(rag_links* links) RAG_NOEXCEPT;                                         /* since 0.1.0 */

/* A piece of an answer while it is made. While the prompt is still being computed the callback comes about every 50 ms with id -1
 * and no text, so that a host can stop then too. */
typedef struct rag_token {
    int32_t id;
    rag_text text; /* may be empty: a character is given only when it is whole. Valid during the callback */
} rag_token;
typedef int (*rag_token_fn)(const rag_token* token, void* user_data);

/* `weight` times what a loaded adapter adds to the weights; within -10,000 and 10,000, 0 is no adapter. */
typedef struct rag_adapter_share {
    rag_text name;
    float weight;
} rag_adapter_share;

typedef struct rag_generate_options {
    uint32_t struct_size;
    uint32_t max_tokens;  /* 0: 256 */
    float temperature;    /* 0: greedy, the most likely token each time */
    float top_p;          /* (0, 1]; 0 or 1: off */
    uint32_t top_k;       /* 0: off */
    float min_p;          /* [0, 1]; 0: off */
    float repeat_penalty; /* 1 to 1000; 0 or 1: off. Over the last 64 tokens */
    uint64_t seed;
    const rag_text* stop; /* texts that end the generation; they are not part of it */
    size_t stop_count;
    rag_token_fn token; /* may be NULL */
    void* user_data;
    const rag_adapter_share* adapters; /* for this call; NULL: as rag_generator_set_adapter says. With a count of 0: the base */
    size_t adapter_count;
    /* Texts of rag_generator_cache that stand before the prompt, in this order; NULL: none. For rag_generator_generate alone
     * (RAG_INVALID_ARGUMENT elsewhere), which then puts no special tokens before its prompt. */
    const rag_cached_text* const* prefix;
    size_t prefix_count;
} rag_generate_options;
#define RAG_GENERATE_OPTIONS_INIT {sizeof(rag_generate_options), 0, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, NULL, NULL, 0, NULL, 0}

typedef struct rag_ask_options {
    uint32_t struct_size;
    uint32_t k;                             /* passages in the prompt; 0: 5 */
    uint32_t mode;                          /* rag_search_mode */
    rag_text where;                         /* as in rag_query */
    const rag_generate_options* generation; /* NULL: greedy, 256 tokens */
} rag_ask_options;
#define RAG_ASK_OPTIONS_INIT {sizeof(rag_ask_options), 0, RAG_SEARCH_AUTO, {NULL, 0}, NULL}

typedef struct rag_answer rag_answer;

/* Searches, puts the best passages into a prompt, generates, and checks each sentence of the answer against the passages that
 * were in the prompt. RAG_INVALID_STATE without a generator, and as rag_generator_chat. With RAG_STOPPED the answer so far is
 * given. since 0.1.0 */
RAG_API rag_status rag_engine_ask(rag_engine* engine, rag_text question, const rag_ask_options* options,
                                  rag_answer** answer) RAG_NOEXCEPT;
RAG_API rag_text rag_answer_text(const rag_answer* answer) RAG_NOEXCEPT; /* {NULL, 0} for NULL. since 0.1.0 */
RAG_API const rag_hits* rag_answer_hits(const rag_answer* answer)
    RAG_NOEXCEPT;                                              /* the passages, owned by the answer. since 0.1.0 */
RAG_API void rag_answer_free(rag_answer* answer) RAG_NOEXCEPT; /* since 0.1.0 */

/* A sentence of the answer that a passage supports. */
typedef struct rag_citation {
    uint32_t struct_size;        /* set by the caller: RAG_CITATION_INIT */
    float score;                 /* (0, 1]: how much of the sentence the span covers */
    uint64_t start, end;         /* bytes in the answer's text */
    size_t hit;                  /* index into rag_answer_hits */
    uint64_t hit_start, hit_end; /* bytes in that hit's text: a span that was in the prompt */
} rag_citation;
#define RAG_CITATION_INIT {sizeof(rag_citation), 0, 0, 0, 0, 0, 0}
RAG_API size_t rag_answer_citation_count(const rag_answer* answer) RAG_NOEXCEPT; /* since 0.1.0 */
RAG_API rag_status rag_answer_citation_at(const rag_answer* answer, size_t index,
                                          rag_citation* citation) RAG_NOEXCEPT; /* since 0.1.0 */

/* Sentences of the answer that no passage supports: bytes in the answer's text. since 0.1.0 */
RAG_API size_t rag_answer_unsupported_count(const rag_answer* answer) RAG_NOEXCEPT;
RAG_API rag_status rag_answer_unsupported_at(const rag_answer* answer, size_t index, uint64_t* start, uint64_t* end) RAG_NOEXCEPT;

/* Why a generation ended, what it used and where the time went. */
typedef enum rag_finish { RAG_FINISH_STOP = 0, RAG_FINISH_LENGTH = 1, RAG_FINISH_STOPPED = 2 } rag_finish;
typedef struct rag_usage {
    uint32_t struct_size; /* set by the caller: RAG_USAGE_INIT */
    uint32_t finish;      /* rag_finish: end of text or a stop text; max_tokens or context; a callback */
    uint64_t prompt_tokens, new_tokens;
    double search_ms, prompt_ms, prefill_ms, decode_ms, citation_ms; /* parts that did not take place are 0 */
} rag_usage;
#define RAG_USAGE_INIT {sizeof(rag_usage), 0, 0, 0, 0, 0, 0, 0, 0}
RAG_API rag_status rag_answer_usage(const rag_answer* answer, rag_usage* usage) RAG_NOEXCEPT; /* since 0.1.0 */

/* Counts, sizes, models and settings as a JSON object. since 0.1.0 */
RAG_API rag_status rag_engine_stats(rag_engine* engine, rag_string** json) RAG_NOEXCEPT;

/* Checks everything stored against everything else: {"ok": true, "problems": [], ...}; every letter and every vector against its
 * checksum. RAG_OK also when problems were found; the call fails only where checking itself did. `progress` may be NULL; `ok`
 * (may be NULL): 1 or 0. since 0.1.0 */
RAG_API rag_status rag_engine_verify(rag_engine* engine, rag_progress_fn progress, void* user_data, int32_t* ok,
                                     rag_string** json) RAG_NOEXCEPT;

/* Gives back the space of deleted documents and rebuilds the derived indexes as one segment each. Others may read meanwhile; a
 * crash, RAG_STOPPED or a full disk leaves all as it was. Needs about twice the content's size as free space for a while.
 * `progress` may be NULL. since 0.1.0 */
RAG_API rag_status rag_engine_compact(rag_engine* engine, rag_progress_fn progress, void* user_data) RAG_NOEXCEPT;

/* --- other models for an engine that runs ------------------------------------------------------------------------------------
 */

/* Embeds all chunks with another embedder, which the engine then has. While the call goes on (on a thread of yours, for as long
 * as embedding takes) searches find what they found, by the old embedder, and documents may be written; then one transaction
 * exchanges vectors and embedder, and chunks where the new one takes shorter ones or has another tokenizer. Its dimension may be
 * another one. What is embedded waits in knowledge.stage beside the database: after RAG_STOPPED, a failure or a kill nothing was
 * changed, and the next call with the same embedder takes over the documents that are done. The disk needs the new vectors twice
 * and the texts once for a while. The change feed tells all documents as updated; readers in other processes need the new
 * embedder from then on (rag_engine_set_embedder). An engine may be opened without an embedder for it. RAG_BUSY: it is under way;
 * RAG_READ_ONLY; RAG_STOPPED: by `progress` (in documents; may be NULL; not called any more when all is committed), or because
 * the engine is closed; RAG_CORRUPT: a damaged document, which is named; RAG_INVALID_STATE: an adapter of the embedder was merged
 * or taken back meanwhile. `report` (may be NULL):
 * {"documents", "chunks", "embedded", "taken_over": documents that a call before had done, "cut_anew": documents, "cut_short":
 * chunks that came with their documents and of which the embedder reads the beginning only}. since 0.1.0 */
RAG_API rag_status rag_engine_reembed(rag_engine* engine, const rag_encoder* embedder, rag_progress_fn progress, void* user_data,
                                      rag_string** report) RAG_NOEXCEPT;

/* Another model from the next call on; NULL: none. Calls that are under way end with the model that they began with. The engine
 * keeps it alive; free yours any time. RAG_INVALID_ARGUMENT: an embedder that did not make the vectors (both are named;
 * rag_engine_reembed takes it), a reranker of several labels. Also for engines that are open read-only. since 0.1.0 */
RAG_API rag_status rag_engine_set_embedder(rag_engine* engine, const rag_encoder* embedder) RAG_NOEXCEPT;
RAG_API rag_status rag_engine_set_reranker(rag_engine* engine, const rag_classifier* reranker) RAG_NOEXCEPT;
RAG_API rag_status rag_engine_set_generator(rag_engine* engine, const rag_generator* generator) RAG_NOEXCEPT;

/* Which models a rag_engine_models gives. */
typedef enum rag_engine_part { RAG_PART_EMBEDDER = 1, RAG_PART_RERANKER = 2, RAG_PART_GENERATOR = 4 } rag_engine_part;

typedef struct rag_engine_models {
    uint32_t struct_size;
    uint32_t parts;                 /* a sum of rag_engine_part: what is not named stays */
    const rag_encoder* embedder;    /* NULL: none */
    const rag_classifier* reranker; /* NULL: none */
    const rag_generator* generator; /* NULL: none */
} rag_engine_models;
#define RAG_ENGINE_MODELS_INIT {sizeof(rag_engine_models), 0, NULL, NULL, NULL}

/* The same for several at one moment: a failure of one leaves all as they were. RAG_INVALID_ARGUMENT also: a model that `parts`
 * does not name. since 0.1.0 */
RAG_API rag_status rag_engine_use(rag_engine* engine, const rag_engine_models* models) RAG_NOEXCEPT;

/* --- change feed, backup, export, import ------------------------------------------------------------------------------------ */

/* Updated: the document's content, or links from or to it. */
typedef enum rag_change_kind { RAG_CHANGE_ADDED = 0, RAG_CHANGE_UPDATED = 1, RAG_CHANGE_REMOVED = 2 } rag_change_kind;
typedef struct rag_change {
    uint32_t struct_size; /* set by the caller: RAG_CHANGE_INIT */
    uint32_t kind;        /* rag_change_kind */
    uint64_t sequence;    /* of the transaction; it rises with every one that changes content */
    rag_text id;          /* of the document */
} rag_change;
#define RAG_CHANGE_INIT {sizeof(rag_change), 0, 0, {NULL, 0}}

typedef struct rag_changes rag_changes;

/* What a copy of the state `since` has to do to follow, in order: take over each document that was added or updated, as it is now
 * (rag_engine_get; its links: rag_engine_links), and remove the others. 0: a copy that is empty. Of a document its last change is
 * told, and a removal before that. Whole transactions, until there are `limit` changes (0: 1,000) or more; go on from
 * rag_changes_next until that equals rag_changes_last. Removals are kept for the last 100,000 of them at least; RAG_NOT_FOUND:
 * some after `since` are gone, so a new copy must begin with 0. RAG_INVALID_ARGUMENT: `since` is yet to come. since 0.1.0 */
RAG_API rag_status rag_engine_changes(rag_engine* engine, uint64_t since, uint64_t limit, rag_changes** changes) RAG_NOEXCEPT;
RAG_API size_t rag_changes_count(const rag_changes* changes) RAG_NOEXCEPT; /* 0 for NULL. since 0.1.0 */
RAG_API rag_status rag_changes_at(const rag_changes* changes, size_t index, rag_change* change) RAG_NOEXCEPT; /* since 0.1.0 */
RAG_API uint64_t rag_changes_next(const rag_changes* changes) RAG_NOEXCEPT; /* 0 for NULL. since 0.1.0 */
RAG_API uint64_t rag_changes_last(const rag_changes* changes) RAG_NOEXCEPT; /* 0 for NULL. since 0.1.0 */
RAG_API void rag_changes_free(rag_changes* changes) RAG_NOEXCEPT;           /* since 0.1.0 */

/* Writes the last commit as a knowledge base of its own into the folder `path`, which must not exist or be empty
 * (RAG_ALREADY_EXISTS), while others read and write; also of one in memory. The folder appears when it is whole and durable:
 * after a failure, RAG_STOPPED or a crash there is none. RAG_CORRUPT: this knowledge base is damaged; a document that is not what
 * its checksums say is named, and goes into no backup. `progress` may be NULL. since 0.1.0 */
RAG_API rag_status rag_engine_backup(rag_engine* engine, rag_text path, rag_progress_fn progress, void* user_data) RAG_NOEXCEPT;

/* Takes a line of an export, its end included. Return 0 to go on. It may call the engine, but not close it. */
typedef int (*rag_line_fn)(rag_text line, void* user_data);
/* Takes the id of a document that is left out because it is damaged, and what is wrong with it; links that cannot be read come
 * without an id. Return 0 to go on. */
typedef int (*rag_damage_fn)(rag_text id, rag_text problem, void* user_data);

typedef struct rag_export_options {
    uint32_t struct_size;
    int32_t no_vectors;       /* not 0: neither vectors nor how texts were cut; import then cuts and embeds anew */
    rag_line_fn line;         /* takes the lines where no path is given */
    rag_progress_fn progress; /* in documents; may be NULL */
    void* user_data;          /* of all three */
    rag_damage_fn on_damaged; /* NULL: a damaged document is RAG_CORRUPT */
} rag_export_options;
#define RAG_EXPORT_OPTIONS_INIT {sizeof(rag_export_options), 0, NULL, NULL, NULL, NULL}

/* Writes all documents and links of one state as lines of JSON, in memory that does not grow with them: into the file `path`,
 * which appears when it is whole, or (not given) to options.line. docs/export.md tells the fields. Each document is compared with
 * its checksums: RAG_CORRUPT names one that is damaged, or on_damaged takes it and the rest goes on. `options` may be NULL with a
 * path; `count` (may be NULL): how many documents were written. since 0.1.0 */
RAG_API rag_status rag_engine_export(rag_engine* engine, rag_text path, const rag_export_options* options,
                                     uint64_t* count) RAG_NOEXCEPT;

typedef struct rag_import_options {
    uint32_t struct_size;
    uint32_t batch_documents; /* documents a transaction; 0: librag chooses */
    rag_progress_fn progress; /* in bytes of the file; may be NULL */
    void* user_data;
} rag_import_options;
#define RAG_IMPORT_OPTIONS_INIT {sizeof(rag_import_options), 0, NULL, NULL}

/* Upserts the documents of such a file, or of any with lines like {"text": "..."}, in memory that does not grow with it. Ids,
 * times and metadata are the file's; vectors too, where the same embedder made them, else texts are cut and embedded anew. A bad
 * line ends the import: RAG_INVALID_ARGUMENT names its number and says how many documents before it were stored (whole batches;
 * none if it stands in the first). RAG_STOPPED keeps whole batches too. `options` may be NULL; `count` (may be NULL): how many
 * documents. since 0.1.0 */
RAG_API rag_status rag_engine_import(rag_engine* engine, rag_text path, const rag_import_options* options,
                                     uint64_t* count) RAG_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------------------
 * Text: files as documents, cleaning, chunks. What an engine is fed with; each works without one. docs/reading-documents.md
 * ---------------------------------------------------------------------------------------------------------------------------- */

/* What cleaning leaves as it is; a sum. Cleaning what is clean changes nothing. */
enum {
    RAG_KEEP_CONTROL = 1,    /* control characters and byte order marks, which else are removed */
    RAG_KEEP_WHITESPACE = 2, /* line ends, no-break spaces, blanks at line ends, runs of blank lines, which else become plain */
    RAG_KEEP_FORM = 4        /* characters that are not in Unicode's normal form C, which else are brought to it */
};

typedef struct rag_read_options {
    uint32_t struct_size;
    uint32_t keep;            /* of cleaning; all three: text is taken as it is */
    rag_text format;          /* a suffix without its dot, such as "md"; not given: that of the path or name */
    rag_text encoding;        /* not given: marks, declarations, UTF-8, or GB18030 where that is clear */
    rag_text id;              /* of the document; rows without an id are "<id>:<row>". Not given: the file's name */
    rag_text title;           /* of a document that says none; not given: the file's name without its suffix */
    rag_text source;          /* not given: the path or name */
    rag_text text_field;      /* column or JSON member. Not given: "text"; where there is none, lines "name: value" of all */
    rag_text title_field;     /* not given: "title" */
    rag_text id_field;        /* not given: "id" or "_id" */
    rag_text delimiter;       /* of a table, one ASCII character; not given: tab for .tsv, else , ; tab or | by the first row */
    rag_progress_fn progress; /* bytes read, bytes in all; called from rag_reader_next. May be NULL */
    void* user_data;          /* valid until the reader is freed */
} rag_read_options;
#define RAG_READ_OPTIONS_INIT  \
    {sizeof(rag_read_options), \
     0,                        \
     {NULL, 0},                \
     {NULL, 0},                \
     {NULL, 0},                \
     {NULL, 0},                \
     {NULL, 0},                \
     {NULL, 0},                \
     {NULL, 0},                \
     {NULL, 0},                \
     {NULL, 0},                \
     NULL,                     \
     NULL}

/* Reads the documents of a file one by one: a page or source file is one document, a row of a table (.csv, .tsv), an object of
 * .jsonl or of a list in .json is one each. Tables and .jsonl of any length need the memory of one row. */
typedef struct rag_reader rag_reader;

/* Opens a file. RAG_NOT_FOUND, RAG_IO; RAG_UNSUPPORTED: a suffix that no reader knows; RAG_INVALID_ARGUMENT: no regular file, a
 * binary one, an encoding that is unknown or not clear. `options` may be NULL. since 0.1.0 */
RAG_API rag_status rag_reader_open(rag_text path, const rag_read_options* options, rag_reader** reader) RAG_NOEXCEPT;

/* The same for bytes in memory, which are copied; `name` stands for the file's. since 0.1.0 */
RAG_API rag_status rag_reader_open_bytes(const void* bytes, size_t size, rag_text name, const rag_read_options* options,
                                         rag_reader** reader) RAG_NOEXCEPT;

/* A document that was read. */
typedef struct rag_read_document {
    uint32_t struct_size; /* set by the caller: RAG_READ_DOCUMENT_INIT */
    int32_t found;        /* 0: there are no more; everything else is then not given */
    rag_text id, text, title, metadata, source, language;
    uint32_t kind; /* rag_text_kind */
    uint32_t reserved;
} rag_read_document;
#define RAG_READ_DOCUMENT_INIT \
    {sizeof(rag_read_document), 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, 0, 0}

/* The next document that has text. Its texts live until the next call. RAG_INVALID_ARGUMENT names the file, and the row or byte:
 * behind a row that is wrong the next call goes on, after anything else it is at the end. At most 64 MiB of text a document, 256
 * MiB a .html or .json file, 128 MiB a row, 4,096 columns. since 0.1.0 */
RAG_API rag_status rag_reader_next(rag_reader* reader, rag_read_document* document) RAG_NOEXCEPT;

/* How many documents (rows) were passed over so far because they have no text; 0 for NULL. since 0.1.0 */
RAG_API uint64_t rag_reader_blank_count(const rag_reader* reader) RAG_NOEXCEPT;
RAG_API void rag_reader_free(rag_reader* reader) RAG_NOEXCEPT; /* since 0.1.0 */

/* The suffixes that readers know, without their dots, sorted. since 0.1.0 */
RAG_API rag_status rag_reader_formats(rag_strings** suffixes) RAG_NOEXCEPT;

/* `text` without control characters, with plain white space, in normal form C; `keep` says what of that is left. At most 1 GiB.
 * `progress` (may be NULL) is asked in bytes, of each step anew; RAG_STOPPED: by it. since 0.1.0 */
RAG_API rag_status rag_text_clean(rag_text text, uint32_t keep, rag_progress_fn progress, void* user_data,
                                  rag_string** cleaned) RAG_NOEXCEPT;

typedef struct rag_chunk_options {
    uint32_t struct_size;
    uint32_t kind;                  /* rag_text_kind */
    uint32_t chunker;               /* rag_chunker */
    uint32_t max_tokens;            /* 0: 200 */
    uint32_t overlap_tokens;        /* that a chunk repeats of the one before, at most; below max_tokens */
    uint32_t reserved;              /* 0 */
    const rag_tokenizer* tokenizer; /* counts the tokens; NULL: words are counted */
    rag_progress_fn progress;       /* bytes counted, 0; may be NULL */
    void* user_data;
} rag_chunk_options;
#define RAG_CHUNK_OPTIONS_INIT {sizeof(rag_chunk_options), RAG_KIND_TEXT, RAG_CHUNKER_AUTO, 0, 0, 0, NULL, NULL, NULL}

typedef struct rag_chunk {
    uint32_t struct_size; /* set by the caller: RAG_CHUNK_INIT */
    uint32_t reserved;
    uint64_t start, end;               /* bytes of the text */
    uint64_t parent_start, parent_end; /* of the smallest section that holds more than the chunk, else as start and end */
    rag_text title_path;               /* headings above the chunk, outermost first, joined by " > " */
} rag_chunk;
#define RAG_CHUNK_INIT {sizeof(rag_chunk), 0, 0, 0, 0, 0, {NULL, 0}}

/* Cuts a text into chunks as an engine does. Together they hold all that is not white space; offsets are on characters; a chunk
 * has more than max_tokens only if it is a single character. `options` may be NULL. At most 64 MiB. since 0.1.0 */
typedef struct rag_chunks rag_chunks;
RAG_API rag_status rag_text_chunk(rag_text text, const rag_chunk_options* options, rag_chunks** chunks) RAG_NOEXCEPT;
RAG_API size_t rag_chunks_count(const rag_chunks* chunks) RAG_NOEXCEPT; /* 0 for NULL. since 0.1.0 */
RAG_API rag_status rag_chunks_at(const rag_chunks* chunks, size_t index, rag_chunk* chunk) RAG_NOEXCEPT; /* since 0.1.0 */
RAG_API void rag_chunks_free(rag_chunks* chunks) RAG_NOEXCEPT;                                           /* since 0.1.0 */

/* ------------------------------------------------------------------------------------------------------------------------------
 * Tokenizer: text to token ids and back, exactly as the model's own Hugging Face tokenizer does it. Immutable.
 * ---------------------------------------------------------------------------------------------------------------------------- */

/* Reads a folder with tokenizer.json, or else vocab.json and merges.txt, a .tiktoken file, a SentencePiece .model, vocab.txt, or
 * an RWKV vocabulary; one of these files; or a GGUF file. RAG_UNSUPPORTED names a stage that librag does not know. since 0.1.0 */
RAG_API rag_status rag_tokenizer_open(rag_text path, rag_tokenizer** tokenizer) RAG_NOEXCEPT;
/* The same from the content of a tokenizer.json, and (or not given) of the tokenizer_config.json beside it. since 0.1.0 */
RAG_API rag_status rag_tokenizer_from_json(rag_text json, rag_text configuration, rag_tokenizer** tokenizer) RAG_NOEXCEPT;
RAG_API void rag_tokenizer_free(rag_tokenizer* tokenizer) RAG_NOEXCEPT; /* since 0.1.0 */

/* Writes a tokenizer.json that Hugging Face's tokenizers reads with the same results, whatever this one was read from; names of
 * special tokens and chat templates are not part of that file. All of the file or nothing is written. RAG_UNSUPPORTED names what
 * tokenizer.json cannot say. since 0.1.0 */
RAG_API rag_status rag_tokenizer_save(const rag_tokenizer* tokenizer, rag_text path) RAG_NOEXCEPT;
/* The text of that file. since 0.1.0 */
RAG_API rag_status rag_tokenizer_to_json(const rag_tokenizer* tokenizer, rag_string** json) RAG_NOEXCEPT;
/* Names of special tokens and the chat template, as the text of a tokenizer_config.json. since 0.1.0 */
RAG_API rag_status rag_tokenizer_configuration(const rag_tokenizer* tokenizer, rag_string** json) RAG_NOEXCEPT;

typedef enum rag_invalid_text {
    RAG_INVALID_TEXT_REFUSE = 0, /* RAG_INVALID_ARGUMENT that names the first ill-formed byte's offset */
    RAG_INVALID_TEXT_REPLACE = 1 /* U+FFFD for each maximal ill-formed part (Unicode 3.9), as browsers and Rust do it. Offsets
                                    in bytes stay those of your text; in characters such a part counts as one */
} rag_invalid_text;
typedef enum rag_offset_unit { RAG_OFFSET_BYTES = 0, RAG_OFFSET_CHARACTERS = 1 /* code points */ } rag_offset_unit;
typedef enum rag_truncation {
    RAG_TRUNCATION_FILE = 0, /* as tokenizer.json says; the three settings beside it are not looked at */
    RAG_TRUNCATION_OFF = 1,
    RAG_TRUNCATION_LONGEST_FIRST = 2, /* of a pair the longer text, then both */
    RAG_TRUNCATION_ONLY_FIRST = 3,
    RAG_TRUNCATION_ONLY_SECOND = 4
} rag_truncation;
typedef enum rag_padding {
    RAG_PADDING_FILE = 0, /* as tokenizer.json says; the settings beside it are not looked at */
    RAG_PADDING_OFF = 1,
    RAG_PADDING_LONGEST = 2, /* to the longest of the batch */
    RAG_PADDING_LENGTH = 3   /* to padding_length; longer ones stay */
} rag_padding;

typedef struct rag_tokenize_options {
    uint32_t struct_size;
    int32_t add_special_tokens; /* not 0: those of the file's post-processor */
    uint32_t invalid_text;      /* rag_invalid_text */
    uint32_t offset_unit;       /* rag_offset_unit */
    int32_t keep_overflow;      /* not 0: what truncation cuts off can be asked for (rag_encoding_overflow_count) */
    uint32_t truncation;        /* rag_truncation */
    uint64_t max_length;        /* tokens, special ones included */
    uint64_t stride;            /* tokens that each overflowing window shares with the one before it; less than a window holds */
    int32_t truncate_left;      /* not 0: the end of the text stays */
    uint32_t padding;           /* rag_padding */
    uint64_t padding_length;    /* tokens; at most 2^20, as is padding_multiple */
    uint64_t padding_multiple;  /* lengths are rounded up to a multiple of this; 0: they are not */
    int32_t pad_left;           /* not 0: padding comes first */
    int32_t pad_id;             /* -1: the file's padding token, or the one that its configuration names pad_token */
    uint32_t pad_type_id;
    uint32_t threads;         /* of a batch; 0: as many as the process may use */
    rag_text pad_token;       /* its text; not given: that of pad_id */
    rag_progress_fn progress; /* of a batch, in texts; may be NULL */
    void* user_data;
} rag_tokenize_options;
#define RAG_TOKENIZE_OPTIONS_INIT  \
    {sizeof(rag_tokenize_options), \
     1,                            \
     RAG_INVALID_TEXT_REFUSE,      \
     RAG_OFFSET_BYTES,             \
     0,                            \
     RAG_TRUNCATION_FILE,          \
     0,                            \
     0,                            \
     0,                            \
     RAG_PADDING_FILE,             \
     0,                            \
     0,                            \
     0,                            \
     -1,                           \
     0,                            \
     0,                            \
     {NULL, 0},                    \
     NULL,                         \
     NULL}

/* What a text, or a pair, became. Immutable; outlives its tokenizer. */
typedef struct rag_encoding rag_encoding;
typedef struct rag_encoding_view {
    uint32_t struct_size; /* set by the caller: RAG_ENCODING_VIEW_INIT */
    size_t count;         /* of tokens, and elements of each array */
    const int32_t* ids;
    const uint32_t* offsets; /* [count, 2]: where the token begins and ends in its text, in offset_unit; 0, 0 for tokens that were
                                added */
    const uint32_t* type_ids;
    const uint32_t* attention_mask;      /* 0: padding */
    const uint32_t* special_tokens_mask; /* 1: added by the post-processor, or padding */
    const int8_t* sequence_ids;          /* of which text: 0 the first, 1 the pair, -1 none */
    const int32_t* word_ids; /* of which word of its text: words are what added tokens and the pre-tokenizer cut; -1 none */
} rag_encoding_view;
#define RAG_ENCODING_VIEW_INIT {sizeof(rag_encoding_view), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL}

/* Encodes a text, or a pair (`pair` given; an empty pair is {"", 0}). `options` may be NULL. RAG_INVALID_ARGUMENT also where
 * truncation cannot do what is asked. At most 1 GiB a text; NULs are characters like others. since 0.1.0 */
RAG_API rag_status rag_tokenizer_encode(const rag_tokenizer* tokenizer, rag_text text, rag_text pair,
                                        const rag_tokenize_options* options, rag_encoding** encoding) RAG_NOEXCEPT;
/* Encodes `count` texts on several threads, texts[i] alone or with pairs[i] (`pairs` may be NULL, and each may be not given).
 * encodings[0 .. count) are handles of their own, in the order of the texts; all NULL on failure and when stopped. Padding to the
 * longest goes over all. Errors name the text. since 0.1.0 */
RAG_API rag_status rag_tokenizer_encode_batch(const rag_tokenizer* tokenizer, const rag_text* texts, const rag_text* pairs,
                                              size_t count, const rag_tokenize_options* options,
                                              rag_encoding** encodings) RAG_NOEXCEPT;
/* A text that the caller has cut into words. Not given (words NULL) as a pair: there is no pair. */
typedef struct rag_words {
    const rag_text* words; /* of one without words: not NULL, and not looked at */
    size_t count;
} rag_words;
/* The same for words, as Hugging Face's is_pretokenized: each word is normalized, cut and turned into tokens as a text of its
 * own, with white space only where it has some; then they are one sequence. Offsets are those in a token's word, word_ids are
 * indices into `words`. Errors name the word. since 0.1.0 */
RAG_API rag_status rag_tokenizer_encode_words(const rag_tokenizer* tokenizer, rag_words text, rag_words pair,
                                              const rag_tokenize_options* options, rag_encoding** encoding) RAG_NOEXCEPT;
RAG_API rag_status rag_tokenizer_encode_words_batch(const rag_tokenizer* tokenizer, const rag_words* texts,
                                                    const rag_words* pairs, size_t count, const rag_tokenize_options* options,
                                                    rag_encoding** encodings) RAG_NOEXCEPT; /* since 0.1.0 */
/* The arrays belong to the encoding. since 0.1.0 */
RAG_API rag_status rag_encoding_get(const rag_encoding* encoding, rag_encoding_view* view) RAG_NOEXCEPT;
/* A token as the vocabulary writes it, made now: not terminated, lives as long as the encoding; {NULL, 0} out of range.
 * since 0.1.0 */
RAG_API rag_text rag_encoding_token(const rag_encoding* encoding, size_t index) RAG_NOEXCEPT;
/* What truncation cut off, if keep_overflow asked for it, as encodings with special tokens and padding of their own: further
 * windows of the text, each sharing `stride` tokens with the one before; of a pair the windows of both combined, where those of
 * the first overflow in turn. As Hugging Face's Encoding.overflowing. They are made by the first call, and belong to `encoding`.
 * RAG_INVALID_ARGUMENT where they would have more than 2^26 tokens. since 0.1.0 */
RAG_API rag_status rag_encoding_overflow_count(const rag_encoding* encoding, size_t* count) RAG_NOEXCEPT;
RAG_API rag_status rag_encoding_overflow_at(const rag_encoding* encoding, size_t index,
                                            const rag_encoding** overflow) RAG_NOEXCEPT; /* since 0.1.0 */
/* All of an encoding as bytes, what overflows included, and one made of such bytes, which needs no tokenizer: to hand it to
 * another process or keep it. Untrusted bytes are fine: RAG_CORRUPT for those that are no encoding's, RAG_VERSION_MISMATCH for
 * those of a newer librag. since 0.1.0 */
RAG_API rag_status rag_encoding_to_bytes(const rag_encoding* encoding, rag_string** bytes) RAG_NOEXCEPT;
RAG_API rag_status rag_encoding_from_bytes(rag_text bytes, rag_encoding** encoding) RAG_NOEXCEPT; /* since 0.1.0 */
RAG_API void rag_encoding_free(rag_encoding* encoding) RAG_NOEXCEPT; /* not those of rag_encoding_overflow_at. since 0.1.0 */

/* The text of these ids; ids that no token has are left out, as Hugging Face does. Always well-formed. since 0.1.0 */
RAG_API rag_status rag_tokenizer_decode(const rag_tokenizer* tokenizer, const int32_t* ids, size_t count,
                                        int32_t skip_special_tokens, rag_string** text) RAG_NOEXCEPT;
/* `count` lists of ids, ids[i] of counts[i] elements, on so many threads (0: as many as the process may use). since 0.1.0 */
RAG_API rag_status rag_tokenizer_decode_batch(const rag_tokenizer* tokenizer, const int32_t* const* ids, const size_t* counts,
                                              size_t count, int32_t skip_special_tokens, uint32_t threads,
                                              rag_strings** texts) RAG_NOEXCEPT;

/* Decodes one id at a time and never gives out half a character: all that push and finish return, put together, is
 * rag_tokenizer_decode of all ids. One thread at a time; outlives its tokenizer. since 0.1.0 */
typedef struct rag_decode_stream rag_decode_stream;
RAG_API rag_status rag_decode_stream_open(const rag_tokenizer* tokenizer, int32_t skip_special_tokens,
                                          rag_decode_stream** stream) RAG_NOEXCEPT;
/* The text that became certain with this id, often none. Valid until the next call with this stream. since 0.1.0 */
RAG_API rag_status rag_decode_stream_push(rag_decode_stream* stream, int32_t id, rag_text* text) RAG_NOEXCEPT;
/* What was held back; half a character comes out as U+FFFD. Afterwards the stream is as new. since 0.1.0 */
RAG_API rag_status rag_decode_stream_finish(rag_decode_stream* stream, rag_text* text) RAG_NOEXCEPT;
RAG_API void rag_decode_stream_free(rag_decode_stream* stream) RAG_NOEXCEPT; /* since 0.1.0 */

/* RAG_NOT_FOUND: there is no such token. since 0.1.0 */
RAG_API rag_status rag_tokenizer_token_to_id(const rag_tokenizer* tokenizer, rag_text token, int32_t* id) RAG_NOEXCEPT;
/* RAG_INVALID_ARGUMENT: no token has this id. since 0.1.0 */
RAG_API rag_status rag_tokenizer_id_to_token(const rag_tokenizer* tokenizer, int32_t id, rag_string** token) RAG_NOEXCEPT;
/* The same without a copy: not terminated, lives as long as the tokenizer; {NULL, 0} for an id that no token has. since 0.1.0 */
RAG_API rag_text rag_tokenizer_token(const rag_tokenizer* tokenizer, int32_t id) RAG_NOEXCEPT;
/* Tokens in the vocabulary, added ones included; 0 for NULL. since 0.1.0 */
RAG_API int64_t rag_tokenizer_vocab_size(const rag_tokenizer* tokenizer) RAG_NOEXCEPT;
/* One more than the largest id; 0 for NULL. since 0.1.0 */
RAG_API int32_t rag_tokenizer_id_limit(const rag_tokenizer* tokenizer) RAG_NOEXCEPT;

/* A token that is cut out of the text before anything else looks at it. */
typedef struct rag_added_token {
    uint32_t struct_size; /* set by the caller: RAG_ADDED_TOKEN_INIT */
    int32_t id;
    rag_text content;    /* lives as long as the tokenizer */
    int32_t single_word; /* 1: not inside a word */
    int32_t lstrip;      /* 1: takes the white space before it along */
    int32_t rstrip;      /* 1: and behind it */
    int32_t normalized;  /* 1: looked for in normalized text */
    int32_t special;     /* 1: left out by skip_special_tokens */
} rag_added_token;
#define RAG_ADDED_TOKEN_INIT {sizeof(rag_added_token), 0, {NULL, 0}, 0, 0, 0, 0, 0}
RAG_API size_t rag_tokenizer_added_token_count(const rag_tokenizer* tokenizer) RAG_NOEXCEPT; /* 0 for NULL. since 0.1.0 */
RAG_API rag_status rag_tokenizer_added_token_at(const rag_tokenizer* tokenizer, size_t index,
                                                rag_added_token* token) RAG_NOEXCEPT; /* since 0.1.0 */
/* A special token by its name: bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token, as
 * tokenizer_config.json, special_tokens_map.json or a GGUF file give it. RAG_NOT_FOUND: they name none, or one that the
 * vocabulary lacks. `token` (may be NULL) lives as long as the tokenizer. since 0.1.0 */
RAG_API rag_status rag_tokenizer_special_token(const rag_tokenizer* tokenizer, rag_text name, rag_text* token,
                                               int32_t* id) RAG_NOEXCEPT;

typedef struct rag_chat_options {
    uint32_t struct_size;
    int32_t add_generation_prompt; /* not 0: the template is asked to open the answer */
    rag_text tools;                /* a JSON array of objects (schemas of functions); not given: none */
    rag_text documents;            /* a JSON array of objects, such as {"title", "text"}; not given: none */
    rag_text variables;            /* a JSON object: what else the template may read, special tokens by their names too */
    rag_text chat_template;  /* the name of one of the file's templates, or Jinja itself, parsed by each call. Not given: the
                              * file's own; where it has several, "tool_use" when tools are given, else "default" */
    rag_text continue_field; /* such as "content": this field of the last message is left open, so that a model goes on with it.
                              * Not together with add_generation_prompt. Not given: all messages are closed */
} rag_chat_options;
#define RAG_CHAT_OPTIONS_INIT {sizeof(rag_chat_options), 1, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}}

/* Writes a conversation, [{"role": "user", "content": "..."}], as the model's chat template says: the text that transformers'
 * apply_chat_template gives, keys of messages that hold null are left out. `options` may be NULL: their INIT values. A template
 * runs in a sandbox with limits on its steps, output and depth. RAG_NOT_FOUND: the file has no template, or no default one.
 * RAG_INVALID_ARGUMENT: the template refuses the messages or passes a limit; RAG_UNSUPPORTED: it uses what librag does not know.
 * Both name the line. since 0.1.0 */
RAG_API rag_status rag_tokenizer_apply_chat_template(const rag_tokenizer* tokenizer, rag_text messages,
                                                     const rag_chat_options* options, rag_string** text) RAG_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------------------
 * Models. The first one that is opened loads librag_torch.so and LibTorch (RAG_NO_BACKEND says what is missing).
 * ---------------------------------------------------------------------------------------------------------------------------- */

/* Ends all computing of models for good, for programs that end while threads of theirs still compute: calls that run return
 * RAG_INVALID_STATE within a layer, so do later ones, and no model can be opened any more. Returns when nothing computes any
 * more, after ten seconds at the latest. exit() does the same before LibTorch is torn down, but comes too late for an operator
 * that another thread is just using for the very first time. Any thread; nothing happens in a child of fork(). since 0.1.0 */
RAG_API void rag_models_shutdown(void) RAG_NOEXCEPT;

/* RAG_INT8: weights per output channel, inputs by row with a zero point. RAG_INT4: weights in groups of 32 with a scale and a
 * minimum each (five bits a weight), rounded to nearest with a search over clipped ranges; GGUF tensors of the types Q4_0 and
 * Q4_1 are taken over as they are. RAG_AUTO, for opening a model: the one of float32, bfloat16 and int8 in which the first layer
 * is clearly fastest on this machine, by a measurement of some tens of milliseconds (seconds for billions of weights), once a
 * process and model; int4 is a candidate where the file has four bits already. The model's description says what was measured. */
typedef enum rag_dtype { RAG_FLOAT32 = 0, RAG_BFLOAT16 = 1, RAG_FLOAT16 = 2, RAG_INT8 = 3, RAG_INT4 = 4, RAG_AUTO = 5 } rag_dtype;

typedef struct rag_model_options {
    uint32_t struct_size;
    uint32_t dtype;   /* rag_dtype: what the weights are kept in and computed with */
    uint32_t threads; /* at most 1024; 0: as many as the process may use */
    /* Not given: "cpu". Another device of LibTorch's, "cuda:0", is experimental: float32, bfloat16 and float16 alone.
     * RAG_UNSUPPORTED where it is not there or does not compute what is asked for, RAG_INVALID_ARGUMENT where LibTorch has no
     * such name. */
    rag_text device;
    /* Encoders alone: vectors are cut to so many first dimensions (Matryoshka); 0: not. RAG_INVALID_ARGUMENT above the model's.
     */
    uint32_t truncate_dim;
    /* Other dtypes for layers whose names fit a pattern, "lm_head=bfloat16,model.layers.0.*=float32" or
     * "encoder.layer.0.*=float32"; `*` stands for anything, a later pattern goes before an earlier one. Layers that are computed
     * together (q, k and v; gate and up) take one dtype. RAG_INVALID_ARGUMENT for a pattern that fits no layer or cannot be
     * read. */
    rag_text exceptions;
    uint32_t int8_cache; /* generators alone: 1: keys and values in bytes, a scale for every head and position: half the memory */
    /* Calls of concurrent threads are computed together: so many at most, with so many tokens in all (a larger one computes
     * alone), after waiting so long for those that are under way. A caller who is alone never waits. */
    uint32_t batch_requests;          /* 0: 32 */
    uint32_t batch_tokens;            /* 0: 2048 */
    uint32_t batch_wait_microseconds; /* at most 1000000 */
    /* 1: every file is compared with the folder's SHA256SUMS first; RAG_CORRUPT names one that differs, is missing or, of
     * weights, is not listed, RAG_NOT_FOUND: there is no SHA256SUMS. */
    uint32_t verify;
    /* Asked every 50 ms on the calling thread while the model is opened, may be NULL; its numbers mean nothing. When it stops,
     * the call ends with RAG_STOPPED before the next tensor and leaves nothing. */
    rag_progress_fn progress;
    void* user_data;
} rag_model_options;
#define RAG_MODEL_OPTIONS_INIT {sizeof(rag_model_options), RAG_FLOAT32, 0, {NULL, 0}, 0, {NULL, 0}, 0, 0, 0, 3000, 0, NULL, NULL}

/* Opens a sentence-transformers folder (config.json, model.safetensors, tokenizer.json, modules.json): BERT, RoBERTa,
 * XLM-RoBERTa, DistilBERT, MPNet or ModernBERT, or a decoder (Qwen3-Embedding and its like), with every pooling mode, Dense and
 * Normalize modules. Models of the same files and dtype share one copy of their weights in memory. RAG_UNSUPPORTED names the
 * architecture, module or type that librag does not know, RAG_CORRUPT the tensor that does not fit. since 0.1.0 */
RAG_API rag_status rag_encoder_open(rag_text path, const rag_model_options* options, rag_encoder** encoder) RAG_NOEXCEPT;
RAG_API void rag_encoder_free(rag_encoder* encoder) RAG_NOEXCEPT;                   /* since 0.1.0 */
RAG_API uint32_t rag_encoder_dimension(const rag_encoder* encoder) RAG_NOEXCEPT;    /* 0 for NULL. since 0.1.0 */
RAG_API uint32_t rag_encoder_max_tokens(const rag_encoder* encoder) RAG_NOEXCEPT;   /* longer texts are cut. since 0.1.0 */
RAG_API uint64_t rag_encoder_weight_bytes(const rag_encoder* encoder) RAG_NOEXCEPT; /* at its dtype. since 0.1.0 */
/* The model's own tokenizer, as a handle of its own. since 0.1.0 */
RAG_API rag_status rag_encoder_tokenizer(const rag_encoder* encoder, rag_tokenizer** tokenizer) RAG_NOEXCEPT;

/* The dtype in use (RAG_AUTO's choice, where that was asked for); 0 for NULL. since 0.1.0 */
RAG_API uint32_t rag_encoder_dtype(const rag_encoder* encoder) RAG_NOEXCEPT;
RAG_API uint32_t rag_classifier_dtype(const rag_classifier* classifier) RAG_NOEXCEPT;
RAG_API uint32_t rag_generator_dtype(const rag_generator* generator) RAG_NOEXCEPT;
/* One line for people: path, architecture, sizes, dtype and why it was chosen, backend. since 0.1.0 */
RAG_API rag_status rag_encoder_describe(const rag_encoder* encoder, rag_string** text) RAG_NOEXCEPT;
RAG_API rag_status rag_classifier_describe(const rag_classifier* classifier, rag_string** text) RAG_NOEXCEPT;
RAG_API rag_status rag_generator_describe(const rag_generator* generator, rag_string** text) RAG_NOEXCEPT;

/* What stands in front of every text. Query and document: the first that the folder has of "query", and of "document", "passage"
 * and "corpus", as sentence-transformers' encode_query and encode_document say; none where it has none of them. */
typedef enum rag_prompt {
    RAG_PROMPT_DEFAULT = 0, /* the folder's default_prompt_name, if it has one */
    RAG_PROMPT_NAMED = 1,   /* the folder's prompt of this name; RAG_NOT_FOUND lists those it has */
    RAG_PROMPT_TEXT = 2,    /* this text */
    RAG_PROMPT_QUERY = 3,
    RAG_PROMPT_DOCUMENT = 4
} rag_prompt;
/* The folder's prompts by name, a JSON object. since 0.1.0 */
RAG_API rag_status rag_encoder_prompts(const rag_encoder* encoder, rag_string** json) RAG_NOEXCEPT;

typedef struct rag_encode_options {
    uint32_t struct_size;
    int32_t normalize;        /* not 0: vectors of length 1 */
    uint32_t batch_tokens;    /* tokens computed at once; 0: librag chooses */
    rag_progress_fn progress; /* in texts; may be NULL */
    void* user_data;
    uint32_t prompt_kind;              /* rag_prompt */
    rag_text prompt;                   /* the name or the text */
    const rag_adapter_share* adapters; /* for this call; NULL: as rag_encoder_set_adapter says. With a count of 0: the base */
    size_t adapter_count;
} rag_encode_options;
#define RAG_ENCODE_OPTIONS_INIT {sizeof(rag_encode_options), 1, 0, NULL, NULL, RAG_PROMPT_DEFAULT, {NULL, 0}, NULL, 0}

/* Vectors of texts: `vectors` is [count, dimension] and holds `vector_floats` floats, which must be just as many. After a failure
 * or RAG_STOPPED its content is not defined. RAG_INVALID_STATE: an adapter was merged or unmerged meanwhile. since 0.1.0 */
RAG_API rag_status rag_encoder_encode(const rag_encoder* encoder, const rag_text* texts, size_t count,
                                      const rag_encode_options* options, float* vectors, size_t vector_floats) RAG_NOEXCEPT;

/* Opens a sequence classifier (a folder of transformers' NAMEForSequenceClassification: BERT, RoBERTa, XLM-RoBERTa, DistilBERT,
 * MPNet, ModernBERT or a decoder). A CrossEncoder is one that reads pairs and has one label; so does a language model that is a
 * reranker (Qwen3-Reranker: a LogitScore in modules.json, or a Qwen3ForCausalLM without modules.json), whose score is the logit
 * of "yes" less that of "no" behind its prompt. Errors: as rag_encoder_open. since 0.1.0 */
RAG_API rag_status rag_classifier_open(rag_text path, const rag_model_options* options, rag_classifier** classifier) RAG_NOEXCEPT;
RAG_API void rag_classifier_free(rag_classifier* classifier) RAG_NOEXCEPT;                /* since 0.1.0 */
RAG_API size_t rag_classifier_label_count(const rag_classifier* classifier) RAG_NOEXCEPT; /* 0 for NULL. since 0.1.0 */
/* The label's name, as long as the classifier; {NULL, 0} for an index out of range. since 0.1.0 */
RAG_API rag_text rag_classifier_label(const rag_classifier* classifier, size_t index) RAG_NOEXCEPT;
RAG_API uint32_t rag_classifier_max_tokens(const rag_classifier* classifier) RAG_NOEXCEPT; /* longer ones are cut. since 0.1.0 */
RAG_API uint64_t rag_classifier_weight_bytes(const rag_classifier* classifier) RAG_NOEXCEPT; /* at its dtype. since 0.1.0 */
/* The model's own tokenizer, as a handle of its own. since 0.1.0 */
RAG_API rag_status rag_classifier_tokenizer(const rag_classifier* classifier, rag_tokenizer** tokenizer) RAG_NOEXCEPT;

/* The folder's prompts by name, a JSON object. since 0.1.0 */
RAG_API rag_status rag_classifier_prompts(const rag_classifier* classifier, rag_string** json) RAG_NOEXCEPT;

/* What becomes of the logits. */
typedef enum rag_scores {
    RAG_SCORES_CROSS_ENCODER = 0, /* as sentence-transformers: the function that config.json names (activation_fn), else sigmoid
                                     for one label and nothing for several */
    RAG_SCORES_RAW = 1,
    RAG_SCORES_PROBABILITIES = 2 /* as transformers' text-classification: sigmoid for one label and where config.json says that a
                                    text may have several (problem_type), else softmax */
} rag_scores;
typedef struct rag_predict_options {
    uint32_t struct_size;
    uint32_t scores;          /* rag_scores */
    uint32_t batch_tokens;    /* tokens computed at once; 0: librag chooses */
    rag_progress_fn progress; /* in texts; may be NULL */
    void* user_data;
    /* rag_prompt: what stands in front of the first text; of a language model that is a reranker, its instruction. */
    uint32_t prompt_kind;
    rag_text prompt;                   /* the name or the text */
    const rag_adapter_share* adapters; /* for this call; NULL: as rag_classifier_set_adapter says. With a count of 0: the base */
    size_t adapter_count;
} rag_predict_options;
#define RAG_PREDICT_OPTIONS_INIT \
    {sizeof(rag_predict_options), RAG_SCORES_CROSS_ENCODER, 0, NULL, NULL, RAG_PROMPT_DEFAULT, {NULL, 0}, NULL, 0}

/* Scores of texts, or of pairs: `pairs` is NULL, or has the second text of each. Of a pair that is too long the longer text is
 * cut first. A language model that is a reranker reads pairs alone (RAG_INVALID_ARGUMENT). `scores` is [count, label_count] and
 * holds `score_floats` floats, which must be just as many. After a failure or RAG_STOPPED its content is not defined.
 * RAG_INVALID_STATE: an adapter was merged or unmerged meanwhile. since 0.1.0 */
RAG_API rag_status rag_classifier_predict(const rag_classifier* classifier, const rag_text* texts, const rag_text* pairs,
                                          size_t count, const rag_predict_options* options, float* scores,
                                          size_t score_floats) RAG_NOEXCEPT;

/* Opens a GGUF file or a Hugging Face folder of a decoder: Llama, Mistral, Qwen2, Qwen3, Gemma 2 and 3 (text), Mixtral,
 * Qwen3-MoE. RAG_UNSUPPORTED names a setting that is not computed. Steps of concurrent calls are computed together. since 0.1.0
 */
RAG_API rag_status rag_generator_open(rag_text path, const rag_model_options* options, rag_generator** generator) RAG_NOEXCEPT;
RAG_API void rag_generator_free(rag_generator* generator) RAG_NOEXCEPT;                     /* since 0.1.0 */
RAG_API uint32_t rag_generator_context_length(const rag_generator* generator) RAG_NOEXCEPT; /* tokens; 0 for NULL. since 0.1.0 */
RAG_API int64_t rag_generator_vocab_size(const rag_generator* generator) RAG_NOEXCEPT;      /* of the logits. since 0.1.0 */
RAG_API uint64_t rag_generator_weight_bytes(const rag_generator* generator) RAG_NOEXCEPT;   /* at its dtype. since 0.1.0 */
RAG_API rag_status rag_generator_tokenizer(const rag_generator* generator,
                                           rag_tokenizer** tokenizer) RAG_NOEXCEPT; /* since 0.1.0 */

/* Logits of every position: `logits` is [count, vocab_size] and holds `logit_floats` floats, just as many. `progress` (may be
 * NULL) counts ids. After a failure or RAG_STOPPED the content of `logits` is not defined. RAG_INVALID_STATE: an adapter was
 * merged or unmerged meanwhile. since 0.1.0 */
RAG_API rag_status rag_generator_logits(const rag_generator* generator, const int32_t* ids, size_t count,
                                        rag_progress_fn progress, void* user_data, float* logits,
                                        size_t logit_floats) RAG_NOEXCEPT;

typedef struct rag_cache_options {
    uint32_t struct_size;
    uint32_t special_tokens; /* 1: those that the tokenizer puts around a prompt, for the text that comes first; 0: none */
    const rag_adapter_share* adapters; /* as in rag_generate_options; who uses the text must have the same */
    size_t adapter_count;
    rag_progress_fn progress; /* asked whether to go on, may be NULL; its numbers mean nothing */
    void* user_data;
} rag_cache_options;
#define RAG_CACHE_OPTIONS_INIT {sizeof(rag_cache_options), 1, NULL, 0, NULL, NULL}

/* Computes the keys and values of a text's tokens once, to be put before prompts (rag_generate_options.prefix) at any position:
 * its keys are turned to their new places, which takes a few hundredths of the time. One text before a prompt gives what the
 * whole text as a prompt gives. Texts behind the first do not see what stands before them, so with several of them logits, and
 * answers, differ from those of the whole text. It takes rag_cached_text_bytes of memory until it is freed, keeps the generator's
 * model alive, and may be used by any number of threads at once. Using it is RAG_INVALID_STATE with other adapters than it was
 * computed with (an adapter that was unloaded and loaded again is another one), or after one was merged or unmerged, also while
 * it is used, RAG_UNSUPPORTED where texts and prompt pass the original context of dynamic rotary scaling, RAG_INVALID_ARGUMENT
 * for another generator and where the context ends. `options` may be NULL. since 0.1.0 */
RAG_API rag_status rag_generator_cache(const rag_generator* generator, rag_text text, const rag_cache_options* options,
                                       rag_cached_text** cached) RAG_NOEXCEPT;
/* The same of token ids as they are, also for a generator without a tokenizer. since 0.1.0 */
RAG_API rag_status rag_generator_cache_ids(const rag_generator* generator, const int32_t* ids, size_t count,
                                           const rag_cache_options* options, rag_cached_text** cached) RAG_NOEXCEPT;
RAG_API size_t rag_cached_text_tokens(const rag_cached_text* cached) RAG_NOEXCEPT;  /* 0 for NULL. since 0.1.0 */
RAG_API uint64_t rag_cached_text_bytes(const rag_cached_text* cached) RAG_NOEXCEPT; /* keys and values. since 0.1.0 */
RAG_API void rag_cached_text_free(rag_cached_text* cached) RAG_NOEXCEPT;            /* since 0.1.0 */
/* As rag_generator_logits, behind cached texts. since 0.1.0 */
RAG_API rag_status rag_generator_logits_after(const rag_generator* generator, const rag_cached_text* const* prefix,
                                              size_t prefix_count, const int32_t* ids, size_t count, rag_progress_fn progress,
                                              void* user_data, float* logits, size_t logit_floats) RAG_NOEXCEPT;

typedef struct rag_generation rag_generation;
/* Continues raw text. `options` may be NULL. With RAG_STOPPED the text so far is given. RAG_INVALID_STATE: an adapter was merged
 * or unmerged meanwhile; what options.token got was of the weights before. since 0.1.0 */
RAG_API rag_status rag_generator_generate(const rag_generator* generator, rag_text prompt, const rag_generate_options* options,
                                          rag_generation** generation) RAG_NOEXCEPT;
/* Answers a conversation (JSON, as rag_tokenizer_apply_chat_template). since 0.1.0 */
RAG_API rag_status rag_generator_chat(const rag_generator* generator, rag_text messages, const rag_generate_options* options,
                                      rag_generation** generation) RAG_NOEXCEPT;
RAG_API rag_text rag_generation_text(const rag_generation* generation) RAG_NOEXCEPT; /* the new text alone. since 0.1.0 */
/* The new ids; `count` says how many. NULL for NULL. since 0.1.0 */
RAG_API const int32_t* rag_generation_ids(const rag_generation* generation, size_t* count) RAG_NOEXCEPT;
RAG_API rag_status rag_generation_usage(const rag_generation* generation, rag_usage* usage) RAG_NOEXCEPT; /* since 0.1.0 */
RAG_API void rag_generation_free(rag_generation* generation) RAG_NOEXCEPT;                                /* since 0.1.0 */

/* Reads a PEFT LoRA folder (generators: or a LoRA in GGUF) and keeps it under `name`. RAG_UNSUPPORTED names a setting or key that
 * librag does not know; RAG_CORRUPT a module that the model does not have or whose shape differs. since 0.1.0 */
RAG_API rag_status rag_encoder_load_adapter(rag_encoder* encoder, rag_text path, rag_text name) RAG_NOEXCEPT;
RAG_API rag_status rag_classifier_load_adapter(rag_classifier* classifier, rag_text path, rag_text name) RAG_NOEXCEPT;
RAG_API rag_status rag_generator_load_adapter(rag_generator* generator, rag_text path, rag_text name) RAG_NOEXCEPT;
/* Adds a loaded adapter to the weights; one at a time (RAG_INVALID_STATE). Engines that use the model see it. since 0.1.0 */
RAG_API rag_status rag_encoder_merge_adapter(rag_encoder* encoder, rag_text name) RAG_NOEXCEPT;
RAG_API rag_status rag_classifier_merge_adapter(rag_classifier* classifier, rag_text name) RAG_NOEXCEPT;
RAG_API rag_status rag_generator_merge_adapter(rag_generator* generator, rag_text name) RAG_NOEXCEPT;
/* Puts the base weights back, bit for bit; RAG_INVALID_STATE when nothing is merged. since 0.1.0 */
RAG_API rag_status rag_encoder_unmerge_adapter(rag_encoder* encoder) RAG_NOEXCEPT;
RAG_API rag_status rag_classifier_unmerge_adapter(rag_classifier* classifier) RAG_NOEXCEPT;
RAG_API rag_status rag_generator_unmerge_adapter(rag_generator* generator) RAG_NOEXCEPT;
/* What calls that name no adapters of their own add to the base, without touching the weights (beside a merged adapter): nothing
 * (count 0), one adapter, or several with weights. It takes effect with the next call, in microseconds once an adapter was used;
 * calls with different adapters are computed together. RAG_NOT_FOUND: a name that is not loaded; RAG_UNSUPPORTED: an adapter that
 * replaces tensors (modules_to_save, trained biases) and can be merged alone; then nothing changes. To an engine an embedder with
 * adapters is another embedder, as one with a merged adapter is. since 0.1.0 */
RAG_API rag_status rag_encoder_set_adapter(rag_encoder* encoder, const rag_adapter_share* shares, size_t count) RAG_NOEXCEPT;
RAG_API rag_status rag_classifier_set_adapter(rag_classifier* classifier, const rag_adapter_share* shares,
                                              size_t count) RAG_NOEXCEPT;
RAG_API rag_status rag_generator_set_adapter(rag_generator* generator, const rag_adapter_share* shares,
                                             size_t count) RAG_NOEXCEPT;

/* Forgets a loaded adapter; its name is free then, and calls that use it go on; texts cached with it are of no use to later ones.
 * RAG_NOT_FOUND; RAG_INVALID_STATE: it is merged, or the model is set to it. since 0.1.0 */
RAG_API rag_status rag_encoder_unload_adapter(rag_encoder* encoder, rag_text name) RAG_NOEXCEPT;
RAG_API rag_status rag_classifier_unload_adapter(rag_classifier* classifier, rag_text name) RAG_NOEXCEPT;
RAG_API rag_status rag_generator_unload_adapter(rag_generator* generator, rag_text name) RAG_NOEXCEPT;

/* As dtype of rag_save_options: the model's own, with its exceptions for layers. */
#define RAG_OWN_DTYPE 0xFFFFFFFFu

typedef struct rag_save_options {
    uint32_t struct_size;
    uint32_t dtype;           /* rag_dtype, or RAG_OWN_DTYPE */
    uint64_t shard_bytes;     /* at most so many bytes of weights a file (one tensor may be larger); 0: 5 GB */
    rag_progress_fn progress; /* in tensors; may be NULL */
    void* user_data;
} rag_save_options;
#define RAG_SAVE_OPTIONS_INIT {sizeof(rag_save_options), RAG_OWN_DTYPE, 0, NULL, NULL}

/* Writes the model into a new folder, a merged adapter included: weights as safetensors, configuration, tokenizer. In float32,
 * bfloat16 and float16 it is a Hugging Face folder that transformers reads too; in int8 and int4 librag's own, from which a model
 * of that dtype computes the same bits. Exceptions for layers hold again when the folder is opened in the same dtype; those of
 * the caller go before them. RAG_ALREADY_EXISTS when something is at `path`; RAG_UNSUPPORTED for a GGUF file whose rotary
 * positions config.json cannot say. After a failure or RAG_STOPPED nothing is left. `options` may be NULL. since 0.1.0 */
RAG_API rag_status rag_encoder_save(const rag_encoder* encoder, rag_text path, const rag_save_options* options) RAG_NOEXCEPT;
RAG_API rag_status rag_classifier_save(const rag_classifier* classifier, rag_text path,
                                       const rag_save_options* options) RAG_NOEXCEPT;
RAG_API rag_status rag_generator_save(const rag_generator* generator, rag_text path,
                                      const rag_save_options* options) RAG_NOEXCEPT;

/* Lets linear layers see what their inputs look like over these texts, so that saving in int4 compensates rounding errors (GPTQ).
 * A new sample takes the place of the one before; the model itself stays as it is. `progress` may be NULL: texts (of a generator:
 * tokens). Some 16,000 tokens of the kind of text that the model will see are enough. since 0.1.0 */
RAG_API rag_status rag_encoder_calibrate(rag_encoder* encoder, const rag_text* texts, size_t count, rag_progress_fn progress,
                                         void* user_data) RAG_NOEXCEPT;
RAG_API rag_status rag_generator_calibrate(rag_generator* generator, const rag_text* texts, size_t count,
                                           rag_progress_fn progress, void* user_data) RAG_NOEXCEPT;

typedef struct rag_inspect_options {
    uint32_t struct_size;
    int32_t sums;             /* not 0: SHA-256 of every file */
    int32_t verify;           /* not 0: compared with the folder's SHA256SUMS; RAG_NOT_FOUND when there is none */
    rag_progress_fn progress; /* in bytes of a file; may be NULL */
    void* user_data;
} rag_inspect_options;
#define RAG_INSPECT_OPTIONS_INIT {sizeof(rag_inspect_options), 0, 0, NULL, NULL}

/* What a model file or folder holds, from its headers alone: one JSON object with path, format ("gguf", "safetensors"),
 * architecture, tokenizer, chat_template, parameters, tensor_bytes, tensors (name, type, shape, bytes, file), files (name, bytes,
 * sha256, expected, state: "ok", "differs", "missing", "unlisted") and verified. Loads no LibTorch. Names from outside that are
 * no UTF-8 are mended. since 0.1.0 */
RAG_API rag_status rag_model_inspect(rag_text path, const rag_inspect_options* options, rag_string** json) RAG_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------------------
 * Vector index: nearest neighbours by id, in memory, saved to one file
 * ---------------------------------------------------------------------------------------------------------------------------- */

typedef enum rag_metric { RAG_METRIC_COSINE = 0, RAG_METRIC_IP = 1, RAG_METRIC_L2 = 2 } rag_metric;

typedef struct rag_vector_index rag_vector_index;
typedef struct rag_vector_index_options {
    uint32_t struct_size;
    uint32_t dimension;       /* 1 to 65,536 */
    uint32_t metric;          /* rag_metric */
    uint32_t dtype;           /* RAG_FLOAT32, or RAG_INT8: the graph is walked in int8, results are scored again in float32 */
    uint32_t m;               /* links a node (HNSW's M); 0: 16 */
    uint32_t ef_construction; /* 0: 200 */
    uint64_t seed;            /* equal seeds and additions give equal indexes; 0: 100 */
} rag_vector_index_options;
#define RAG_VECTOR_INDEX_OPTIONS_INIT {sizeof(rag_vector_index_options), 0, RAG_METRIC_COSINE, RAG_FLOAT32, 0, 0, 0}

RAG_API rag_status rag_vector_index_create(const rag_vector_index_options* options,
                                           rag_vector_index** index) RAG_NOEXCEPT;              /* since 0.1.0 */
RAG_API rag_status rag_vector_index_load(rag_text path, rag_vector_index** index) RAG_NOEXCEPT; /* since 0.1.0 */
/* Replaces the file at once; after a failure or RAG_STOPPED it is as it was. `progress` (may be NULL): bytes written, 0. since
 * 0.1.0 */
RAG_API rag_status rag_vector_index_save(const rag_vector_index* index, rag_text path, rag_progress_fn progress,
                                         void* user_data) RAG_NOEXCEPT;
RAG_API void rag_vector_index_free(rag_vector_index* index) RAG_NOEXCEPT;                /* since 0.1.0 */
RAG_API uint64_t rag_vector_index_count(const rag_vector_index* index) RAG_NOEXCEPT;     /* since 0.1.0 */
RAG_API uint32_t rag_vector_index_dimension(const rag_vector_index* index) RAG_NOEXCEPT; /* since 0.1.0 */

/* Adds `count` vectors [count, dimension]. Ids are 0 or more. An id that exists is RAG_ALREADY_EXISTS; NaN, infinity, a zero
 * vector under cosine or another dimension RAG_INVALID_ARGUMENT: each names the row, and nothing is added. Found at once. since
 * 0.1.0 */
RAG_API rag_status rag_vector_index_add(rag_vector_index* index, const int64_t* ids, const float* vectors, size_t count,
                                        uint32_t dimension, rag_progress_fn progress, void* user_data) RAG_NOEXCEPT;
/* Unknown ids are passed over. `removed` may be NULL. since 0.1.0 */
RAG_API rag_status rag_vector_index_remove(rag_vector_index* index, const int64_t* ids, size_t count,
                                           uint64_t* removed) RAG_NOEXCEPT;

/* A filter by id: only these are found. */
typedef struct rag_filter {
    uint32_t struct_size;
    const int64_t* ids; /* NULL with count 0: nothing is found */
    size_t count;
} rag_filter;
#define RAG_FILTER_INIT {sizeof(rag_filter), NULL, 0}

/* The most results (queries times k) that one search of an index returns. since 0.1.0 */
#define RAG_MAX_RESULTS 268435456

/* The k nearest of each of `count` queries [count, dimension]: ids and scores are [count, k], best first, -1 and NaN where fewer
 * are there. Scores: cosine, inner product, or minus the squared distance. ef 0: chosen by k; larger is more exact. `filter` may
 * be NULL. RAG_INVALID_ARGUMENT for more than RAG_MAX_RESULTS results. since 0.1.0 */
RAG_API rag_status rag_vector_index_search(const rag_vector_index* index, const float* queries, size_t count, uint32_t dimension,
                                           uint32_t k, uint32_t ef, const rag_filter* filter, int64_t* ids,
                                           float* scores) RAG_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------------------
 * BM25 index: lexical search by id, in memory, saved to one file; every script, English and Chinese alike
 * ---------------------------------------------------------------------------------------------------------------------------- */

typedef struct rag_bm25_index rag_bm25_index;

/* Variants of the formula: Lucene's; Robertson's with k1 + 1 and no weight for words that half of the texts have; BM25+ and BM25L
 * of Lv and Zhai (2011). */
typedef enum rag_bm25_variant { RAG_BM25_LUCENE = 0, RAG_BM25_OKAPI = 1, RAG_BM25_PLUS = 2, RAG_BM25_L = 3 } rag_bm25_variant;

typedef struct rag_bm25_index_options {
    uint32_t struct_size;
    float k1;           /* negative: 1.2 */
    float b;            /* negative: 0.5 */
    rag_text language;  /* not given: "auto", scripts decide and Latin script is stemmed as English; or a Snowball language */
    uint32_t variant;   /* rag_bm25_variant */
    float delta;        /* of BM25+ and BM25L; negative: 1 and 0.5 */
    float k3;           /* saturation of a word that the query repeats; negative: 1; infinity: it counts each time */
    float title_weight; /* an occurrence in the title counts as so many in the text (simple BM25F); a multiple of 1/8 up to 100;
                           negative: 2 */
    uint32_t positions; /* not 0: keeps where words stand, so that queries may hold phrases */
    uint32_t reserved;  /* 0 */
} rag_bm25_index_options;
#define RAG_BM25_INDEX_OPTIONS_INIT \
    {sizeof(rag_bm25_index_options), -1.0f, -1.0f, {NULL, 0}, RAG_BM25_LUCENE, -1.0f, -1.0f, -1.0f, 0, 0}

RAG_API rag_status rag_bm25_index_create(const rag_bm25_index_options* options,
                                         rag_bm25_index** index) RAG_NOEXCEPT; /* since 0.1.0 */
/* RAG_VERSION: a newer format, or words cut by another ICU: build the index again from its texts. since 0.1.0 */
RAG_API rag_status rag_bm25_index_load(rag_text path, rag_bm25_index** index) RAG_NOEXCEPT;
/* Replaces the file at once; after a failure or RAG_STOPPED it is as it was. `progress` (may be NULL): bytes written, bytes in
 * all. since 0.1.0 */
RAG_API rag_status rag_bm25_index_save(const rag_bm25_index* index, rag_text path, rag_progress_fn progress,
                                       void* user_data) RAG_NOEXCEPT;
RAG_API void rag_bm25_index_free(rag_bm25_index* index) RAG_NOEXCEPT;            /* since 0.1.0 */
RAG_API uint64_t rag_bm25_index_count(const rag_bm25_index* index) RAG_NOEXCEPT; /* since 0.1.0 */

/* Adds texts under ids of 0 or more; an id that exists is RAG_ALREADY_EXISTS and nothing is added. `titles`: as many as texts, or
 * NULL. since 0.1.0 */
RAG_API rag_status rag_bm25_index_add(rag_bm25_index* index, const int64_t* ids, const rag_text* titles, const rag_text* texts,
                                      size_t count, rag_progress_fn progress, void* user_data) RAG_NOEXCEPT;
/* The same, but texts whose id exists are replaced, all at one moment. `replaced` (may be NULL): how many. since 0.1.0 */
RAG_API rag_status rag_bm25_index_upsert(rag_bm25_index* index, const int64_t* ids, const rag_text* titles, const rag_text* texts,
                                         size_t count, uint64_t* replaced, rag_progress_fn progress,
                                         void* user_data) RAG_NOEXCEPT;
RAG_API rag_status rag_bm25_index_remove(rag_bm25_index* index, const int64_t* ids, size_t count,
                                         uint64_t* removed) RAG_NOEXCEPT; /* since 0.1.0 */

/* How queries are read. RAG_BM25_PLAIN: words to look for; quotes, hyphens and capitals mean nothing, and no query is an error.
 * RAG_BM25_LANGUAGE: "a phrase", pre*, +must, -not, AND, OR, NOT, parentheses, \ before a character without its meaning; what is
 * not of the language is RAG_INVALID_ARGUMENT, which says where. Words that just follow each other are alternatives. */
typedef enum rag_bm25_syntax { RAG_BM25_PLAIN = 0, RAG_BM25_LANGUAGE = 1 } rag_bm25_syntax;
typedef struct rag_bm25_search_options {
    uint32_t struct_size;
    uint32_t syntax;          /* rag_bm25_syntax */
    rag_progress_fn progress; /* on the calling thread; of highlight in bytes of the text, else without counts; may be NULL */
    void* user_data;
} rag_bm25_search_options;
#define RAG_BM25_SEARCH_OPTIONS_INIT {sizeof(rag_bm25_search_options), RAG_BM25_PLAIN, NULL, NULL}

/* As rag_vector_index_search; a text that shares no term with the query is not found. `options` may be NULL. since 0.1.0 */
RAG_API rag_status rag_bm25_index_search(const rag_bm25_index* index, const rag_text* queries, size_t count, uint32_t k,
                                         const rag_filter* filter, const rag_bm25_search_options* options, int64_t* ids,
                                         float* scores) RAG_NOEXCEPT;
/* How the score of one text came about, as JSON whose parts sum to it. RAG_NOT_FOUND: no such id. since 0.1.0 */
RAG_API rag_status rag_bm25_index_explain(const rag_bm25_index* index, rag_text query, int64_t id,
                                          const rag_bm25_search_options* options, rag_string** json) RAG_NOEXCEPT;
/* Where a text (it need not be in the index) has what the query looks for: `count` pairs of first byte and end, ascending; a
 * phrase only where all of it stands, as one pair. The first `capacity` pairs are written to `ranges` [capacity, 2], which may be
 * NULL if capacity is 0. since 0.1.0 */
RAG_API rag_status rag_bm25_index_highlight(const rag_bm25_index* index, rag_text query, rag_text text,
                                            const rag_bm25_search_options* options, uint64_t* ranges, size_t capacity,
                                            size_t* count) RAG_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------------------
 * Evaluation: quality as numbers
 * ---------------------------------------------------------------------------------------------------------------------------- */

typedef struct rag_retrieval_report rag_retrieval_report;
/* Compares a run with judgments, as trec_eval does. Row i of the run: document run_documents[i] was found for query
 * run_queries[i] with run_scores[i] (higher is better; equal scores count in order of falling document id). Row i of the
 * judgments: relevance[i] of a document for a query, relevant from 1 on. metrics: "ndcg@10", "recall@100", "precision@5",
 * "map", "mrr@10", "hit@1"; all but precision also without a depth. Every judged query counts, with 0 where the run has
 * nothing for it; queries without judgments are left out. RAG_INVALID_ARGUMENT names an unknown metric, a score that is no
 * number, a document that stands twice for a query. since 0.1.0 */
RAG_API rag_status rag_evaluate_retrieval(const rag_text* run_queries, const rag_text* run_documents, const double* run_scores,
                                          size_t run_count, const rag_text* judged_queries, const rag_text* judged_documents,
                                          const int32_t* relevance, size_t judged_count, const rag_text* metrics,
                                          size_t metric_count, rag_retrieval_report** report) RAG_NOEXCEPT;
RAG_API size_t rag_retrieval_report_query_count(const rag_retrieval_report* report) RAG_NOEXCEPT; /* judged ones. since 0.1.0 */
/* In the order of the judgments; {NULL, 0} out of range. since 0.1.0 */
RAG_API rag_text rag_retrieval_report_query_at(const rag_retrieval_report* report, size_t index) RAG_NOEXCEPT;
/* The values of metric number `metric`, one a query, and their mean; `values` and `mean` may be NULL. since 0.1.0 */
RAG_API rag_status rag_retrieval_report_values(const rag_retrieval_report* report, size_t metric, const double** values,
                                               double* mean) RAG_NOEXCEPT;
RAG_API void rag_retrieval_report_free(rag_retrieval_report* report) RAG_NOEXCEPT; /* since 0.1.0 */

/* Is b better than a by more than chance? Fisher's two-sided randomisation test over `count` paired scores: exact where at most
 * 20 pairs differ, else over `trials` random changes of sign from `seed`. `difference`: mean of b minus mean of a. since 0.1.0 */
RAG_API rag_status rag_evaluate_significance(const double* a, const double* b, size_t count, uint64_t trials, uint64_t seed,
                                             double* difference, double* p_value) RAG_NOEXCEPT;

typedef struct rag_text_scores {
    uint32_t struct_size;
    uint32_t reserved;
    double exact_match;             /* 0 or 1, after SQuAD's normalisation; each Chinese or Japanese character is a token */
    double token_f1;                /* of the bags of tokens */
    double rouge1, rouge2, rouge_l; /* F1, as rouge_score without stemming */
} rag_text_scores;
#define RAG_TEXT_SCORES_INIT {sizeof(rag_text_scores), 0, 0, 0, 0, 0, 0}
/* An answer against `count` references (at least 1): of each score the best over the references. Texts of at most 20,000
 * tokens. since 0.1.0 */
RAG_API rag_status rag_evaluate_text(rag_text answer, const rag_text* references, size_t count,
                                     rag_text_scores* scores) RAG_NOEXCEPT;

/* Predicted against true labels, numbers below `labels` (at most 4,096). macro_f1: the mean F1 of the labels that were true or
 * predicted at least once. confusion: NULL, or room for [labels, labels] counts, row true and column predicted. since 0.1.0 */
RAG_API rag_status rag_evaluate_labels(const uint32_t* truth, const uint32_t* predicted, size_t count, uint32_t labels,
                                       double* accuracy, double* macro_f1, uint64_t* confusion) RAG_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------------------
 * Training data: files as rows
 * ---------------------------------------------------------------------------------------------------------------------------- */

typedef enum rag_row_kind {
    RAG_ROWS_ANY = 0,      /* as an option: what the first row is */
    RAG_ROWS_TEXT = 1,     /* {"text"} */
    RAG_ROWS_LABELLED = 2, /* {"text", "text_pair", "label"}; text_pair may be missing */
    RAG_ROWS_CHAT = 3,     /* {"messages", "tools"}; tools may be missing */
    RAG_ROWS_RETRIEVAL = 4 /* {"query", "positive", "negatives"}; negatives may be missing */
} rag_row_kind;

typedef struct rag_training_options {
    uint32_t struct_size;
    uint32_t kind;        /* rag_row_kind: what rows must be */
    rag_text format;      /* a suffix without its dot; not given: the file's */
    rag_text encoding;    /* not given: found, as for documents */
    rag_text text_column; /* columns of tables and members of objects, instead of the usual ones */
    rag_text pair_column;
    rag_text label_column;
    rag_text query_column;
    rag_text positive_column;
    rag_text negatives_column;
    rag_text messages_column;
    const rag_text* labels; /* those that may be; NULL: any */
    size_t label_count;
    rag_text split;           /* of a BEIR folder; not given: "train" */
    uint64_t max_row_bytes;   /* 0: 1 MiB; a row with more is a bad one */
    int32_t skip_bad_rows;    /* 0: the first bad row is an error; else bad rows are counted and named */
    uint32_t reserved;        /* 0 */
    rag_progress_fn progress; /* bytes read, bytes in all; may be NULL */
    void* user_data;
} rag_training_options;
#define RAG_TRAINING_OPTIONS_INIT  \
    {sizeof(rag_training_options), \
     0,                            \
     {NULL, 0},                    \
     {NULL, 0},                    \
     {NULL, 0},                    \
     {NULL, 0},                    \
     {NULL, 0},                    \
     {NULL, 0},                    \
     {NULL, 0},                    \
     {NULL, 0},                    \
     {NULL, 0},                    \
     NULL,                         \
     0,                            \
     {NULL, 0},                    \
     0,                            \
     0,                            \
     0,                            \
     NULL,                         \
     NULL}

typedef struct rag_training_rows rag_training_rows;
/* Reads a file of training data: .jsonl, .json (a list), .csv, .tsv, or a folder of BEIR. Rows may be objects with "text" and
 * "label"; "query", "positive" and "negatives" ("anchor", "pos", "neg"); "messages"; Alpaca's "instruction", "input" and
 * "output"; ShareGPT's "conversations"; "prompt" and "completion"; "text" alone. All rows of a file are of one kind.
 * RAG_NOT_FOUND, RAG_IO; RAG_UNSUPPORTED: another format; RAG_INVALID_ARGUMENT names the file, the line and what is wrong: a bad
 * row, no row, one class only, a label that is none of `labels`; RAG_STOPPED. `options` may be NULL. since 0.1.0 */
RAG_API rag_status rag_training_rows_read(rag_text path, const rag_training_options* options,
                                          rag_training_rows** rows) RAG_NOEXCEPT;
/* The same for bytes in memory; `name` stands for the file's. since 0.1.0 */
RAG_API rag_status rag_training_rows_read_bytes(const void* bytes, size_t size, rag_text name,
                                                const rag_training_options* options, rag_training_rows** rows) RAG_NOEXCEPT;
RAG_API uint32_t rag_training_rows_kind(const rag_training_rows* rows) RAG_NOEXCEPT; /* rag_row_kind; 0 for NULL. since 0.1.0 */
RAG_API size_t rag_training_rows_count(const rag_training_rows* rows) RAG_NOEXCEPT;  /* good ones; 0 for NULL. since 0.1.0 */
/* A row as a JSON object with the members of its kind, and its line in the file. since 0.1.0 */
RAG_API rag_status rag_training_rows_at(const rag_training_rows* rows, size_t index, rag_string** json,
                                        uint64_t* line) RAG_NOEXCEPT;
RAG_API size_t rag_training_rows_label_count(const rag_training_rows* rows) RAG_NOEXCEPT; /* of labelled rows. since 0.1.0 */
/* The labels given, or those that occur, sorted; {NULL, 0} out of range. since 0.1.0 */
RAG_API rag_text rag_training_rows_label_at(const rag_training_rows* rows, size_t index) RAG_NOEXCEPT;
RAG_API uint64_t rag_training_rows_skipped_count(const rag_training_rows* rows) RAG_NOEXCEPT; /* bad rows. since 0.1.0 */
/* Line and reason of one of the first 1,000 skipped rows; {NULL, 0} out of range. `line` may be NULL. since 0.1.0 */
RAG_API rag_text rag_training_rows_skipped_at(const rag_training_rows* rows, size_t index, uint64_t* line) RAG_NOEXCEPT;
/* SHA-256 over the rows as rag_training_rows_at gives them, one a line, in lower case: what a run's manifest.json says of its
 * data. since 0.1.0 */
RAG_API rag_status rag_training_rows_sha256(const rag_training_rows* rows, rag_string** sum) RAG_NOEXCEPT;
RAG_API void rag_training_rows_free(rag_training_rows* rows) RAG_NOEXCEPT; /* since 0.1.0 */

/* ------------------------------------------------------------------------------------------------------------------------------
 * Training: rows and settings in, a folder out
 * ---------------------------------------------------------------------------------------------------------------------------- */

/* What a run reports: after each step, and after each evaluation. */
typedef struct rag_training_step {
    uint32_t struct_size;
    uint32_t evaluated; /* not 0: metrics_json holds an evaluation behind this step, and the numbers of a step are 0 */
    uint64_t step;      /* done; 0: before the first */
    uint64_t steps;     /* planned */
    double epoch;       /* epochs done, with fractions */
    double loss;        /* mean of the step's rows (of a language model: of its tokens), nats */
    double learning_rate;
    double gradient_norm; /* before clipping */
    double tokens_per_second;
    double seconds;        /* of the run so far, those before a resume included */
    uint64_t rss_bytes;    /* memory of the process */
    rag_text metrics_json; /* an object of numbers; lives as long as the call of the callback */
} rag_training_step;
/* Called on the thread that called rag_train, before the next step begins. Not 0 stops the run. */
typedef int (*rag_training_step_fn)(const rag_training_step* step, void* user_data);

typedef struct rag_train_options {
    uint32_t struct_size;
    uint32_t drop_unused;         /* 1: settings that the task, method or output does not use get their defaults and a warning, as
                                     where an older manifest is repeated; 0: the first is RAG_INVALID_ARGUMENT */
    rag_text config_json;         /* settings: an object with members as rag_train_config lists them; "output" is needed */
    rag_training_step_fn on_step; /* may be NULL */
    rag_progress_fn poll; /* asked at least every 50 ms, on the thread that called, with (0, 0); not 0 stops. May be NULL */
    void* user_data;
    rag_text caller_json; /* an object that manifest.json keeps as "caller", such as versions of yours; not given: none */
} rag_train_options;
#define RAG_TRAIN_OPTIONS_INIT {sizeof(rag_train_options), 0, {NULL, 0}, NULL, NULL, NULL, {NULL, 0}}

/* Trains a model on rows: `task` is "causal_lm" (chat or text rows), "classification" (labelled), "contrastive" or "rerank"
 * (retrieval), "distill" (text; chat) or "masked_lm" (text). `model`: a Hugging Face or sentence-transformers folder, or a GGUF
 * file where an adapter is trained. `eval`: rows held out, or NULL.
 *
 * The folder "output" of the settings gets adapter/ (PEFT) or model/ (Hugging Face, sentence-transformers), metrics.jsonl (each
 * step), checkpoints/step-N and manifest.json. `result`: a JSON object with "path" (what to open), "best_path", "manifest",
 * "step", "best_step", "ended" ("done", "max_minutes", "patience"), "before" and "metrics" (evaluations), "history" (the lines of
 * metrics.jsonl), "seconds", "tokens", "skipped_count", "skipped" (line and reason), "cut_count", "resumed_step", "warnings"
 * (texts, such as a checkpoint that is damaged and was passed over, or a setting that is left out).
 *
 * RAG_INVALID_ARGUMENT: a setting by name, a row by file and line, all before the first step; RAG_ALREADY_EXISTS: "output" holds
 * a run and "resume" is not set; RAG_INVALID_STATE: a run to resume had other settings or data (named), a loss is no number, runs
 * away or gives no gradient for twenty steps (step and rows named); RAG_UNSUPPORTED; RAG_NO_BACKEND; RAG_IO; RAG_STOPPED: the
 * last whole step is in a checkpoint, from which "resume" goes on bit for bit (with one thread). After any other failure the last
 * checkpoint stays as well. Several runs at once need different folders. since 0.1.0 */
RAG_API rag_status rag_train(rag_text model, rag_text task, const rag_training_rows* train, const rag_training_rows* eval,
                             const rag_train_options* options, rag_string** result) RAG_NOEXCEPT;

/* The settings of `task` as a JSON object with every member: those of `config_json` (an object, or not given), checked, and what
 * a run takes for the rest. docs/training.md says what each means. RAG_INVALID_ARGUMENT names the member. since 0.1.0 */
RAG_API rag_status rag_train_config(rag_text task, rag_text config_json, rag_string** config) RAG_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* RAG_RAG_H_ */
