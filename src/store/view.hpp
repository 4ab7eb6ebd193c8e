// What can be read from a knowledge base: documents, chunks, vectors, settings, derived files. StoreView is the common part of
// StoreSnapshot (a consistent state for a reader) and WriteTransaction (the state that it is making); see store.hpp.
//
// Keys are SQLite's integers and never come back after a delete; ids are the caller's strings. Byte offsets are into the UTF-8
// of the document's text. Stored values that contradict each other throw kCorrupt naming the document or chunk.
// Thread rule: a view belongs to one thread.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/content_hash.hpp"

namespace rag::core {

class Connection;

/// A document without its text.
struct DocumentHead {
    std::int64_t key = 0;
    ContentHash hash{};
    std::int64_t created_ms = 0;
    std::string source;
    std::string language;
    std::string metadata;
};

struct DocumentRow {
    std::int64_t key = 0;
    std::string id;
    std::string title;
    std::string text;
    std::string source;    // where it came from, such as a URI; may be empty
    std::string language;  // as the caller named it; may be empty
    std::string metadata;  // a JSON object
    std::int64_t created_ms = 0;
    std::int64_t updated_ms = 0;
    std::int64_t added = 0;     // the change that brought it
    std::int64_t sequence = 0;  // of its last change
};

/// Where a chunk lies: the ordinal-th of its document, bytes [start, stop) of its text, in the section [parent_start,
/// parent_stop), which is the chunk itself where the text has no sections.
struct ChunkPlace {
    std::int64_t ordinal = 0;
    std::size_t start = 0;
    std::size_t stop = 0;
    std::size_t parent_start = 0;
    std::size_t parent_stop = 0;
    bool operator==(const ChunkPlace&) const = default;
};

/// A chunk without its text, as an upsert compares it.
struct StoredChunk {
    std::int64_t key = 0;
    ChunkPlace place;
    ContentHash hash{};
    bool embedded = false;
    std::string title_path;
};

/// A chunk with what a hit shows of its document.
struct ChunkRow {
    std::int64_t key = 0;
    std::int64_t document = 0;
    std::int64_t ordinal = 0;
    std::size_t start = 0;  // bytes [start, stop) of the document's text
    std::size_t stop = 0;
    std::size_t parent_start = 0;  // bytes of the section that holds the chunk; its own where there is none
    std::size_t parent_stop = 0;
    std::string title_path;  // headings above it, joined by " > "; may be empty
    std::string text;
    std::string document_id;
    std::string title;
    std::string metadata;
};

/// What a transaction did to a document: kUpdated also where links from or to it were added, changed or removed. A number of
/// rag_change_kind.
enum class ChangeKind : std::uint32_t { kAdded = 0, kUpdated = 1, kRemoved = 2 };

struct Change {
    ChangeKind kind = ChangeKind::kAdded;
    std::int64_t sequence = 0;
    std::string id;
};

struct Changes {
    std::vector<Change> changes;  // by sequence number; removals first within one
    std::int64_t next = 0;        // where to go on
    std::int64_t last = 0;        // the last change that there is; next == last: that was all
};

/// The last removals that the change feed keeps, at least (but of a transaction all or none).
inline constexpr std::int64_t kKeptRemovals = 100000;

/// Where a link begins or ends: a chunk of a document by its number, or the whole document.
struct ChunkEnd {
    static constexpr std::int64_t kWhole = -1;
    std::int64_t document = 0;
    std::int64_t ordinal = kWhole;
    friend auto operator<=>(const ChunkEnd&, const ChunkEnd&) = default;
};

/// An edge that the user added. Its ends belong to documents that exist; a chunk's number may be one that the document lost.
struct LinkRow {
    ChunkEnd source;
    ChunkEnd target;
    std::string type;
    double weight = 1;
};

/// The same with the documents' ids.
struct NamedLink {
    std::string_view source;
    std::int64_t source_ordinal = ChunkEnd::kWhole;
    std::string_view target;
    std::int64_t target_ordinal = ChunkEnd::kWhole;
    std::string_view type;
    double weight = 1;
};

struct StoreCounts {
    std::int64_t documents = 0;
    std::int64_t chunks = 0;
    std::int64_t embeddings = 0;
};

/// An index file beside the database. `kind`: "vector" or "bm25"; at most one file a kind.
struct DerivedFile {
    std::string kind;
    std::string name;  // inside the folder
    std::int64_t sequence = 0;
    std::int64_t size = 0;
};

class StoreView {
  public:
    /// Raised by every transaction that changes content.
    std::int64_t sequence();
    std::optional<std::string> meta(std::string_view name);
    /// kCorrupt for what is there and no number from 0 on.
    std::optional<std::int64_t> meta_number(std::string_view name);
    StoreCounts counts();
    std::vector<DerivedFile> files();
    /// What a copy of the state `since` must do to follow: take over each document that was added or updated, as it is now, and
    /// remove the others. Of a document only its last change is told, and its removal before that. Whole transactions, until
    /// there are `limit` changes or more; from 0 on, all that is older than the kept removals comes at once. kInvalidArgument:
    /// `since` is negative or yet to come; kNotFound: it is not 0, and removals after it are not kept any more.
    Changes changes(std::int64_t since, std::size_t limit);

