#include "store/store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "core/error.hpp"
#include "core/log.hpp"
#include "store/commit_mark.hpp"
#include "store/migrate.hpp"
#include "store/schema.hpp"
#include "store/sqlite.hpp"
#include "store/writer_lock.hpp"

namespace rag::core {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDatabaseName = "knowledge.sqlite3";
constexpr const char* kLockName = "knowledge.lock";
constexpr std::size_t kIdleConnections = 16;
// When tidy() vacuums: one free page in so many, at least so many pages, and a database of at most so many bytes.
constexpr std::int64_t kTidyShare = 8;
constexpr std::int64_t kTidyLeast = 4;
constexpr std::int64_t kTidyLargest = std::int64_t{64} << 20;

std::string quoted(const fs::path& path) {
    return quote(path.string(), 400);
}

bool is_derived(const std::string& name) {
    return name.starts_with("index-") && name.find(".seg") != std::string::npos;
}

/// What a creation that was cut short may have left. Derived files are not among it: where they are, there was knowledge.
bool is_ours(const std::string& name) {
    return name.starts_with(kDatabaseName) || name == kLockName;
}

/// An empty database beside derived files has lost what it held; making a new one there would hide the loss.
void refuse_lost_database(const fs::path& folder) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (!is_derived(name) && name != kMarkName) continue;
        fail(Code::kCorrupt,
             "{} is empty, but {} beside it was made from its content: put a copy of the database back, or remove "
             "the folder to begin anew",
             quoted(folder / kDatabaseName), quote(name));
    }
}

void sync_folder(const fs::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;  // best effort: the parent may be unreadable to us
    ::fsync(descriptor);
    ::close(descriptor);
}

/// Makes the folder if it is missing and refuses one that holds something else.
void prepare_folder(const fs::path& folder, bool read_only) {
    std::error_code error;
    const fs::file_status status = fs::status(folder, error);
    if (status.type() == fs::file_type::not_found) {
        if (read_only) fail(Code::kNotFound, "{} does not exist", quoted(folder));
        fs::create_directories(folder, error);
        if (error) fail(Code::kIo, "cannot create the folder {}: {}", quoted(folder), error.message());
        sync_folder(folder.parent_path());
        return;
    }
    if (status.type() == fs::file_type::none) fail(Code::kIo, "cannot read {}: {}", quoted(folder), error.message());
    if (status.type() != fs::file_type::directory)
        fail(Code::kInvalidArgument, "{} is not a folder, and a knowledge base is one", quoted(folder));
    if (fs::exists(folder / kDatabaseName, error)) return;
    if (read_only) fail(Code::kNotFound, "{} is no knowledge base: it has no {}", quoted(folder), kDatabaseName);
    fs::directory_iterator entries(folder, error);
    if (error) fail(Code::kIo, "cannot read the folder {}: {}", quoted(folder), error.message());
    for (const auto& entry : entries) {
        const std::string name = entry.path().filename().string();
        if (!is_ours(name)) {
            fail(Code::kInvalidArgument, "{} is no knowledge base: it has no {}, but {}", quoted(folder), kDatabaseName,
                 quote(name));
        }
    }
}

/// What a reader cannot use: there is nothing yet, or only a writer could bring it to the present format.
void require_readable(DatabaseState state, const fs::path& folder) {
    if (state == DatabaseState::kKnowledgeBase) return;
    if (state == DatabaseState::kOlderFormat) {
        fail(Code::kVersion,
             "{} has an older format than {}: open it once for writing, which brings it there, or open a copy of it",
             quoted(folder), kFormatVersion);
    }
    fail(Code::kNotFound, "{} is no knowledge base yet: {} is empty", quoted(folder), kDatabaseName);
}

