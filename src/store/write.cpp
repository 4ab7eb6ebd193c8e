// WriteTransaction: the statements that change a knowledge base.
#include <string>

#include "core/error.hpp"
#include "store/sqlite.hpp"
#include "store/store.hpp"

namespace rag::core {

WriteTransaction::WriteTransaction(Connection& connection, std::unique_lock<std::recursive_mutex> turn)
    : StoreView(&connection), turn_(std::move(turn)) {}

WriteTransaction::WriteTransaction(WriteTransaction&& other) noexcept
    : StoreView(other.connection_), turn_(std::move(other.turn_)), open_(other.open_), raised_(other.raised_) {
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
    connection()
        .prepare(
            "INSERT INTO documents(id, hash, created_ms, updated_ms, sequence, title, metadata, text) VALUES(?,?,?,?,?,?,?,?)")
        .bind(1, document.id)
        .bind(2, std::span<const std::byte>(document.hash))
        .bind(3, document.created_ms)
        .bind(4, document.updated_ms)
        .bind(5, change)
        .bind(6, document.title)
        .bind(7, document.metadata)
        .bind(8, document.text)
        .run();
    return connection().last_insert_key();
}

void WriteTransaction::insert_chunk(std::int64_t key, std::int64_t document, std::int64_t ordinal, std::size_t start,
                                    std::size_t stop, std::span<const float> vector) {
    connection()
        .prepare("INSERT INTO chunks(key, document, ordinal, start, stop, embedded) VALUES(?,?,?,?,?,?)")
        .bind(1, key)
        .bind(2, document)
        .bind(3, ordinal)
        .bind(4, static_cast<std::int64_t>(start))
        .bind(5, static_cast<std::int64_t>(stop))
        .bind(6, static_cast<std::int64_t>(!vector.empty()))
        .run();
    if (vector.empty()) return;
    connection().prepare("INSERT INTO embeddings(chunk, vector) VALUES(?,?)").bind(1, key).bind(2, std::as_bytes(vector)).run();
}

void WriteTransaction::update_metadata(std::int64_t document, std::string_view metadata, std::int64_t updated_ms) {
    const std::int64_t change = raise_sequence();
    connection()
        .prepare("UPDATE documents SET metadata=?, updated_ms=?, sequence=? WHERE key=?")
        .bind(1, metadata)
        .bind(2, updated_ms)
        .bind(3, change)
        .bind(4, document)
        .run();
}

std::vector<std::int64_t> WriteTransaction::remove_document(std::int64_t document) {
    raise_sequence();
    auto keys = chunks_of(document);
    connection().prepare("DELETE FROM documents WHERE key=?").bind(1, document).run();
    return keys;
}

void WriteTransaction::set_meta(std::string_view name, std::string_view value) {
    connection()
        .prepare("INSERT INTO meta(name, value) VALUES(?,?) ON CONFLICT(name) DO UPDATE SET value=excluded.value")
        .bind(1, name)
        .bind(2, value)
        .run();
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

void WriteTransaction::commit() {
    connection().execute("COMMIT");
    open_ = false;
    turn_.unlock();
}

}  // namespace rag::core
