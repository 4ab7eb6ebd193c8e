// Store::verify: does the database keep its own rules? Problems are collected, not thrown, so that one run names all of them.
#include "core/error.hpp"
#include "store/document_check.hpp"
#include "store/sqlite.hpp"
#include "store/store.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kMaxProblems = 100;

class Checker {
  public:
    Checker(Connection& connection, const Progress& progress)
        : connection_(connection), view_(&connection), progress_(progress) {}

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

    /// One by one from a list of their keys, so that a page that cannot be read costs no other document its check.
    void documents() {
        const std::vector<std::int64_t> keys = view_.listed_documents();
        const auto expected = static_cast<std::int64_t>(keys.size());
        DocumentCheck check(connection_);
        for (std::size_t done = 0; done < keys.size(); ++done) {
            // A document may take as long as thousands of others.
            const Progress within = [&](std::uint64_t, std::uint64_t) { return !progress_ || progress_(done, keys.size()); };
            report(within, 0, 0);
            try {
                for (const auto& line : check.check(keys[done], true, within)) problem("{}", line);
            } catch (const Error& error) {
                if (error.code() != Code::kCorrupt) throw;
                problem("document {} cannot be read: {}", quote(view_.listed_id(keys[done])), error.what());
            }
        }
        const std::int64_t counted = connection_.query_integer("SELECT count(*) FROM documents NOT INDEXED");
        if (counted != expected) problem("there are {} documents, and the list of ids has {}", counted, expected);
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

    struct View : StoreView {
        explicit View(Connection* connection) : StoreView(connection) {}
    };
    Connection& connection_;
    View view_;
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
