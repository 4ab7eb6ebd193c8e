#include "store/sqlite.hpp"

#include <chrono>
#include <limits>

#include "core/error.hpp"
#include "core/signals_blocked.hpp"
#include "store/paced_files.hpp"

namespace rag::core {
namespace {

constexpr int kBusyTimeoutMs = 10000;

/// An absolute path as an SQLite URI, so that a name with '?' or '%' stays a name.
std::string file_uri(const std::string& path, bool immutable) {
    std::string uri = "file://";
    for (const char c : path) {
        if (c == '?' || c == '#' || c == '%') {
            uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
        } else {
            uri += c;
        }
    }
    return immutable ? uri + "?immutable=1" : uri;
}

Code code_of(int result) {
    switch (result & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_MISMATCH:
            return Code::kCorrupt;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return Code::kBusy;
        case SQLITE_READONLY:
            return Code::kReadOnly;
        case SQLITE_NOMEM:
            return Code::kOutOfMemory;
        case SQLITE_TOOBIG:
            return Code::kInvalidArgument;
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
        case SQLITE_AUTH:
        case SQLITE_PROTOCOL:
        case SQLITE_NOLFS:
            return Code::kIo;
        default:
            return Code::kInternal;
    }
}

}  // namespace

Statement::Statement(Connection& owner, std::string_view sql, sqlite3_stmt* statement)
    : owner_(&owner), sql_(sql), statement_(statement) {}

Statement::Statement(Statement&& other) noexcept : owner_(other.owner_), sql_(other.sql_), statement_(other.statement_) {
    other.statement_ = nullptr;
}

Statement::~Statement() {
    if (statement_ != nullptr) owner_->give_back(sql_, statement_);
}

Statement& Statement::bind(int parameter, std::int64_t value) {
    if (const int result = sqlite3_bind_int64(statement_, parameter, value); result != SQLITE_OK) owner_->raise(result);
    return *this;
}

Statement& Statement::bind_real(int parameter, double value) {
    if (const int result = sqlite3_bind_double(statement_, parameter, value); result != SQLITE_OK) owner_->raise(result);
    return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
    // An empty view may have a null pointer, which SQLite would take for NULL.
    const char* data = text.empty() ? "" : text.data();
    const int result = sqlite3_bind_text64(statement_, parameter, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
    if (result != SQLITE_OK) owner_->raise(result);
    return *this;
}

Statement& Statement::bind(int parameter, std::span<const std::byte> blob) {
    const void* data = blob.empty() ? static_cast<const void*>("") : blob.data();
    const int result = sqlite3_bind_blob64(statement_, parameter, data, blob.size(), SQLITE_STATIC);
    if (result != SQLITE_OK) owner_->raise(result);
    return *this;
}

bool Statement::step() {
    const int result = sqlite3_step(statement_);
    if (result == SQLITE_ROW) return true;
    if (result != SQLITE_DONE) owner_->raise(result);
    return false;
}

void Statement::run() {
    if (step()) fail(Code::kInternal, "a statement returned a row that nobody reads: {}", sql_);
    reset();
}

void Statement::reset() noexcept {
    sqlite3_reset(statement_);
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

double Statement::real(int column) const {
    return sqlite3_column_double(statement_, column);
}

std::string_view Statement::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (data == nullptr) return {};
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::span<const std::byte> Statement::blob(int column) const {
    const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
    if (data == nullptr) return {};
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Connection::Connection(const std::string& file, Access access, bool immutable) : name_(file), immutable_(immutable) {
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI;
    if (access == Access::kReadOnly) flags |= SQLITE_OPEN_READONLY;
    if (access == Access::kReadWrite) flags |= SQLITE_OPEN_READWRITE;
    if (access == Access::kCreate) flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const std::string target = file == ":memory:" ? file : file_uri(file, immutable);
    const int result = sqlite3_open_v2(target.c_str(), &handle_, flags, file == ":memory:" ? nullptr : paced_files());
    try {
        if (handle_ == nullptr) throw std::bad_alloc();
        if (result != SQLITE_OK) raise(result);
        sqlite3_extended_result_codes(handle_, 1);
        sqlite3_busy_timeout(handle_, kBusyTimeoutMs);
        // The file may come from a stranger: nothing in it may run code, and every cell is checked when its page is read.
        sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
        sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
        sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
        execute("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON");
    } catch (...) {
        sqlite3_close_v2(handle_);
        throw;
    }
}

Connection::~Connection() {
    for (const auto& [sql, statement] : idle_) sqlite3_finalize(statement);
    sqlite3_close_v2(handle_);
}

Statement Connection::prepare(std::string_view sql) {
    if (const auto found = idle_.find(sql); found != idle_.end()) {
        sqlite3_stmt* statement = found->second;
        idle_.erase(found);
        return {*this, sql, statement};
    }
    sqlite3_stmt* statement = nullptr;
    const int result =
        sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (result != SQLITE_OK) raise(result);
    return {*this, sql, statement};
}

void Connection::give_back(std::string_view sql, sqlite3_stmt* statement) noexcept {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    try {
        if (idle_.emplace(sql, statement).second) return;
    } catch (...) {  // without memory for the cache the statement is prepared anew next time
    }
    sqlite3_finalize(statement);
}

void Connection::execute(const char* sql) {
    if (const int result = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr); result != SQLITE_OK) raise(result);
}

std::int64_t Connection::query_integer(std::string_view sql) {
    Statement statement = prepare(sql);
    return statement.step() ? statement.integer(0) : 0;
}

void Connection::keep_log() noexcept {
    int on = 1;
    sqlite3_file_control(handle_, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
}

void Connection::leave_log() noexcept {
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void Connection::raise(int result) const {
    if ((result & 0xff) == SQLITE_INTERRUPT) throw Stopped();
    const Code code = code_of(result);
    const std::string name = quote(name_, 400);
    const char* why = sqlite3_errmsg(handle_);
    if (code == Code::kCorrupt) fail(code, "{} is damaged: {} (SQLite {})", name, why, result);
    if ((result & 0xff) == SQLITE_FULL) fail(code, "{}: the disk is full (SQLite {})", name, result);
    if (code == Code::kBusy) fail(code, "{} is locked by another process: {} (SQLite {})", name, why, result);
    fail(code, "{}: {} (SQLite {})", name, why, result);
}

Interruptible::Interruptible(Connection& connection, const Progress& progress, Measure measure) {
    if (!progress) return;
    const SignalsBlocked blocked;  // the thread must not take the host's signals
    thread_ = std::thread([this, &progress, handle = connection.handle(), measure = std::move(measure)] {
        std::unique_lock lock(mutex_);
        while (!changed_.wait_for(lock, std::chrono::milliseconds(20), [this] { return done_; })) {
            const auto [done, total] = measure ? measure() : std::pair<std::uint64_t, std::uint64_t>(0, 0);
            if (!progress(done, total)) sqlite3_interrupt(handle);
        }
    });
}

Interruptible::~Interruptible() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        done_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

}  // namespace rag::core
