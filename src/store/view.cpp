#include "store/view.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>

#include "core/error.hpp"
#include "store/document_check.hpp"
#include "store/sqlite.hpp"

namespace rag::core {
namespace {

static_assert(std::endian::native == std::endian::little, "vectors and derived files are stored little-endian");

DocumentRow document_of(const Statement& row) {
    DocumentRow document;
    document.key = row.integer(0);
    document.id = row.text(1);
    document.created_ms = row.integer(2);
    document.updated_ms = row.integer(3);
    document.added = row.integer(4);
    document.sequence = row.integer(5);
    document.title = row.text(6);
    document.source = row.text(7);
    document.language = row.text(8);
    document.metadata = row.text(9);
    document.text = row.text(10);
    return document;
}

/// A hash of another length equals no content: what it belongs to is then written anew.
ContentHash hash_of(std::span<const std::byte> blob) {
    ContentHash hash{};
    if (blob.size() == hash.size()) std::memcpy(hash.data(), blob.data(), hash.size());
    return hash;
}

/// The bytes of a chunk, after the stored offsets were checked against the stored text.
std::string_view slice(std::string_view text, std::int64_t start, std::int64_t stop, std::int64_t key,
                       const std::string& database) {
    if (start < 0 || stop < start || static_cast<std::uint64_t>(stop) > text.size()) {
        fail(Code::kCorrupt, "{} is damaged: chunk {} is bytes {} to {} of a text of {} bytes", quote(database, 400), key, start,
             stop, text.size());
    }
    return text.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(stop - start));
}

}  // namespace

std::int64_t StoreView::sequence() {
    const auto value = meta_number("sequence");
    if (!value) fail(Code::kCorrupt, "{} is damaged: it has no sequence number", quote(connection().name(), 400));
    return *value;
}

std::optional<std::int64_t> StoreView::meta_number(std::string_view name) {
    const auto text = meta(name);
    if (!text) return std::nullopt;
    std::int64_t value = -1;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size() || value < 0)
        fail(Code::kCorrupt, "{} is damaged: its {} is {}", quote(connection().name(), 400), name, quote(*text, 40));
    return value;
}

std::optional<std::string> StoreView::meta(std::string_view name) {
    Statement row = connection().prepare("SELECT value FROM meta WHERE name=?");
    row.bind(1, name);
    if (!row.step()) return std::nullopt;
    return std::string(row.text(0));
}

StoreCounts StoreView::counts() {
    return {connection().query_integer("SELECT count(*) FROM documents"),
            connection().query_integer("SELECT count(*) FROM chunks"),
            connection().query_integer("SELECT count(*) FROM chunks WHERE embedded")};
}

std::vector<DerivedFile> StoreView::files() {
    Statement rows = connection().prepare("SELECT kind, name, sequence, size FROM files");
    std::vector<DerivedFile> files;
    while (rows.step()) {
        files.push_back({std::string(rows.text(0)), std::string(rows.text(1)), rows.integer(2), rows.integer(3)});
    }
    return files;
}

std::optional<DocumentHead> StoreView::find_head(std::string_view id) {
    Statement row = connection().prepare("SELECT key, hash, created_ms, source, language, metadata FROM documents WHERE id=?");
    row.bind(1, id);
    if (!row.step()) return std::nullopt;
    DocumentHead head;
    head.key = row.integer(0);
    head.hash = hash_of(row.blob(1));
    head.created_ms = row.integer(2);
    head.source = row.text(3);
    head.language = row.text(4);
    head.metadata = row.text(5);
    return head;
}

std::optional<DocumentRow> StoreView::find_document(std::string_view id) {
    Statement row = connection().prepare(
        "SELECT key, id, created_ms, updated_ms, added, sequence, title, source, language, metadata, text FROM documents WHERE "
        "id=?");
    row.bind(1, id);
    if (!row.step()) return std::nullopt;
    return document_of(row);
}

std::optional<DocumentRow> StoreView::document_at(std::int64_t key) {
    Statement row = connection().prepare(
        "SELECT key, id, created_ms, updated_ms, added, sequence, title, source, language, metadata, text FROM documents WHERE "
        "key=?");
    row.bind(1, key);
    if (!row.step()) return std::nullopt;
    return document_of(row);
}

