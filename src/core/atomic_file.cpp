#include "core/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kBufferSize = 1u << 20;

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

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
    std::string pattern = path_.string() + ".XXXXXX";
    descriptor_ = ::mkostemp(pattern.data(), O_CLOEXEC);
    if (descriptor_ < 0) fail_io("create", path_, errno);
    temporary_ = pattern;
    ::fchmod(descriptor_, 0644);
    buffer_.reserve(kBufferSize);
}

AtomicFile::~AtomicFile() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
        ::unlink(temporary_.c_str());
    }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    offset_ += bytes.size();
    if (buffer_.size() >= kBufferSize) flush();
}

void AtomicFile::align(std::size_t alignment) {
    const std::size_t gap = (alignment - offset_ % alignment) % alignment;
    buffer_.append(gap, '\0');
    offset_ += gap;
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
    sync_folder(path_.parent_path());
}

}  // namespace rag::core
