#include "store/paced_files.hpp"

#include <sqlite3.h>

#include <deque>
#include <mutex>
#include <type_traits>

#include "core/error.hpp"

namespace rag::core {
namespace {

thread_local Pace* current = nullptr;

/// The methods of one kind of SQLite's files, but for xWrite.
struct Methods {
    sqlite3_io_methods paced;  // the first member: a file's pMethods is the address of all
    const sqlite3_io_methods* original;
};
static_assert(std::is_standard_layout_v<Methods>);

int write_paced(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
    if (current != nullptr) current->give_way();
    const auto* methods = reinterpret_cast<const Methods*>(file->pMethods);
    return methods->original->xWrite(file, bytes, count, offset);
}

/// Registered with SQLite for as long as this library is loaded.
class Files {
  public:
    Files() {
        original_ = sqlite3_vfs_find(nullptr);
        if (original_ == nullptr) fail(Code::kInternal, "SQLite has no files to keep a database in");
        files_ = *original_;
        files_.pNext = nullptr;
        files_.zName = "librag-paced";
        files_.xOpen = &open;
        if (sqlite3_vfs_register(&files_, 0) != SQLITE_OK) throw std::bad_alloc();
    }
    ~Files() { sqlite3_vfs_unregister(&files_); }
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;

    const char* name() const noexcept { return files_.zName; }
    static Files& instance() {
        static Files files;
        return files;
    }

  private:
    static int open(sqlite3_vfs* /*self*/, const char* name, sqlite3_file* file, int flags, int* out_flags) {
        Files& files = instance();
        const int result = files.original_->xOpen(files.original_, name, file, flags, out_flags);
        if (result != SQLITE_OK) return result;
        try {
            file->pMethods = files.paced(file->pMethods);
        } catch (const std::bad_alloc&) {
            file->pMethods->xClose(file);
            file->pMethods = nullptr;
            return SQLITE_NOMEM;
        }
        return SQLITE_OK;
    }

    /// SQLite has a handful of tables of methods, which never change.
    const sqlite3_io_methods* paced(const sqlite3_io_methods* original) {
        const std::lock_guard lock(mutex_);
        for (const Methods& known : methods_) {
            if (known.original == original) return &known.paced;
        }
        Methods& made = methods_.emplace_back(Methods{*original, original});
        made.paced.xWrite = &write_paced;
        return &made.paced;
    }

    sqlite3_vfs* original_ = nullptr;
    sqlite3_vfs files_{};
    std::mutex mutex_;
    std::deque<Methods> methods_;  // their addresses stay
};

}  // namespace

const char* paced_files() {
    return Files::instance().name();
}

PacedWrites::PacedWrites(Pace& pace) noexcept : before_(current) {
    current = &pace;
}

PacedWrites::~PacedWrites() {
    current = before_;
}

}  // namespace rag::core
