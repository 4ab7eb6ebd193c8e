#include "store/view.hpp"

#include <bit>
#include <charconv>
#include <cstring>

#include "core/error.hpp"
#include "store/sqlite.hpp"

namespace rag::core {
namespace {

static_assert(std::endian::native == std::endian::little, "vectors and derived files are stored little-endian");

constexpr std::string_view kDocumentColumns =
    "SELECT key, id, created_ms, updated_ms, sequence, title, metadata, text FROM documents WHERE id=?";

DocumentRow document_of(const Statement& row) {
    DocumentRow document;
    document.key = row.integer(0);
    document.id = row.text(1);
    document.created_ms = row.integer(2);
    document.updated_ms = row.integer(3);
    document.sequence = row.integer(4);
    document.title = row.text(5);
    document.metadata = row.text(6);
    document.text = row.text(7);
    return document;
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
    const auto text = meta("sequence");
    std::int64_t value = -1;
    if (text) {
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
        if (error != std::errc{} || end != text->data() + text->size()) value = -1;
    }
    if (value < 0) fail(Code::kCorrupt, "{} is damaged: it has no sequence number", quote(connection().name(), 400));
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
    Statement row = connection().prepare("SELECT key, hash FROM documents WHERE id=?");
    row.bind(1, id);
    if (!row.step()) return std::nullopt;
    DocumentHead head;
    head.key = row.integer(0);
    const auto hash = row.blob(1);
    // A hash of another length equals no content: the document is then written anew.
    if (hash.size() == head.hash.size()) std::memcpy(head.hash.data(), hash.data(), hash.size());
    return head;
}

std::optional<DocumentRow> StoreView::find_document(std::string_view id) {
    Statement row = connection().prepare(kDocumentColumns);
    row.bind(1, id);
    if (!row.step()) return std::nullopt;
    return document_of(row);
}

std::optional<ChunkRow> StoreView::find_chunk(std::int64_t key) {
    Statement row = connection().prepare(
        "SELECT c.document, c.ordinal, c.start, c.stop, d.id, d.title, d.metadata, d.text FROM chunks c JOIN documents d "
        "ON d.key=c.document WHERE c.key=?");
    row.bind(1, key);
    if (!row.step()) return std::nullopt;
    ChunkRow chunk;
    chunk.key = key;
    chunk.document = row.integer(0);
    chunk.ordinal = row.integer(1);
    chunk.text = slice(row.text(7), row.integer(2), row.integer(3), key, connection().name());
    chunk.start = static_cast<std::size_t>(row.integer(2));
    chunk.stop = static_cast<std::size_t>(row.integer(3));
    chunk.document_id = row.text(4);
    chunk.title = row.text(5);
    chunk.metadata = row.text(6);
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
    Statement chunk = connection().prepare("SELECT document, start, stop FROM chunks WHERE key=?");
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
        visit(i, document.text(0),
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

void StoreView::each_link(const LinkVisitor& visit) {
    Statement rows = connection().prepare("SELECT key, document FROM chunks ORDER BY document, ordinal");
    while (rows.step()) visit(rows.integer(0), rows.integer(1));
}

}  // namespace rag::core
