#include "core/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kBufferSize = 1U << 20;
constexpr std::string_view kTemporaryMark = ".tmp-";  // then the process's number, a dash, a running number

[[noreturn]] void fail_io(const char* what, const std::filesystem::path& path, int error) {
    fail(Code::kIo, "cannot {} {}: {}", what, quote(path.string(), 400), std::generic_category().message(error));
}

void sync_folder(const std::filesystem::path& folder) {
    const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) fail_io("open the folder", folder, errno);
    const int result = ::fsync(descriptor);
    const int error = errno;
    ::close(descriptor);
    // Some network file systems cannot sync folders; the rename is then as durable as they make it.
    if (result != 0 && error != EINVAL && error != ENOTSUP) fail_io("sync the folder", folder, error);
}

/// The file that is to be replaced: behind links, which stay. What is no file (a device, a pipe, a folder) is not replaced by
/// one.
std::filesystem::path replaceable(const std::filesystem::path& path) {
    if (path.native().find('\0') != std::string::npos)
        fail(Code::kInvalidArgument, "the path {} has a NUL in it", quote(path.native(), 400));
    std::error_code error;
    const auto kind = std::filesystem::symlink_status(path, error).type();
    if (kind == std::filesystem::file_type::symlink) {
        const auto target = std::filesystem::weakly_canonical(path, error);  // links in a ring have none
        if (error) fail(Code::kIo, "cannot follow the link {}: {}", quote(path.string(), 400), error.message());
        if (std::filesystem::is_symlink(target, error))
            fail(Code::kIo, "the link {} leads to nothing", quote(path.string(), 400));
        return replaceable(target);
    }
    if (kind == std::filesystem::file_type::directory)
        fail(Code::kInvalidArgument, "{} is a folder, and a file is to be written", quote(path.string(), 400));
    if (std::filesystem::exists(path, error) && kind != std::filesystem::file_type::regular) {
        fail(Code::kInvalidArgument, "{} is no file but a device or a pipe: write to a file, and copy it there",
             quote(path.string(), 400));
    }
    return path;
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(replaceable(path)) {
    buffer_.reserve(kBufferSize);
    create();
}

/// As mkostemp, but with the permissions that the umask says: a private knowledge base must not become readable by its indexes.
void AtomicFile::create() {
    static std::atomic<std::uint64_t> counter{0};
    for (int attempt = 0; attempt < 1000; ++attempt) {
        temporary_ = path_;
        temporary_ += fmt::format("{}{}-{}", kTemporaryMark, ::getpid(), counter.fetch_add(1, std::memory_order_relaxed));
        descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor_ >= 0) return;
        if (errno != EEXIST) break;  // the file of a dead process with the same number: take the next name
    }
    fail_io("create", path_, errno);
}

bool AtomicFile::is_temporary(std::string_view file_name) noexcept {
    const std::size_t mark = file_name.rfind(kTemporaryMark);
    if (mark == std::string_view::npos || mark == 0) return false;
    const std::string_view rest = file_name.substr(mark + kTemporaryMark.size());
    const std::size_t dash = rest.find('-');
    return dash != std::string_view::npos && dash > 0 && dash + 1 < rest.size() &&
           std::count(rest.begin(), rest.end(), '-') == 1 && rest.find_first_not_of("0123456789-") == std::string_view::npos;
}

AtomicFile::~AtomicFile() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
        ::unlink(temporary_.c_str());
    }
}

void AtomicFile::require_open() const {
    if (failed_) fail(Code::kInvalidState, "writing {} has failed before", quote(path_.string(), 400));
    if (descriptor_ < 0) fail(Code::kInvalidState, "{} is finished, nothing can be added", quote(path_.string(), 400));
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    require_open();
    failed_ = true;  // until the end is reached without an exception
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    offset_ += bytes.size();
    if (buffer_.size() >= kBufferSize) flush();
    failed_ = false;
}

void AtomicFile::align(std::size_t alignment) {
    const std::string zeros((alignment - offset_ % alignment) % alignment, '\0');
    write(std::as_bytes(std::span(zeros)));
}

void AtomicFile::flush() {
    std::size_t done = 0;
    while (done < buffer_.size()) {
        const ssize_t written = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
        if (written < 0) {
            if (errno == EINTR) continue;
            fail_io("write", path_, errno);
        }
        done += static_cast<std::size_t>(written);
    }
    buffer_.clear();
}

void AtomicFile::commit() {
    require_open();
    failed_ = true;
    flush();
    if (::fsync(descriptor_) != 0) fail_io("sync", path_, errno);
    const int closed = ::close(descriptor_);
    const int error = errno;
    descriptor_ = -1;
    if (closed != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
        const int why = closed != 0 ? error : errno;
        ::unlink(temporary_.c_str());
        fail_io("replace", path_, why);
    }
    failed_ = false;
    sync_folder(path_.parent_path());
}

}  // namespace rag::core