/// A writer that was killed may have left a commit at the end of the log that nobody was told of. While a reader in another
/// process keeps the log's index, which does not know it, it is not seen, but it would be as soon as that index is made anew:
/// what is there at the opening would not be all that comes to be there. A commit of our own, which changes nothing, takes its
/// place.
void settle_log(Connection& connection, const std::string& database) {
    std::error_code error;
    const auto size = fs::file_size(database + "-wal", error);
    if (error || size == 0) return;
    try {
        connection.execute("BEGIN IMMEDIATE");
        set_format_version(connection, format_version(connection));
        connection.execute("COMMIT");
    } catch (const Error& failure) {  // a full disk; the knowledge base can be read all the same
        log(LogLevel::kWarning, "the log of {} is left as it is: {}", quote(database, 400), failure.what());
        if (connection.in_transaction()) sqlite3_exec(connection.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
}

/// Changes when the database or its log is replaced, written or made.
std::string describe_files(const std::string& database) {
    std::string out;
    for (const char* suffix : {"", "-wal", "-shm"}) {
        struct ::stat status{};
        if (::stat((database + suffix).c_str(), &status) != 0) status = {};
        out += fmt::format("{} {} {} {}.{};", status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                           status.st_mtim.tv_nsec);
    }
    return out;
}

/// The state as the writer's own connection sees it.
struct MainView : StoreView {
    explicit MainView(Connection* connection) : StoreView(connection) {}
};

}  // namespace

std::unique_ptr<Store> Store::open(const StoreOptions& options) {
    std::unique_ptr<Store> store(new Store());
    store->read_only_ = options.read_only;
    if (options.folder) {
        store->open_folder(options);
        return store;
    }
    if (options.read_only) fail(Code::kInvalidArgument, "a knowledge base in memory cannot be opened read-only: it is empty");
    store->database_ = ":memory:";
    store->main_ = store->connect(true);
    create_tables(*store->main_);
    return store;
}

void Store::open_folder(const StoreOptions& options) {
    const fs::path& folder = *options.folder;
    if (folder.empty()) fail(Code::kInvalidArgument, "the path of a knowledge base is empty");
    if (folder.native().find('\0') != std::string::npos)
        fail(Code::kInvalidArgument, "the path {} holds a zero byte", quoted(folder));
    std::error_code error;
    folder_ = fs::absolute(folder, error);
    if (error) fail(Code::kIo, "cannot make {} absolute: {}", quoted(folder), error.message());
    prepare_folder(*folder_, read_only_);
    if (!read_only_) lock_ = std::make_unique<WriterLock>(*folder_ / kLockName);
    open_database(options);
    if (!read_only_) sweep();
}

void Store::open_database(const StoreOptions& options) {
    database_ = (*folder_ / kDatabaseName).string();
    // Before the database: a writer beside us marks what is committed already.
    const auto mark = read_mark(*folder_);
    if (read_only_) {
        open_reader();
        require_commits(mark, options.accept_loss);
        return;
    }
    main_ = connect(true);
    const DatabaseState state = check_database(*main_);
    if (state == DatabaseState::kKnowledgeBase) {
        require_commits(mark, options.accept_loss);
        settle_log(*main_, database_);
    }
    if (state == DatabaseState::kOlderFormat) migrate(*main_, options.progress);
    if (state == DatabaseState::kEmpty) {
        refuse_lost_database(*folder_);
        create_tables(*main_);
        sync_folder(*folder_);
    }
    mark_ = std::make_unique<CommitMark>(*folder_);
}

/// The mark of the writer that was last here says which commits were acknowledged. Without accept_loss the files stay as they
/// are.
void Store::require_commits(const std::optional<Mark>& mark, bool accept_loss) {
    if (!mark) return;
    MainView view(main_.get());
    std::int64_t sequence = 0;
    try {
        if (view.meta(kWriterMeta) != mark->writer) return;  // not the database that the mark was made beside
        sequence = view.sequence();
    } catch (const Error& error) {
        if (error.code() != Code::kCorrupt) throw;
        return;  // damage of another kind: whoever reads it is told, and verify() lists it
    }
    if (sequence >= mark->sequence) return;
    const std::string what = fmt::format(
        "{} has lost commits: its last change is {}, {} were acknowledged; its log, {}-wal, was removed, cut or damaged",
        quote(database_, 400), sequence, mark->sequence, kDatabaseName);
    if (!accept_loss) {
        main_->leave_log();
        main_.reset();
        fail(Code::kCorrupt, "{}. Put the log or a backup back, or open it with accept_loss to go on from what is left", what);
    }
    log(LogLevel::kWarning, "{}; the loss is accepted", what);
    if (read_only_) return;
    // Numbers of lost changes must not come back with other content, and copies that saw them must begin anew.
    auto transaction = write();
    const std::string next = std::to_string(mark->sequence + 1);
    transaction.set_meta("sequence", next);
    transaction.set_meta("removals_from", next);
    transaction.commit();
}

/// A log's files can be neither used nor made where this user may not write and a writer never left them: a read-only medium, or
/// a copy of the database alone. Then the file itself is the whole truth, for as long as it and the log stay as they are.
void Store::open_reader() {
    const std::string seen = describe_files(database_);
    try {
        immutable_ = false;
        main_ = connect(false);
        require_readable(check_database(*main_), *folder_);
    } catch (const Error& failure) {
        std::error_code error;
        // Only the making of a database, before it has its log, leaves a journal behind, and only a writer may undo what it says.
        if (failure.code() == Code::kReadOnly && fs::exists(database_ + "-journal", error)) {
            fail(Code::kNotFound, "{} is no knowledge base yet: its making was cut short; open it for writing", quoted(*folder_));
        }
        const auto log_size = fs::file_size(database_ + "-wal", error);
        const bool refused = failure.code() == Code::kIo || failure.code() == Code::kReadOnly;
        const bool writable = ::faccessat(AT_FDCWD, folder_->c_str(), W_OK, AT_EACCESS) == 0;
        if (refused && !writable && !error && log_size > 0) {
            fail(failure.code(),
                 "{} has commits in its log, and the log's index (-shm), which reading it needs, is not there and cannot be made "
                 "in a "
                 "folder that cannot be written: open it once where it can be, or copy {}-shm along ({})",
                 quoted(*folder_), kDatabaseName, failure.what());
        }
        if (!refused || writable) throw;
        immutable_ = true;
        main_ = connect(false);
        require_readable(check_database(*main_), *folder_);
    }
    files_seen_ = seen;
    ++openings_;
}

/// Another user's writer may have come since: its log is then read like anybody's.
void Store::notice_writer() {
    if (!immutable_) return;
    const std::lock_guard lock(turn_);
    if (!immutable_ || describe_files(database_) == files_seen_) return;
    open_reader();
}

std::unique_ptr<Connection> Store::connect(bool write) const {
    const auto access = write ? Connection::Access::kCreate : Connection::Access::kReadOnly;
    auto connection = std::make_unique<Connection>(database_, access, immutable_);
    if (!write || in_memory()) return connection;
    // Before anything is written to it, the file must be ours (or empty), and of a format that we know.
    check_database(*connection);
    {
        Statement mode = connection->prepare("PRAGMA journal_mode=WAL");
        mode.step();
        if (mode.text(0) != "wal") {
            fail(Code::kIo, "{} cannot use a write-ahead log (mode {}): its file system has no shared memory",
                 quote(database_, 400), quote(mode.text(0)));
        }
    }
    // After a vacuum the log is as long as the database: what is over this is given back when it is begun anew.
    connection->execute("PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864");
    // Users who may not write can read beside a writer that comes later only if its log's files are there.
    connection->keep_log();
    return connection;
}

Store::~Store() {
    // The writer goes last: it folds the log into the database and leaves it empty.
    idle_.clear();
    if (main_ && folder_ && !read_only_) {
        try {
            main_->execute("PRAGMA busy_timeout=0; PRAGMA wal_checkpoint(TRUNCATE)");  // closing waits for no reader
        } catch (...) {  // a reader is at it, or the disk is full: the next opening reads the log
        }
    }
    main_.reset();
}

std::string Store::name() const {
    return folder_ ? folder_->string() : ":memory:";
}

StoreSnapshot Store::read() {
    if (in_memory()) return {*this, *main_, std::unique_lock(turn_)};
    notice_writer();
    std::unique_ptr<Connection> connection;
    {
        const std::lock_guard lock(idle_mutex_);
        if (!idle_.empty()) {
            connection = std::move(idle_.back());
            idle_.pop_back();
        }
    }
    if (!connection) connection = connect(false);
    connection->execute("BEGIN");
    return {*this, std::move(connection)};
}

StoreSnapshot Store::read_apart() {
    if (!in_memory()) return read();
    auto copy = std::make_unique<Connection>(":memory:", Connection::Access::kCreate);
    {
        const std::lock_guard lock(turn_);
        sqlite3_backup* pages = sqlite3_backup_init(copy->handle(), "main", main_->handle(), "main");
        if (pages == nullptr) copy->raise(sqlite3_errcode(copy->handle()));
        sqlite3_backup_step(pages, -1);
        if (const int result = sqlite3_backup_finish(pages); result != SQLITE_OK) copy->raise(result);
    }
    copy->execute("BEGIN");
    return {*this, std::move(copy)};
}

void Store::give_back(std::unique_ptr<Connection> connection) noexcept {
    if (connection->immutable() || in_memory()) return;  // it would not see what changes
    try {
        connection->execute("ROLLBACK");
        const std::lock_guard lock(idle_mutex_);
        if (idle_.size() < kIdleConnections) idle_.push_back(std::move(connection));
    } catch (...) {  // a connection that cannot end its transaction is closed instead of kept
    }
}

WriteTransaction Store::write() {
    if (read_only_) fail(Code::kReadOnly, "{} is open read-only", quote(name(), 400));
    std::unique_lock turn(turn_);
    if (main_->in_transaction()) fail(Code::kInvalidState, "a write to {} is begun inside another", quote(name(), 400));
    main_->execute("BEGIN IMMEDIATE");
    return {*main_, std::move(turn), mark_.get()};
}

std::int64_t Store::data_version() {
    notice_writer();
    const std::lock_guard lock(turn_);
    // A connection's own number begins anew with it.
    return (openings_ << 32) | (main_->query_integer("PRAGMA data_version") & 0xFFFFFFFF);
}

void Store::vacuum(const Progress& progress) {
    if (read_only_) fail(Code::kReadOnly, "{} is open read-only", quote(name(), 400));
    const std::lock_guard lock(turn_);
    report(progress, 0, 0);
    {
        const Interruptible interruptible(*main_, progress);
        main_->execute("VACUUM");
    }
    // Readers may hold the log; then it is cut when they are done.
    if (!in_memory()) main_->execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

void Store::tidy() {
    if (in_memory() || read_only_) return;
    {
        const std::lock_guard lock(turn_);
        const std::int64_t pages = main_->query_integer("PRAGMA page_count");
        const std::int64_t free = main_->query_integer("PRAGMA freelist_count");
        const std::int64_t bytes = pages * main_->query_integer("PRAGMA page_size");
        if (free < pages / kTidyShare + kTidyLeast || bytes > kTidyLargest) return;
    }
    try {
        vacuum();
    } catch (const Error& error) {
        log(LogLevel::kWarning, "{} keeps the space of what was removed: {}", quote(name(), 400), error.what());
    }
}

void Store::sweep() {
    if (in_memory() || read_only_) return;
    std::vector<DerivedFile> listed;
    {
        const std::lock_guard lock(turn_);
        listed = MainView(main_.get()).files();
    }
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(*folder_, error)) {
        const std::string name = entry.path().filename().string();
        const bool keep = std::any_of(listed.begin(), listed.end(), [&](const auto& file) { return file.name == name; });
        if (keep || !is_derived(name)) continue;
        std::error_code failure;
        if (fs::remove(entry.path(), failure))
            log(LogLevel::kInfo, "deleted {}, which {} does not list", quote(name), kDatabaseName);
    }
}

StoreSnapshot::StoreSnapshot(Store& store, std::unique_ptr<Connection> lent)
    : StoreView(lent.get()), store_(&store), lent_(std::move(lent)) {}

StoreSnapshot::StoreSnapshot(Store& store, Connection& shared, std::unique_lock<std::recursive_mutex> turn)
    : StoreView(&shared), store_(&store), turn_(std::move(turn)) {}

StoreSnapshot::StoreSnapshot(StoreSnapshot&& other) noexcept
    : StoreView(other.connection_), store_(other.store_), lent_(std::move(other.lent_)), turn_(std::move(other.turn_)) {}

StoreSnapshot::~StoreSnapshot() {
    if (lent_) store_->give_back(std::move(lent_));
}

}  // namespace rag::core
