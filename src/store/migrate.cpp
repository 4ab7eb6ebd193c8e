#include "store/migrate.hpp"

#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/log.hpp"
#include "store/content_hash.hpp"
#include "store/schema.hpp"
#include "store/sqlite.hpp"

namespace rag::core {
namespace {

/// Format 1 to 2: documents gain source, language and checksums; chunks gain their section, title path, hash and the checksum of
/// their vector; links and removals are new. Embeddings stay where they are.
class FromFormat1 {
  public:
    /// `done` counts documents.
    FromFormat1(Connection& connection, std::atomic<std::uint64_t>& done) : connection_(connection), done_(done) {}

    void run() {
        connection_.execute(
            "ALTER TABLE documents RENAME TO format1_documents;"
            "ALTER TABLE chunks RENAME TO format1_chunks");
        for (const char* name : {"documents", "chunks", "links", "links_by_target", "removals"}) create_item(connection_, name);
        documents();
        create_item(connection_, "documents_by_sequence");
        // Keys go on where they were, so that none comes back; and nothing that was removed before is known to the change feed.
        connection_.execute(
            "DELETE FROM sqlite_sequence WHERE name IN ('documents', 'chunks');"
            "UPDATE sqlite_sequence SET name='documents' WHERE name='format1_documents';"
            "UPDATE sqlite_sequence SET name='chunks' WHERE name='format1_chunks';"
            "INSERT INTO meta(name, value) SELECT 'removals_from', value FROM meta WHERE name='sequence';"
            "DROP TABLE format1_chunks; DROP TABLE format1_documents");
    }

  private:
    struct Chunk {
        std::int64_t key, ordinal, start, stop, embedded;
    };

    void documents() {
        Statement rows = connection_.prepare(
            "SELECT key, id, hash, created_ms, updated_ms, sequence, title, metadata, text FROM format1_documents ORDER BY key");
        Statement insert = connection_.prepare(
            "INSERT INTO documents(key, id, hash, checksum, text_checksum, created_ms, updated_ms, added, sequence, title, "
            "source, language, metadata, text) VALUES(?,?,?,?,?,?,?,?,?,?,'','',?,?)");
        while (rows.step()) {
            DocumentFields fields{rows.text(1),
                                  rows.text(6),
                                  "",
                                  "",
                                  rows.text(7),
                                  rows.blob(2),
                                  rows.integer(3),
                                  rows.integer(4),
                                  stored_checksum(rows.text(8))};
            insert.bind(1, rows.integer(0)).bind(2, fields.id).bind(3, fields.hash).bind(4, document_checksum(fields));
            insert.bind(5, fields.text_checksum).bind(6, fields.created_ms).bind(7, fields.updated_ms).bind(8, rows.integer(5));
            insert.bind(9, rows.integer(5)).bind(10, fields.title).bind(11, fields.metadata).bind(12, rows.text(8));
            insert.run();
            chunks(rows.integer(0), fields, rows.text(8));
            ++done_;
        }
    }

    void chunks(std::int64_t document, const DocumentFields& fields, std::string_view text) {
        std::vector<Chunk> found;
        {
            Statement rows = connection_.prepare(
                "SELECT key, ordinal, start, stop, embedded FROM format1_chunks WHERE document=? ORDER BY ordinal");
            rows.bind(1, document);
            while (rows.step()) {
                found.push_back({rows.integer(0), rows.integer(1), rows.integer(2), rows.integer(3), rows.integer(4)});
            }
        }
        for (const Chunk& chunk : found) {
            if (chunk.start < 0 || chunk.stop < chunk.start || static_cast<std::uint64_t>(chunk.stop) > text.size()) {
                fail(Code::kCorrupt, "{} is damaged: chunk {} of document {} is bytes {} to {} of a text of {} bytes",
                     quote(connection_.name(), 400), chunk.key, quote(fields.id), chunk.start, chunk.stop, text.size());
            }
            insert(document, chunk, fields, text, found.size() == 1);
        }
    }

    void insert(std::int64_t document, const Chunk& chunk, const DocumentFields& fields, std::string_view text, bool only) {
        std::int64_t checksum = 0;
        std::vector<float> given;
        if (chunk.embedded != 0) {
            Statement row = connection_.prepare("SELECT vector FROM embeddings WHERE chunk=?");
            row.bind(1, chunk.key);
            if (!row.step()) {
                fail(Code::kCorrupt, "{} is damaged: chunk {} of document {} has lost its vector", quote(connection_.name(), 400),
                     chunk.key, quote(fields.id));
            }
            checksum = stored_checksum(row.blob(0));
            if (only) given = vector_given(fields, text, row.blob(0));
        }
        const auto start = static_cast<std::size_t>(chunk.start);
        const auto part = text.substr(start, static_cast<std::size_t>(chunk.stop) - start);
        const ContentHash hash = chunk_hash(fields.title, "", part, given);
        connection_
            .prepare(
                "INSERT INTO chunks(key, document, ordinal, start, stop, parent_start, parent_stop, embedded, vector_checksum, "
                "hash, title_path) VALUES(?,?,?,?,?,?,?,?,?,?,'')")
            .bind(1, chunk.key)
            .bind(2, document)
            .bind(3, chunk.ordinal)
            .bind(4, chunk.start)
            .bind(5, chunk.stop)
            .bind(6, chunk.start)
            .bind(7, chunk.stop)
            .bind(8, chunk.embedded)
            .bind(9, checksum)
            .bind(10, std::span<const std::byte>(hash))
            .run();
    }

    /// The stored vector if it came with the document, else nothing: format 1 says so in the document's hash alone.
    static std::vector<float> vector_given(const DocumentFields& fields, std::string_view text,
                                           std::span<const std::byte> bytes) {
        std::vector<float> vector(bytes.size() / sizeof(float));
        if (!vector.empty()) std::memcpy(vector.data(), bytes.data(), vector.size() * sizeof(float));
        const ContentHash hash = document_hash("", fields.title, text, vector);
        const bool given = fields.hash.size() == hash.size() && std::memcmp(fields.hash.data(), hash.data(), hash.size()) == 0;
        if (!given) vector.clear();
        return vector;
    }

    Connection& connection_;
    std::atomic<std::uint64_t>& done_;
};

}  // namespace

void migrate(Connection& connection, const Progress& progress) {
    // Tables change places under the same names: what refers to them must be left alone meanwhile. Both settings work only
    // outside of a transaction.
    connection.execute("PRAGMA foreign_keys=OFF; PRAGMA legacy_alter_table=ON; BEGIN IMMEDIATE");
    try {
        std::atomic<std::uint64_t> done{0};
        const auto total = static_cast<std::uint64_t>(connection.query_integer("SELECT count(*) FROM documents"));
        report(progress, 0, total);
        const Interruptible interruptible(connection, progress, [&] { return std::pair(done.load(), total); });
        FromFormat1(connection, done).run();
        set_format_version(connection);
        connection.execute("COMMIT");
    } catch (...) {
        if (connection.in_transaction()) sqlite3_exec(connection.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
        throw;
    }
    connection.execute("PRAGMA legacy_alter_table=OFF; PRAGMA foreign_keys=ON");
    log(LogLevel::kInfo, "{} was brought from format 1 to format {}", quote(connection.name(), 400), kFormatVersion);
}

}  // namespace rag::core
