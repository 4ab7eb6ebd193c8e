// SQLite in RAII: a connection with a cache of prepared statements, and the statement in use. Every failure becomes Error with
// SQLite's own reason and the name of the database. For store/ only; nobody else sees sqlite3.h.
//
// Thread rule: a connection and its statements belong to one thread at a time (opened with SQLITE_OPEN_NOMUTEX).
#pragma once

#include <sqlite3.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "core/cancel.hpp"

namespace rag::core {

class Connection;

/// A prepared statement on loan from its connection; the destructor resets it and gives it back. Parameters and columns count as
/// in SQLite: parameters from 1, columns from 0.
class Statement {
  public:
    Statement(Statement&& other) noexcept;
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    ~Statement();

    Statement& bind(int parameter, std::int64_t value);
    Statement& bind_real(int parameter, double value);
    /// The bytes must stay where they are until the statement is done.
    Statement& bind(int parameter, std::string_view text);
    Statement& bind(int parameter, std::span<const std::byte> blob);

    /// True: a row is there. False: done.
    bool step();
    /// step() of a statement that returns no row.
    void run();
    /// For the next set of parameters.
    void reset() noexcept;

    std::int64_t integer(int column) const;
    double real(int column) const;
    /// Valid until the next step().
    std::string_view text(int column) const;
    std::span<const std::byte> blob(int column) const;
    bool is_null(int column) const;

  private:
    friend class Connection;
    Statement(Connection& owner, std::string_view sql, sqlite3_stmt* statement);
    Connection* owner_;
    std::string_view sql_;
    sqlite3_stmt* statement_;
};

class Connection {
  public:
    enum class Access { kReadOnly, kReadWrite, kCreate };
    /// `file`: an absolute path, or ":memory:", a database of its own. `immutable`: the file is on a medium that cannot change.
    Connection(const std::string& file, Access access, bool immutable = false);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// `sql` must be a literal: the cache keeps the view.
    Statement prepare(std::string_view sql);
    void execute(const char* sql);
    /// The first column of the first row, or 0 without a row.
    std::int64_t query_integer(std::string_view sql);
    std::int64_t last_insert_key() const noexcept { return sqlite3_last_insert_rowid(handle_); }
    std::int64_t changes() const noexcept { return sqlite3_changes64(handle_); }
    bool in_transaction() const noexcept { return sqlite3_get_autocommit(handle_) == 0; }
    /// Opened as a file that nobody changes.
    bool immutable() const noexcept { return immutable_; }
    /// The files of the write-ahead log stay when the last connection closes.
    void keep_log() noexcept;
    /// Closing leaves the log as it is, whatever is wrong with it.
    void leave_log() noexcept;
    const std::string& name() const noexcept { return name_; }
    sqlite3* handle() const noexcept { return handle_; }

    /// Throws the Error that belongs to an SQLite result code, Stopped for an interrupted statement.
    [[noreturn]] void raise(int result) const;

  private:
    friend class Statement;
    void give_back(std::string_view sql, sqlite3_stmt* statement) noexcept;

    std::string name_;
    bool immutable_;
    sqlite3* handle_ = nullptr;
    std::unordered_map<std::string_view, sqlite3_stmt*> idle_;
};

/// While it lives, `progress` is asked every 20 ms, on a thread of its own, with what `measure` (may be empty) gives as done and
/// total; a false interrupts the statements of the connection, which then throw Stopped. For statements that take seconds and
/// call nobody: VACUUM, integrity_check.
class Interruptible {
  public:
    using Measure = std::function<std::pair<std::uint64_t, std::uint64_t>()>;
    Interruptible(Connection& connection, const Progress& progress, Measure measure = {});
    ~Interruptible();
    Interruptible(const Interruptible&) = delete;
    Interruptible& operator=(const Interruptible&) = delete;

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool done_ = false;
    std::thread thread_;
};

}  // namespace rag::core