    std::optional<DocumentHead> find_head(std::string_view id);
    std::optional<DocumentRow> find_document(std::string_view id);
    std::optional<DocumentRow> document_at(std::int64_t key);
    /// Keys of all documents as an index lists them, ascending: where a page with documents is damaged, those on it are listed
    /// too, and each alone is kCorrupt when it is read.
    std::vector<std::int64_t> listed_documents();
    /// The id of such a document from the index, without reading its row, as slowly as that is; "(key N)" where that has none.
    std::string listed_id(std::int64_t key);
    /// The document compared with all its checksums: what is wrong with it, as verify() tells it; nothing: it is whole.
    /// Without `vectors`: for a caller who replaces those.
    std::vector<std::string> check_document(std::int64_t key, bool vectors = true);
    /// No such chunk: nothing.
    std::optional<ChunkRow> find_chunk(std::int64_t key);
    /// Keys of a document's chunks in order.
    std::vector<std::int64_t> chunks_of(std::int64_t document);
    /// The same with what an upsert compares.
    std::vector<StoredChunk> stored_chunks(std::int64_t document);

    /// Keys above `above`, ascending: of all chunks, or of those that have a vector.
    std::vector<std::int64_t> chunk_keys(std::int64_t above = 0);
    std::vector<std::int64_t> embedded_keys(std::int64_t above = 0);
    /// The highest key that a committed chunk ever had; new ones come after it.
    std::int64_t last_chunk_key();
    /// How many chunks (with a vector) have keys up to `key`.
    std::int64_t count_chunks_to(std::int64_t key);
    std::int64_t count_embedded_to(std::int64_t key);

    /// Calls visit(position, title, title_path, text) for each of the ascending chunk keys; a key that is not there is skipped.
    /// The views are valid during the call.
    using TextVisitor =
        std::function<void(std::size_t position, std::string_view title, std::string_view title_path, std::string_view text)>;
    void each_chunk_text(std::span<const std::int64_t> keys, const TextVisitor& visit);
    /// The chunk's vector into `out` ([dimension]). False: it has none. A vector of another length is kCorrupt.
    bool read_vector(std::int64_t key, std::span<float> out);

    /// Calls visit(document key, metadata JSON) for every document.
    using MetadataVisitor = std::function<void(std::int64_t document, std::string_view metadata)>;
    void each_metadata(const MetadataVisitor& visit);
    /// The same for documents that were added or changed after `sequence`.
    void each_changed_metadata(std::int64_t sequence, const MetadataVisitor& visit);
    /// Of all documents, ascending.
    std::vector<std::int64_t> document_keys();
    std::int64_t count_documents();
    /// Of documents that were added or changed after `sequence`, ascending.
    std::vector<std::int64_t> changed_documents(std::int64_t sequence);
    /// What DocumentHead::hash says; no such document: nothing.
    std::optional<ContentHash> document_hash_at(std::int64_t document);
    /// Calls visit(chunk key, document key) for every chunk, in the order of the documents' keys.
    using LinkVisitor = std::function<void(std::int64_t chunk, std::int64_t document)>;
    void each_link(const LinkVisitor& visit);

    /// The document and number of a chunk; no such chunk: nothing.
    std::optional<ChunkEnd> find_end(std::int64_t chunk);
    /// The key of a document's chunk by its number; no such chunk: nothing.
    std::optional<std::int64_t> find_chunk_at(std::int64_t document, std::int64_t ordinal);
    /// Bytes [first, second) of the document's text from chunk `first` to chunk `last` (those that there are); nothing if none
    /// is.
    std::optional<std::pair<std::size_t, std::size_t>> span_of_chunks(std::int64_t document, std::int64_t first,
                                                                      std::int64_t last);
    /// Those bytes; kCorrupt if the text is shorter.
    std::string text_between(std::int64_t document, std::size_t start, std::size_t stop);
    std::optional<std::string> document_id(std::int64_t document);
    /// Links that begin or end at the document or at one of its chunks.
    std::vector<LinkRow> links_of(std::int64_t document);
    /// Calls visit(link) for every link whose ends are there, in the order of its ends' keys, until one returns false. The views
    /// are valid during the call, which may read from this view.
    using NamedLinkVisitor = std::function<bool(const NamedLink& link)>;
    void each_named_link(const NamedLinkVisitor& visit);

  protected:
    explicit StoreView(Connection* connection) : connection_(connection) {}
    Connection& connection() const { return *connection_; }
    Connection* connection_;

  private:
    std::vector<std::int64_t> keys(std::string_view sql, std::int64_t parameter);
};

}  // namespace rag::core
