#include "store/schema.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "core/error.hpp"
#include "store/sqlite.hpp"

namespace rag::core {
namespace {

struct Item {
    std::string_view name;
    const char* sql;
};

// Keys are AUTOINCREMENT, so a key never comes back after a delete: an index that knows a chunk's key knows its content.
// Small columns come before the long text, because SQLite walks a row from its start.
constexpr std::array kFormat2 = {
    // Settings that belong to the content: "sequence", "embedder", "dimension" ...
    Item{"meta", "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"},
    // One row a document. hash: of everything that its chunks and vectors depend on; checksum, text_checksum: of what the row
    // says
    // (see content_hash.hpp). added, sequence: the changes that brought it and that changed it last.
    Item{"documents",
         "CREATE TABLE documents(key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, hash BLOB NOT NULL, "
         "checksum INTEGER NOT NULL, text_checksum INTEGER NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, "
         "added INTEGER NOT NULL, sequence INTEGER NOT NULL, title TEXT NOT NULL, source TEXT NOT NULL, "
         "language TEXT NOT NULL, metadata TEXT NOT NULL, text TEXT NOT NULL) STRICT"},
    Item{"documents_by_sequence", "CREATE INDEX documents_by_sequence ON documents(sequence)"},
    // One row a chunk: bytes [start, stop) of the document's text, inside the section [parent_start, parent_stop); embedded: 1 if
    // it has a vector, so that counting those does not walk through the vectors; vector_checksum: of its bytes, or 0.
    Item{"chunks",
         "CREATE TABLE chunks(key INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents(key) "
         "ON DELETE CASCADE, ordinal INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, "
         "parent_start INTEGER NOT NULL, parent_stop INTEGER NOT NULL, embedded INTEGER NOT NULL, "
         "vector_checksum INTEGER NOT NULL, hash BLOB NOT NULL, title_path TEXT NOT NULL, UNIQUE(document, ordinal)) STRICT"},
    // Little-endian float32, as many as meta's "dimension" says. A chunk may have none.
    Item{"embeddings",
         "CREATE TABLE embeddings(chunk INTEGER PRIMARY KEY REFERENCES chunks(key) ON DELETE CASCADE, vector BLOB NOT NULL) "
         "STRICT"},
    // Edges that the user adds: from a chunk by its number in its document, or (-1) from the document as a whole; so is the
    // target.
    Item{"links",
         "CREATE TABLE links(source_document INTEGER NOT NULL REFERENCES documents(key) ON DELETE CASCADE, "
         "source_ordinal INTEGER NOT NULL, target_document INTEGER NOT NULL REFERENCES documents(key) ON DELETE CASCADE, "
         "target_ordinal INTEGER NOT NULL, type TEXT NOT NULL, weight REAL NOT NULL, "
         "PRIMARY KEY(source_document, source_ordinal, target_document, target_ordinal, type)) STRICT, WITHOUT ROWID"},
    Item{"links_by_target", "CREATE INDEX links_by_target ON links(target_document, target_ordinal)"},
    // What copies that follow must remove: ids by the change that removed them. Those up to
    // meta's "removals_from" are not kept any more; its "removals" says how many rows there are.
    Item{"removals",
         "CREATE TABLE removals(sequence INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY(sequence, id)) STRICT, WITHOUT ROWID"},
    // Derived files beside the database; sequence: the state of the content that the file holds.
    Item{
        "files",
        "CREATE TABLE files(kind TEXT PRIMARY KEY, name TEXT NOT NULL, sequence INTEGER NOT NULL, size INTEGER NOT NULL) STRICT, "
        "WITHOUT ROWID"},
};

// As librag 0.1 of November 2026 wrote it; see migrate.cpp.
constexpr std::array kFormat1 = {
    kFormat2[0],
    Item{"documents",
         "CREATE TABLE documents(key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, hash BLOB NOT NULL, "
         "created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, sequence INTEGER NOT NULL, title TEXT NOT NULL, "
         "metadata TEXT NOT NULL, text TEXT NOT NULL) STRICT"},
    Item{"chunks",
         "CREATE TABLE chunks(key INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents(key) "
         "ON DELETE CASCADE, ordinal INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, embedded INTEGER NOT NULL, "
         "UNIQUE(document, ordinal)) STRICT"},
    kFormat2[4],
    kFormat2[8],
};

std::span<const Item> items_of(std::int64_t format) {
    if (format == 1) return kFormat1;
    return kFormat2;
}

/// Only our tables, spelled as we spell them: a trigger, a view or another constraint in the file is not ours.
void check_items(Connection& connection, std::span<const Item> items) {
    Statement rows = connection.prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
    std::size_t found = 0;
    while (rows.step()) {
        const std::string_view name = rows.text(0);
        const bool known = std::any_of(items.begin(), items.end(),
                                       [&](const Item& item) { return item.name == name && item.sql == rows.text(1); });
        if (!known)
            fail(Code::kCorrupt, "{} is damaged: {} is not as librag made it", quote(connection.name(), 400), quote(name));
        ++found;
    }
    if (found != items.size()) {
        fail(Code::kCorrupt, "{} is damaged: {} of its {} tables and indexes are there", quote(connection.name(), 400), found,
             items.size());
    }
}

DatabaseState read_state(Connection& connection) {
    const std::int64_t application = connection.query_integer("PRAGMA application_id");
    const std::int64_t version = format_version(connection);
    const std::int64_t objects = connection.query_integer("SELECT count(*) FROM sqlite_schema");
    if (application == 0 && version == 0 && objects == 0) return DatabaseState::kEmpty;
    const auto name = quote(connection.name(), 400);
    if (application != kApplicationId) {
        fail(Code::kInvalidArgument,
             "{} is an SQLite database, but no knowledge base: its application id is 0x{:08x}, not 0x{:08x}", name,
             static_cast<std::uint32_t>(application), static_cast<std::uint32_t>(kApplicationId));
    }
    if (version > kMetricFormat) {
        fail(Code::kVersion, "{} has format {}, this librag reads formats up to {}: it was written by a newer librag", name,
             version, kMetricFormat);
    }
    if (version < 1) fail(Code::kCorrupt, "{} is damaged: it says format {}", name, version);
    check_items(connection, items_of(version));
    return version < kFormatVersion ? DatabaseState::kOlderFormat : DatabaseState::kKnowledgeBase;
}

}  // namespace

DatabaseState check_database(Connection& connection) {
    // All of it is read from one state: a writer may be making the tables, or bringing them to another format, at this moment.
    const bool alone = !connection.in_transaction();
    struct End {
        sqlite3* handle;
        ~End() {
            if (handle != nullptr) sqlite3_exec(handle, "ROLLBACK", nullptr, nullptr, nullptr);
        }
    };
    try {
        if (alone) connection.execute("BEGIN");
        const End end{alone ? connection.handle() : nullptr};
        return read_state(connection);
    } catch (const Error& error) {
        // These statements are right, so what SQLite finds wrong with them ("unsupported file format") is wrong with the file.
        if (error.code() != Code::kInternal) throw;
        fail(Code::kCorrupt, "{}", error.what());
    }
}

void create_item(Connection& connection, std::string_view name) {
    for (const Item& item : kFormat2) {
        if (item.name == name) return connection.execute(item.sql);
    }
    fail(Code::kInternal, "there is no table {}", quote(name));
}

std::int64_t format_version(Connection& connection) {
    return connection.query_integer("PRAGMA user_version");
}

void set_format_version(Connection& connection, std::int64_t version) {
    connection.execute(fmt::format("PRAGMA user_version={}", version).c_str());
}

void create_tables(Connection& connection) {
    connection.execute("BEGIN IMMEDIATE");
    try {
        for (const Item& item : kFormat2) connection.execute(item.sql);
        connection.execute("INSERT INTO meta(name, value) VALUES('sequence', '0')");
        connection.execute(fmt::format("PRAGMA application_id={}", kApplicationId).c_str());
        set_format_version(connection);
        connection.execute("COMMIT");
    } catch (...) {
        if (connection.in_transaction()) sqlite3_exec(connection.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
        throw;
    }
}

}  // namespace rag::core
