// Store::backup: a copy of the last commit, made beside readers and a writer. VACUUM INTO reads every row of one snapshot, so a
// damaged page stops the backup instead of going into it, and the copy has no space of deleted content. It grows in a folder with
// a name of its own and gets the wanted one by a rename, when all of it is durable.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <system_error>

#include "store/backup.hpp"

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "store/commit_mark.hpp"
#include "store/document_check.hpp"
#include "store/sqlite.hpp"
#include "store/store.hpp"
#include "store/writer_lock.hpp"

namespace rag::core {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCopyBytes = std::size_t{4} << 20;
constexpr const char* kUnfinishedMark = ".unfinished-";  // then six characters

std::string quoted(const fs::path& path) {
    return quote(path.string(), 400);
}

[[noreturn]] void fail_io(const char* what, const fs::path& path, const std::error_code& error) {
    fail(Code::kIo, "cannot {} {}: {}", what, quoted(path), error.message());
}

/// Makes what is there durable: a file's bytes, or a folder's names.
void sync(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const int result = descriptor < 0 ? -1 : ::fsync(descriptor);
    const std::error_code error(errno, std::generic_category());
    if (descriptor >= 0) ::close(descriptor);
    if (result != 0 && error.value() != EINVAL && error.value() != ENOTSUP) fail_io("sync", path, error);
}

void require_free(const fs::path& folder) {
    std::error_code error;
    const auto status = fs::symlink_status(folder, error);
    if (status.type() == fs::file_type::not_found) return;
    if (status.type() == fs::file_type::directory && fs::is_empty(folder, error) && !error) return;
    fail(Code::kAlreadyExists, "{} is there already: a backup makes a new folder", quoted(folder));
}

void copy_file(const fs::path& from, const fs::path& to, const Progress& progress) {
    const auto source = MappedFile::open(from);
    AtomicFile copy(to);
    for (std::size_t at = 0; at < source->bytes().size(); at += kCopyBytes) {
        report(progress, at, source->bytes().size());
        copy.write(source->bytes().subspan(at, std::min(kCopyBytes, source->bytes().size() - at)));
    }
    copy.commit();
}

/// VACUUM copies what the rows say, also where bits of a text or vector have changed: a backup must not pass that on as good.
void require_whole(Connection& copy, const std::string& origin, const Progress& progress) {
    struct View : StoreView {
        explicit View(Connection* connection) : StoreView(connection) {}
    };
    const std::vector<std::int64_t> keys = View(&copy).listed_documents();
    DocumentCheck check(copy);
    std::string first;
    std::size_t damaged = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (i % 64 == 0) report(progress, i, keys.size());
        const auto lines = check.check(keys[i]);
        if (lines.empty()) continue;
        if (damaged++ == 0) first = lines.front();
    }
    if (damaged == 0) return;
    fail(Code::kCorrupt,
         "{} is damaged, {} of its documents are, so no backup was made; {}. Upsert or delete what verify() names, or export the "
         "rest",
         quote(origin, 400), damaged, first);
}

/// Index files of the backup's own state; one that the writer has replaced meanwhile is made again when the backup is opened.
void copy_derived(Connection& copy, const fs::path& from, const fs::path& to, const Progress& progress) {
    std::vector<std::pair<std::string, std::string>> files;
    {
        Statement rows = copy.prepare("SELECT kind, name FROM files");
        while (rows.step()) files.emplace_back(rows.text(0), rows.text(1));
    }
    for (const auto& [kind, name] : files) {
        try {
            // A name from a database is not a path that it may choose.
            if (fs::path(name).filename() != name) fail(Code::kCorrupt, "an index file is called {}", quote(name));
            copy_file(from / name, to / name, progress);
        } catch (const Error& error) {
            if (error.code() != Code::kNotFound && error.code() != Code::kCorrupt) throw;
            copy.prepare("DELETE FROM files WHERE kind=?").bind(1, kind).run();
        }
    }
}

}  // namespace

Backup::Backup(const fs::path& target) : target_(target) {
    sweep();
    std::random_device random;
    folder_ = target_.parent_path() / fmt::format("{}{:06x}", prefix(), random() & 0xFFFFFFU);
    // As any new folder, with the permissions that the umask says.
    if (::mkdir(folder_.c_str(), 0777) != 0) {
        const std::error_code reason(errno, std::generic_category());
        fail_io("make the folder", folder_, reason);
    }
    try {
        lock_ = std::make_unique<WriterLock>(folder_ / "knowledge.lock");
    } catch (...) {
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
        throw;
    }
}

Backup::~Backup() {
    if (folder_.empty()) return;
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

std::string Backup::prefix() const {
    return "." + target_.filename().string() + kUnfinishedMark;
}

void Backup::publish() {
    sync(folder_);
    require_free(target_);
    lock_.reset();
    std::error_code error;
    fs::rename(folder_, target_, error);
    if (error) fail_io("rename the finished backup to", target_, error);
    folder_.clear();
    sync(target_.parent_path());
}

/// Removes what backups to the same place left when they were killed.
void Backup::sweep() const {
    std::error_code error;
    for (fs::directory_iterator entry(target_.parent_path(), error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (!name.starts_with(prefix()) || name.size() != prefix().size() + 6) continue;
        try {
            const WriterLock nobody_is_at_it(entry->path() / "knowledge.lock");
            std::error_code ignored;
            fs::remove_all(entry->path(), ignored);
        } catch (const Error&) {  // another backup is under way
        }
    }
}

std::unique_ptr<Backup> Store::backup(const fs::path& folder, const Progress& progress) {
    if (folder.empty()) fail(Code::kInvalidArgument, "the path of the backup is empty");
    std::error_code error;
    fs::path target = fs::absolute(folder, error).lexically_normal();
    if (error) fail_io("make absolute", folder, error);
    if (!target.has_filename()) target = target.parent_path();
    require_free(target);
    if (!fs::is_directory(target.parent_path(), error)) fail(Code::kNotFound, "{} is no folder", quoted(target.parent_path()));

    auto backup = std::make_unique<Backup>(target);
    const std::string database = (backup->folder() / "knowledge.sqlite3").string();
    const auto copy_rows = [&](Connection& source) {
        const auto pages = static_cast<std::uint64_t>(source.query_integer("PRAGMA page_count"));
        const auto page_size = static_cast<std::uint64_t>(source.query_integer("PRAGMA page_size"));
        const Interruptible interruptible(source, progress, [&] {
            std::error_code missing;
            const auto size = fs::file_size(database, missing);
            return std::pair<std::uint64_t, std::uint64_t>(missing ? 0 : size / page_size, pages);
        });
        source.prepare("VACUUM INTO ?").bind(1, std::string_view(database)).run();
    };
    if (in_memory()) {
        const std::lock_guard lock(turn_);
        copy_rows(*main_);
    } else {
        notice_writer();
        copy_rows(*connect(false));
    }
    {
        Connection copy(database, Connection::Access::kReadWrite);
        // A mark beside the place where it is put back one day tells nothing about it: see commit_mark.hpp.
        copy.prepare("DELETE FROM meta WHERE name=?").bind(1, kWriterMeta).run();
        require_whole(copy, name(), progress);
        if (in_memory()) {
            copy.execute("DELETE FROM files");
        } else {
            copy_derived(copy, *folder_, backup->folder(), progress);
        }
    }
    sync(database);
    report(progress, 1, 1);
    return backup;
}

}  // namespace rag::core