std::vector<std::int64_t> StoreView::listed_documents() {
    // Both indexes hold the keys of all documents; one of them may be what is damaged.
    constexpr std::string_view kById = "SELECT key FROM documents INDEXED BY sqlite_autoindex_documents_1 WHERE key>?";
    constexpr std::string_view kBySequence = "SELECT key FROM documents INDEXED BY documents_by_sequence WHERE key>?";
    std::vector<std::int64_t> listed;
    try {
        listed = keys(kById, std::numeric_limits<std::int64_t>::min());
    } catch (const Error& error) {
        if (error.code() != Code::kCorrupt) throw;
        listed = keys(kBySequence, std::numeric_limits<std::int64_t>::min());
    }
    std::sort(listed.begin(), listed.end());
    return listed;
}

std::string StoreView::listed_id(std::int64_t key) {
    try {
        Statement row = connection().prepare("SELECT id FROM documents INDEXED BY sqlite_autoindex_documents_1 WHERE +key=?");
        row.bind(1, key);
        if (row.step()) return std::string(row.text(0));
    } catch (const Error& error) {
        if (error.code() != Code::kCorrupt) throw;
    }
    return fmt::format("(key {})", key);
}

std::vector<std::string> StoreView::check_document(std::int64_t key, bool vectors) {
    return DocumentCheck(connection()).check(key, vectors);
}

std::optional<ChunkRow> StoreView::find_chunk(std::int64_t key) {
    Statement row = connection().prepare(
        "SELECT c.document, c.ordinal, c.start, c.stop, c.parent_start, c.parent_stop, c.title_path, d.id, d.title, d.metadata, "
        "d.text FROM chunks c JOIN documents d ON d.key=c.document WHERE c.key=?");
    row.bind(1, key);
    if (!row.step()) return std::nullopt;
    ChunkRow chunk;
    chunk.key = key;
    chunk.document = row.integer(0);
    chunk.ordinal = row.integer(1);
    const std::string_view text = row.text(10);
    chunk.text = slice(text, row.integer(2), row.integer(3), key, connection().name());
    slice(text, row.integer(4), row.integer(5), key, connection().name());
    chunk.start = static_cast<std::size_t>(row.integer(2));
    chunk.stop = static_cast<std::size_t>(row.integer(3));
    chunk.parent_start = static_cast<std::size_t>(row.integer(4));
    chunk.parent_stop = static_cast<std::size_t>(row.integer(5));
    chunk.title_path = row.text(6);
    chunk.document_id = row.text(7);
    chunk.title = row.text(8);
    chunk.metadata = row.text(9);
    return chunk;
}

std::vector<std::int64_t> StoreView::keys(std::string_view sql, std::int64_t parameter) {
    Statement rows = connection().prepare(sql);
    rows.bind(1, parameter);
    std::vector<std::int64_t> keys;
    while (rows.step()) keys.push_back(rows.integer(0));
    return keys;
}

std::vector<std::int64_t> StoreView::chunks_of(std::int64_t document) {
    return keys("SELECT key FROM chunks WHERE document=? ORDER BY ordinal", document);
}

std::vector<StoredChunk> StoreView::stored_chunks(std::int64_t document) {
    Statement rows = connection().prepare(
        "SELECT key, ordinal, start, stop, parent_start, parent_stop, embedded, hash, title_path FROM chunks WHERE document=? "
        "ORDER BY "
        "ordinal");
    rows.bind(1, document);
    std::vector<StoredChunk> chunks;
    while (rows.step()) {
        const auto offset = [&](int column) { return static_cast<std::size_t>(rows.integer(column)); };
        chunks.push_back({rows.integer(0),
                          {rows.integer(1), offset(2), offset(3), offset(4), offset(5)},
                          hash_of(rows.blob(7)),
                          rows.integer(6) != 0,
                          std::string(rows.text(8))});
    }
    return chunks;
}

