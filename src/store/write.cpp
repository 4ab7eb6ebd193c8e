// WriteTransaction: the statements that change a knowledge base.
#include <string>

#include "core/error.hpp"
#include "store/commit_mark.hpp"
#include "store/schema.hpp"
#include "store/sqlite.hpp"
#include "store/store.hpp"

namespace rag::core {
namespace {

DocumentFields fields_of(const NewDocument& document) {
    return {document.id,         document.title,      document.source,
            document.language,   document.metadata,   document.hash,
            document.created_ms, document.updated_ms, stored_checksum(document.text)};
}

}  // namespace

WriteTransaction::WriteTransaction(Connection& connection, std::unique_lock<std::recursive_mutex> turn, CommitMark* mark)
    : StoreView(&connection), turn_(std::move(turn)), mark_(mark) {}

WriteTransaction::WriteTransaction(WriteTransaction&& other) noexcept
    : StoreView(other.connection_),
      turn_(std::move(other.turn_)),
      mark_(other.mark_),
      open_(other.open_),
      raised_(other.raised_),
      removed_(other.removed_) {
    other.open_ = false;
}

WriteTransaction::~WriteTransaction() {
    if (!open_) return;
    try {
        if (connection().in_transaction()) connection().execute("ROLLBACK");
    } catch (...) {  // SQLite has then rolled back by itself
    }
}

std::int64_t WriteTransaction::raise_sequence() {
    if (raised_ == 0) {
        raised_ = sequence() + 1;
        set_meta("sequence", std::to_string(raised_));
    }
    return raised_;
}

std::int64_t WriteTransaction::insert_document(const NewDocument& document) {
    const std::int64_t change = raise_sequence();
    const DocumentFields fields = fields_of(document);
    connection()
        .prepare(
            "INSERT INTO documents(id, hash, checksum, text_checksum, created_ms, updated_ms, added, sequence, title, source, "
            "language, metadata, text) VALUES(?1,?2,?3,?4,?5,?6,?7,?7,?8,?9,?10,?11,?12)")
        .bind(1, document.id)
        .bind(2, fields.hash)
        .bind(3, document_checksum(fields))
        .bind(4, fields.text_checksum)
        .bind(5, document.created_ms)
        .bind(6, document.updated_ms)
        .bind(7, change)
        .bind(8, document.title)
        .bind(9, document.source)
        .bind(10, document.language)
        .bind(11, document.metadata)
        .bind(12, document.text)
        .run();
    return connection().last_insert_key();
}

void WriteTransaction::update_document(std::int64_t document, const NewDocument& content) {
    const std::int64_t change = raise_sequence();
    const DocumentFields fields = fields_of(content);
    connection()
        .prepare(
            "UPDATE documents SET hash=?, checksum=?, text_checksum=?, created_ms=?, updated_ms=?, sequence=?, title=?, "
            "source=?, "
            "language=?, metadata=?, text=? WHERE key=?")
        .bind(1, fields.hash)
        .bind(2, document_checksum(fields))
        .bind(3, fields.text_checksum)
        .bind(4, content.created_ms)
        .bind(5, content.updated_ms)
        .bind(6, change)
        .bind(7, content.title)
        .bind(8, content.source)
        .bind(9, content.language)
        .bind(10, content.metadata)
        .bind(11, content.text)
        .bind(12, document)
        .run();
}

void WriteTransaction::update_attributes(std::int64_t document, std::string_view source, std::string_view language,
                                         std::string_view metadata, std::int64_t updated_ms) {
    const std::int64_t change = raise_sequence();
    std::int64_t checksum = 0;
    {
        Statement row = connection().prepare("SELECT id, title, hash, created_ms, text_checksum FROM documents WHERE key=?");
        row.bind(1, document);
        if (!row.step()) fail(Code::kInternal, "there is no document {} to update", document);
        checksum = document_checksum(
            {row.text(0), row.text(1), source, language, metadata, row.blob(2), row.integer(3), updated_ms, row.integer(4)});
    }
    connection()
        .prepare("UPDATE documents SET checksum=?, source=?, language=?, metadata=?, updated_ms=?, sequence=? WHERE key=?")
        .bind(1, checksum)
        .bind(2, source)
        .bind(3, language)
        .bind(4, metadata)
        .bind(5, updated_ms)
        .bind(6, change)
        .bind(7, document)
        .run();
}

void WriteTransaction::touch_document(std::int64_t document) {
    // Only once a transaction: the whole row is written.
    connection()
        .prepare("UPDATE documents SET sequence=?1 WHERE key=?2 AND sequence<>?1")
        .bind(1, raise_sequence())
        .bind(2, document)
        .run();
}

void WriteTransaction::insert_chunk(std::int64_t document, const NewChunk& chunk) {
    const auto bytes = std::as_bytes(chunk.vector);
    connection()
        .prepare(
            "INSERT INTO chunks(key, document, ordinal, start, stop, parent_start, parent_stop, embedded, vector_checksum, hash, "
            "title_path) VALUES(?,?,?,?,?,?,?,?,?,?,?)")
        .bind(1, chunk.key)
        .bind(2, document)
        .bind(3, chunk.place.ordinal)
        .bind(4, static_cast<std::int64_t>(chunk.place.start))
        .bind(5, static_cast<std::int64_t>(chunk.place.stop))
        .bind(6, static_cast<std::int64_t>(chunk.place.parent_start))
        .bind(7, static_cast<std::int64_t>(chunk.place.parent_stop))
        .bind(8, static_cast<std::int64_t>(!bytes.empty()))
        .bind(9, bytes.empty() ? 0 : stored_checksum(bytes))
        .bind(10, std::span<const std::byte>(chunk.hash))
        .bind(11, chunk.title_path)
        .run();
    if (bytes.empty()) return;
    connection().prepare("INSERT INTO embeddings(chunk, vector) VALUES(?,?)").bind(1, chunk.key).bind(2, bytes).run();
}

void WriteTransaction::move_chunks(std::span<const std::pair<std::int64_t, ChunkPlace>> chunks) {
    // A document has each ordinal once, at every moment: so all leave their places before the first takes its new one.
    for (const auto& [key, place] : chunks) {
        connection()
            .prepare("UPDATE chunks SET ordinal=?, start=?, stop=?, parent_start=?, parent_stop=? WHERE key=?")
            .bind(1, -1 - place.ordinal)
            .bind(2, static_cast<std::int64_t>(place.start))
            .bind(3, static_cast<std::int64_t>(place.stop))
            .bind(4, static_cast<std::int64_t>(place.parent_start))
            .bind(5, static_cast<std::int64_t>(place.parent_stop))
            .bind(6, key)
            .run();
    }
    for (const auto& [key, place] : chunks) {
        connection().prepare("UPDATE chunks SET ordinal=? WHERE key=?").bind(1, place.ordinal).bind(2, key).run();
    }
}

void WriteTransaction::remove_chunks(std::span<const std::int64_t> keys) {
    for (const std::int64_t key : keys) connection().prepare("DELETE FROM chunks WHERE key=?").bind(1, key).run();
}

std::vector<std::int64_t> WriteTransaction::remove_document(std::int64_t document) {
    const std::int64_t change = raise_sequence();
    auto keys = chunks_of(document);
    connection()
        .prepare("INSERT INTO removals(sequence, id) SELECT ?, id FROM documents WHERE key=? ON CONFLICT DO NOTHING")
        .bind(1, change)
        .bind(2, document)
        .run();
    removed_ += connection().changes();
    connection().prepare("DELETE FROM documents WHERE key=?").bind(1, document).run();
    return keys;
}

/// Keeps the list of removals short: the oldest go when there are an eighth too many.
void WriteTransaction::count_removals() {
    if (removed_ == 0) return;
    // Without the number (none was removed yet, or the base was made before it was kept) they are counted once.
    const auto counted = meta_number("removals");
    std::int64_t kept = counted ? *counted + removed_ : connection().query_integer("SELECT count(*) FROM removals");
    removed_ = 0;
    if (kept > kKeptRemovals + kKeptRemovals / 8) {
        std::int64_t cut = 0;
        {
            Statement row =
                connection().prepare("SELECT sequence FROM removals ORDER BY sequence DESC, id DESC LIMIT 1 OFFSET ?");
            row.bind(1, kKeptRemovals);
            if (row.step()) cut = row.integer(0);
        }
        connection().prepare("DELETE FROM removals WHERE sequence<=?").bind(1, cut).run();
        kept = connection().query_integer("SELECT count(*) FROM removals");
        set_meta("removals_from", std::to_string(cut));
    }
    set_meta("removals", std::to_string(kept));
}

void WriteTransaction::set_vector(std::int64_t chunk, const ContentHash& hash, std::span<const float> vector) {
    const auto bytes = std::as_bytes(vector);
    connection()
        .prepare("UPDATE chunks SET embedded=1, vector_checksum=?, hash=? WHERE key=?")
        .bind(1, stored_checksum(bytes))
        .bind(2, std::span<const std::byte>(hash))
        .bind(3, chunk)
        .run();
    connection()
        .prepare("INSERT INTO embeddings(chunk, vector) VALUES(?,?) ON CONFLICT(chunk) DO UPDATE SET vector=excluded.vector")
        .bind(1, chunk)
        .bind(2, bytes)
        .run();
}

void WriteTransaction::set_document_hash(std::int64_t document, const ContentHash& hash) {
    const std::int64_t change = raise_sequence();
    std::int64_t checksum = 0;
    {
        Statement row = connection().prepare(
            "SELECT id, title, source, language, metadata, created_ms, updated_ms, text_checksum, hash, checksum "
            "FROM documents WHERE key=?");
        row.bind(1, document);
        if (!row.step()) fail(Code::kInternal, "there is no document {} to give a hash", document);
        DocumentFields fields{row.text(0), row.text(1),    row.text(2),    row.text(3),   row.text(4),
                              row.blob(8), row.integer(5), row.integer(6), row.integer(7)};
        if (document_checksum(fields) != row.integer(9)) {
            fail(Code::kCorrupt,
                 "document {}: its id, title, source, language, metadata or times were changed (checksum): upsert it anew",
                 quote(fields.id));
        }
        fields.hash = hash;
        checksum = document_checksum(fields);
    }
    connection()
        .prepare("UPDATE documents SET hash=?, checksum=?, sequence=? WHERE key=?")
        .bind(1, std::span<const std::byte>(hash))
        .bind(2, checksum)
        .bind(3, change)
        .bind(4, document)
        .run();
}

void WriteTransaction::set_meta(std::string_view name, std::string_view value) {
    connection()
        .prepare("INSERT INTO meta(name, value) VALUES(?,?) ON CONFLICT(name) DO UPDATE SET value=excluded.value")
        .bind(1, name)
        .bind(2, value)
        .run();
}

void WriteTransaction::set_format(std::int64_t version) {
    if (format_version(connection()) != version) set_format_version(connection(), version);
}

std::optional<DerivedFile> WriteTransaction::set_file(const DerivedFile& file) {
    std::optional<DerivedFile> former;
    for (auto& listed : files()) {
        if (listed.kind == file.kind) former = std::move(listed);
    }
    connection()
        .prepare(
            "INSERT INTO files(kind, name, sequence, size) VALUES(?,?,?,?) ON CONFLICT(kind) DO UPDATE SET "
            "name=excluded.name, sequence=excluded.sequence, size=excluded.size")
        .bind(1, file.kind)
        .bind(2, file.name)
        .bind(3, file.sequence)
        .bind(4, file.size)
        .run();
    return former;
}

std::optional<DerivedFile> WriteTransaction::drop_file(std::string_view kind) {
    std::optional<DerivedFile> former;
    for (auto& listed : files()) {
        if (listed.kind == kind) former = std::move(listed);
    }
    connection().prepare("DELETE FROM files WHERE kind=?").bind(1, kind).run();
    return former;
}

void WriteTransaction::commit() {
    count_removals();
    const bool marked = mark_ != nullptr && raised_ != 0;
    if (marked && !mark_->is_signed()) set_meta(kWriterMeta, mark_->writer());
    connection().execute("COMMIT");
    open_ = false;
    if (marked) mark_->committed(connection(), raised_);
    turn_.unlock();
}

}  // namespace rag::core
