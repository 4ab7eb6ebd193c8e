// Store::verify: does the database keep its own rules? Problems are collected, not thrown, so that one run names all of them.
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
        guard([&] { embeddings(); });
        guard([&] { marks(); });
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
        const std::int64_t last = connection_.query_integer("SELECT CAST(value AS INTEGER) FROM meta WHERE name='sequence'");
        Statement rows = connection_.prepare("SELECT key, id, sequence, title, text FROM documents ORDER BY key");
        for (std::int64_t done = 0; rows.step(); ++done) {
            if (done % 64 == 0) report(progress_, static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
            const std::string id = quote(rows.text(1));
            if (rows.integer(2) < 1 || rows.integer(2) > last)
                problem("document {}: its change {} is not one of 1 to {}", id, rows.integer(2), last);
            if (find_invalid_utf8(rows.text(4)) != std::string_view::npos)
                problem("document {}: its text is not valid UTF-8", id);
            chunks(rows.integer(0), id, rows.text(4));
        }
    }

    void chunks(std::int64_t document, const std::string& id, std::string_view text) {
        Statement rows = connection_.prepare("SELECT key, ordinal, start, stop FROM chunks WHERE document=? ORDER BY ordinal");
        rows.bind(1, document);
        std::int64_t expected = 0;
        const auto inside = [&](std::int64_t at) {
            if (at < 0 || static_cast<std::uint64_t>(at) > text.size()) return false;
            const auto offset = static_cast<std::size_t>(at);
            return offset == text.size() || (static_cast<unsigned char>(text[offset]) & 0xC0U) != 0x80U;
        };
        while (rows.step()) {
            if (rows.integer(1) != expected) problem("document {}: chunk {} where {} is due", id, rows.integer(1), expected);
            ++expected;
            if (!inside(rows.integer(2)) || !inside(rows.integer(3)) || rows.integer(2) >= rows.integer(3)) {
                problem("chunk {} of document {}: bytes {} to {} are no part of a text of {} bytes", rows.integer(0), id,
                        rows.integer(2), rows.integer(3), text.size());
            }
        }
        if (expected == 0) problem("document {}: it has no chunk", id);
    }

    void embeddings() {
        const std::int64_t dimension =
            connection_.query_integer("SELECT CAST(value AS INTEGER) FROM meta WHERE name='dimension'");
        Statement rows = connection_.prepare("SELECT chunk, vector FROM embeddings ORDER BY chunk");
        std::vector<float> vector;
        for (std::int64_t done = 0; rows.step(); ++done) {
            if (done % 1024 == 0) report(progress_, static_cast<std::uint64_t>(done), 0);
            const auto bytes = rows.blob(1);
            if (dimension <= 0 || bytes.size() != static_cast<std::uint64_t>(dimension) * sizeof(float)) {
                problem("chunk {}: its vector has {} bytes, the dimension is {}", rows.integer(0), bytes.size(), dimension);
                continue;
            }
            vector.resize(bytes.size() / sizeof(float));
            std::memcpy(vector.data(), bytes.data(), bytes.size());
            for (const float value : vector) {
                if (std::isfinite(value)) continue;
                problem("chunk {}: its vector holds {}", rows.integer(0), value);
                break;
            }
        }
    }

    void marks() {
        const std::int64_t chunks =
            connection_.query_integer("SELECT count(*) FROM chunks WHERE embedded<>(key IN (SELECT chunk FROM embeddings))");
        if (chunks > 0) problem("{} chunks are marked wrongly as having a vector or not", chunks);
        const std::int64_t above = connection_.query_integer(
            "SELECT count(*) FROM chunks WHERE key>(SELECT seq FROM sqlite_sequence WHERE name='chunks')");
        if (above > 0) problem("{} chunks have keys that were never given out", above);
    }

    Connection& connection_;
    const Progress& progress_;
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
