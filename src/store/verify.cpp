// Store::verify: does the database keep its own rules? Problems are collected, not thrown, so that one run names all of them.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "store/sqlite.hpp"
#include "store/store.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kMaxProblems = 100;

class Checker {
  public:
    Checker(Connection& connection, const Progress& progress) : connection_(connection), progress_(progress) {}

    std::vector<std::string> run() {
        // A page that cannot be read ends the check that met it, and is itself the finding.
        guard([&] { pages(); });
        guard([&] { foreign_keys(); });
        guard([&] { documents(); });
        guard([&] { keys(); });
        return std::move(problems_);
    }

  private:
    template <typename... Args>
    void problem(fmt::format_string<Args...> format, Args&&... args) {
        if (problems_.size() < kMaxProblems) problems_.push_back(fmt::format(format, std::forward<Args>(args)...));
    }
    template <typename Part>
    void guard(const Part& part) {
        try {
            part();
        } catch (const Stopped&) {
            throw;
        } catch (const Error& error) {
            problem("{}", error.what());
        }
    }

    void pages() {
        const Interruptible interruptible(connection_, progress_);
        Statement rows = connection_.prepare("PRAGMA integrity_check");
        while (rows.step()) {
            if (rows.text(0) != "ok") problem("database: {}", rows.text(0));
        }
        report(progress_, 0, 0);
    }

    void foreign_keys() {
        Statement rows = connection_.prepare("PRAGMA foreign_key_check");
        while (rows.step())
            problem("database: row {} of {} refers to a row of {} that is not there", rows.integer(1), rows.text(0),
                    rows.text(2));
    }

