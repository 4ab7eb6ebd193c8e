#include "store/schema.hpp"

#include <array>
#include <string_view>

#include "core/error.hpp"
#include "store/sqlite.hpp"

namespace rag::core {
namespace {

struct Table {
    std::string_view name;
    const char* sql;
};

// Keys are AUTOINCREMENT, so a key never comes back after a delete: an index that knows a chunk's key knows its content.
// Small columns come before the long text, because SQLite walks a row from its start.
constexpr std::array<Table, 5> kTables = {{
    // Settings that belong to the content: "sequence", "embedder", "dimension" ...
    {"meta", "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"},
    // One row a document. hash: of everything that its chunks and vectors depend on. sequence: of its last change.
    {"documents",
     "CREATE TABLE documents(key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, hash BLOB NOT NULL, "
     "created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, sequence INTEGER NOT NULL, title TEXT NOT NULL, "
     "metadata TEXT NOT NULL, text TEXT NOT NULL) STRICT"},
    // One row a chunk: bytes [start, stop) of the document's text; embedded: 1 if it has a vector, so that counting those does
    // not walk through the vectors.
    {"chunks",
     "CREATE TABLE chunks(key INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents(key) "
     "ON DELETE CASCADE, ordinal INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, embedded INTEGER NOT NULL, "
     "UNIQUE(document, ordinal)) STRICT"},
    // Little-endian float32, as many as meta's "dimension" says. A chunk may have none.
    {"embeddings",
     "CREATE TABLE embeddings(chunk INTEGER PRIMARY KEY REFERENCES chunks(key) ON DELETE CASCADE, vector BLOB NOT NULL) "
     "STRICT"},
    // Derived files beside the database; sequence: the state of the content that the file holds.
    {"files",
     "CREATE TABLE files(kind TEXT PRIMARY KEY, name TEXT NOT NULL, sequence INTEGER NOT NULL, size INTEGER NOT NULL) STRICT, "
     "WITHOUT ROWID"},
}};

/// Only our tables, spelled as we spell them: a trigger, a view or another constraint in the file is not ours.
void check_tables(Connection& connection) {
    Statement rows = connection.prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
    std::size_t found = 0;
    while (rows.step()) {
        const std::string_view name = rows.text(0);
        bool known = false;
        for (const Table& table : kTables) known = known || (table.name == name && table.sql == rows.text(1));
        if (!known)
            fail(Code::kCorrupt, "{} is damaged: {} is not as librag made it", quote(connection.name(), 400), quote(name));
        ++found;
    }
    if (found != kTables.size()) {
        fail(Code::kCorrupt, "{} is damaged: {} of its {} tables are there", quote(connection.name(), 400), found,
             kTables.size());
    }
}

DatabaseState read_state(Connection& connection) {
    const std::int64_t application = connection.query_integer("PRAGMA application_id");
    const std::int64_t version = connection.query_integer("PRAGMA user_version");
    const std::int64_t objects = connection.query_integer("SELECT count(*) FROM sqlite_schema");
    if (application == 0 && version == 0 && objects == 0) return DatabaseState::kEmpty;
    const auto name = quote(connection.name(), 400);
    if (application != kApplicationId) {
        fail(Code::kInvalidArgument,
             "{} is an SQLite database, but no knowledge base: its application id is 0x{:08x}, not 0x{:08x}", name,
             static_cast<std::uint32_t>(application), static_cast<std::uint32_t>(kApplicationId));
    }
    if (version > kFormatVersion) {
        fail(Code::kVersion, "{} has format {}, this librag reads formats up to {}: it was written by a newer librag", name,
             version, kFormatVersion);
    }
    if (version < 1) fail(Code::kCorrupt, "{} is damaged: it says format {}", name, version);
    check_tables(connection);
    return DatabaseState::kKnowledgeBase;
}

}  // namespace

DatabaseState check_database(Connection& connection) {
    try {
        return read_state(connection);
    } catch (const Error& error) {
        // These statements are right, so what SQLite finds wrong with them ("unsupported file format") is wrong with the file.
        if (error.code() != Code::kInternal) throw;
        fail(Code::kCorrupt, "{}", error.what());
    }
}

void create_tables(Connection& connection) {
    connection.execute("BEGIN IMMEDIATE");
    try {
        for (const Table& table : kTables) connection.execute(table.sql);
        connection.execute("INSERT INTO meta(name, value) VALUES('sequence', '0')");
        connection.execute(fmt::format("PRAGMA application_id={}", kApplicationId).c_str());
        connection.execute(fmt::format("PRAGMA user_version={}", kFormatVersion).c_str());
        connection.execute("COMMIT");
    } catch (...) {
        if (connection.in_transaction()) sqlite3_exec(connection.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
        throw;
    }
}

}  // namespace rag::core