std::vector<std::int64_t> StoreView::chunk_keys(std::int64_t above) {
    return keys("SELECT key FROM chunks WHERE key>? ORDER BY key", above);
}

std::vector<std::int64_t> StoreView::embedded_keys(std::int64_t above) {
    return keys("SELECT key FROM chunks WHERE key>? AND embedded ORDER BY key", above);
}

std::int64_t StoreView::last_chunk_key() {
    return connection().query_integer("SELECT seq FROM sqlite_sequence WHERE name='chunks'");
}

std::int64_t StoreView::count_chunks_to(std::int64_t key) {
    return keys("SELECT count(*) FROM chunks WHERE key<=?", key).front();
}

std::int64_t StoreView::count_embedded_to(std::int64_t key) {
    return keys("SELECT count(*) FROM chunks WHERE key<=? AND embedded", key).front();
}

void StoreView::each_chunk_text(std::span<const std::int64_t> chunk_keys, const TextVisitor& visit) {
    Statement chunk = connection().prepare("SELECT document, start, stop, title_path FROM chunks WHERE key=?");
    Statement document = connection().prepare("SELECT title, text FROM documents WHERE key=?");
    // The chunks of a document have neighbouring keys, so its text is fetched once, however many chunks it has.
    std::int64_t current = 0;
    for (std::size_t i = 0; i < chunk_keys.size(); ++i) {
        chunk.reset();
        chunk.bind(1, chunk_keys[i]);
        if (!chunk.step()) continue;
        if (chunk.integer(0) != current) {
            current = chunk.integer(0);
            document.reset();
            document.bind(1, current);
            if (!document.step()) {
                fail(Code::kCorrupt, "{} is damaged: chunk {} belongs to document {}, which is not there",
                     quote(connection().name(), 400), chunk_keys[i], current);
            }
        }
        visit(i, document.text(0), chunk.text(3),
              slice(document.text(1), chunk.integer(1), chunk.integer(2), chunk_keys[i], connection().name()));
    }
}

bool StoreView::read_vector(std::int64_t key, std::span<float> out) {
    Statement row = connection().prepare("SELECT vector FROM embeddings WHERE chunk=?");
    row.bind(1, key);
    if (!row.step()) return false;
    const auto bytes = row.blob(0);
    if (bytes.size() != out.size_bytes()) {
        fail(Code::kCorrupt, "{} is damaged: the vector of chunk {} has {} bytes, {} dimensions have {}",
             quote(connection().name(), 400), key, bytes.size(), out.size(), out.size_bytes());
    }
    if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
    return true;
}

void StoreView::each_metadata(const MetadataVisitor& visit) {
    Statement rows = connection().prepare("SELECT key, metadata FROM documents ORDER BY key");
    while (rows.step()) visit(rows.integer(0), rows.text(1));
}

void StoreView::each_changed_metadata(std::int64_t sequence, const MetadataVisitor& visit) {
    Statement rows = connection().prepare("SELECT key, metadata FROM documents WHERE sequence>? ORDER BY key");
    rows.bind(1, sequence);
    while (rows.step()) visit(rows.integer(0), rows.text(1));
}

std::vector<std::int64_t> StoreView::changed_documents(std::int64_t sequence) {
    return keys("SELECT key FROM documents WHERE sequence>? ORDER BY key", sequence);
}

std::optional<ContentHash> StoreView::document_hash_at(std::int64_t document) {
    Statement row = connection().prepare("SELECT hash FROM documents WHERE key=?");
    row.bind(1, document);
    if (!row.step()) return std::nullopt;
    return hash_of(row.blob(0));
}

std::vector<std::int64_t> StoreView::document_keys() {
    return keys("SELECT key FROM documents WHERE key>? ORDER BY key", 0);
}

std::int64_t StoreView::count_documents() {
    return connection().query_integer("SELECT count(*) FROM documents");
}

void StoreView::each_link(const LinkVisitor& visit) {
    Statement rows = connection().prepare("SELECT key, document FROM chunks ORDER BY document, ordinal");
    while (rows.step()) visit(rows.integer(0), rows.integer(1));
}

}  // namespace rag::core