    void documents() {
        const std::int64_t total = connection_.query_integer("SELECT count(*) FROM documents");
        last_change_ = connection_.query_integer("SELECT CAST(value AS INTEGER) FROM meta WHERE name='sequence'");
        dimension_ = connection_.query_integer("SELECT CAST(value AS INTEGER) FROM meta WHERE name='dimension'");
        Statement rows = connection_.prepare(
            "SELECT key, id, hash, checksum, text_checksum, created_ms, updated_ms, added, sequence, title, source, language, "
            "metadata, text FROM documents ORDER BY key");
        for (std::int64_t done = 0; rows.step(); ++done) {
            if (done % 64 == 0) report(progress_, static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
            document(rows);
        }
    }

    void document(const Statement& row) {
        const std::string id = quote(row.text(1));
        const std::int64_t added = row.integer(7);
        const std::int64_t changed = row.integer(8);
        if (added < 1 || changed < added || changed > last_change_) {
            problem("document {}: its changes {} and {} are not among 1 to {}", id, added, changed, last_change_);
        }
        const std::string_view text = row.text(13);
        const DocumentFields fields{row.text(1), row.text(9),    row.text(10),   row.text(11),  row.text(12),
                                    row.blob(2), row.integer(5), row.integer(6), row.integer(4)};
        if (stored_checksum(text) != row.integer(4)) problem("document {}: its text was changed (checksum)", id);
        if (document_checksum(fields) != row.integer(3)) {
            problem("document {}: its id, title, source, language, metadata or times were changed (checksum)", id);
        }
        if (find_invalid_utf8(text) != std::string_view::npos) problem("document {}: its text is not valid UTF-8", id);
        chunks(row.integer(0), id, fields.title, text);
    }

    void chunks(std::int64_t document, const std::string& id, std::string_view title, std::string_view text) {
        Statement rows = connection_.prepare(
            "SELECT c.key, c.ordinal, c.start, c.stop, c.parent_start, c.parent_stop, c.embedded, c.vector_checksum, c.hash, "
            "c.title_path, e.vector FROM chunks c LEFT JOIN embeddings e ON e.chunk=c.key WHERE c.document=? ORDER BY c.ordinal");
        rows.bind(1, document);
        std::int64_t expected = 0;
        for (; rows.step(); ++expected) {
            const std::string name = fmt::format("chunk {} of document {}", rows.integer(0), id);
            if (rows.integer(1) != expected) problem("{}: it is number {} where {} is due", name, rows.integer(1), expected);
            std::vector<float> vector = read_vector(rows, name);
            if (!is_part(text, rows.integer(2), rows.integer(3)) || !is_part(text, rows.integer(4), rows.integer(5))) {
                problem("{}: bytes {} to {} in {} to {} are no part of a text of {} bytes", name, rows.integer(2),
                        rows.integer(3), rows.integer(4), rows.integer(5), text.size());
                continue;
            }
            const auto start = static_cast<std::size_t>(rows.integer(2));
            const auto part = text.substr(start, static_cast<std::size_t>(rows.integer(3)) - start);
            const auto equals = [&](const ContentHash& hash) { return std::ranges::equal(hash, rows.blob(8)); };
            // A vector that came with the document is part of what the hash is of.
            if (!equals(chunk_hash(title, rows.text(9), part, {})) && !equals(chunk_hash(title, rows.text(9), part, vector))) {
                problem("{}: its text, title or title path were changed (checksum)", name);
            }
        }
        if (expected == 0) problem("document {}: it has no chunk", id);
    }

    static bool is_part(std::string_view text, std::int64_t start, std::int64_t stop) {
        const auto inside = [&](std::int64_t at) {
            if (at < 0 || static_cast<std::uint64_t>(at) > text.size()) return false;
            const auto offset = static_cast<std::size_t>(at);
            return offset == text.size() || (static_cast<unsigned char>(text[offset]) & 0xC0U) != 0x80U;
        };
        return inside(start) && inside(stop) && start < stop;
    }

    /// The vector of a chunk's row, after checks; empty if there is none that could be read.
    std::vector<float> read_vector(const Statement& row, const std::string& name) {
        std::vector<float> vector;
        const bool there = !row.is_null(10);
        if (there != (row.integer(6) == 1)) problem("{}: it is marked wrongly as having a vector or not", name);
        if (!there) return vector;
        const auto bytes = row.blob(10);
        if (dimension_ <= 0 || bytes.size() != static_cast<std::uint64_t>(dimension_) * sizeof(float)) {
            problem("{}: its vector has {} bytes, the dimension is {}", name, bytes.size(), dimension_);
            return vector;
        }
        if (stored_checksum(bytes) != row.integer(7)) problem("{}: its vector was changed (checksum)", name);
        vector.resize(bytes.size() / sizeof(float));
        std::memcpy(vector.data(), bytes.data(), bytes.size());
        for (const float value : vector) {
            if (std::isfinite(value)) continue;
            problem("{}: its vector holds {}", name, value);
            break;
        }
        return vector;
    }

    void keys() {
        const std::int64_t above = connection_.query_integer(
            "SELECT count(*) FROM chunks WHERE key>(SELECT seq FROM sqlite_sequence WHERE name='chunks')");
        if (above > 0) problem("{} chunks have keys that were never given out", above);
        const std::int64_t strange = connection_.query_integer(
            "SELECT count(*) FROM removals WHERE sequence<1 OR sequence>(SELECT CAST(value AS INTEGER) FROM meta WHERE "
            "name='sequence')");
        if (strange > 0) problem("{} removals belong to no change", strange);
        const std::int64_t removals = connection_.query_integer("SELECT count(*) FROM removals");
        const std::int64_t counted = connection_.query_integer(
            "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE name='removals'), (SELECT count(*) FROM removals))");
        if (removals != counted) problem("there are {} removals, and the knowledge base says {}", removals, counted);
    }

    Connection& connection_;
    const Progress& progress_;
    std::int64_t last_change_ = 0;
    std::int64_t dimension_ = 0;
    std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> Store::verify(const Progress& progress) {
    if (in_memory()) {
        const std::lock_guard lock(turn_);
        return Checker(*main_, progress).run();
    }
    const auto connection = connect(false);
    connection->execute("BEGIN");
    auto problems = Checker(*connection, progress).run();
    if (connection->in_transaction()) connection->execute("ROLLBACK");
    return problems;
}

}  // namespace rag::core
