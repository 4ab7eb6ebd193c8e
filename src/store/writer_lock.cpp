#include "store/writer_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <system_error>

#include "core/error.hpp"

namespace rag::core {
namespace {

/// The process id that the holder wrote; 0 if it is not there (yet).
long holder_of(int descriptor) {
    std::array<char, 24> buffer{};
    const ssize_t size = ::pread(descriptor, buffer.data(), buffer.size(), 0);
    long pid = 0;
    if (size > 0) std::from_chars(buffer.data(), buffer.data() + size, pid);
    return pid;
}

}  // namespace

WriterLock::WriterLock(const std::filesystem::path& file) {
    descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (descriptor_ < 0) {
        const int error = errno;
        fail(Code::kIo, "cannot open the lock {}: {}", quote(file.string(), 400), std::generic_category().message(error));
    }
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        const int error = errno;
        const long pid = holder_of(descriptor_);
        ::close(descriptor_);
        const std::string folder = quote(file.parent_path().string(), 400);
        if (error != EWOULDBLOCK)
            fail(Code::kIo, "cannot lock {}: {}", quote(file.string(), 400), std::generic_category().message(error));
        if (pid == static_cast<long>(::getpid()))
            fail(Code::kBusy, "{} is open for writing in this process already ({})", folder, pid);
        fail(Code::kBusy, "{} is open for writing in process {}; open it read-only, or close it there", folder,
             pid > 0 ? std::to_string(pid) : std::string("(unknown)"));
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    // The id is for messages only: without it the lock still locks.
    if (::ftruncate(descriptor_, 0) == 0 && ::pwrite(descriptor_, pid.data(), pid.size(), 0) < 0) return;
}

WriterLock::~WriterLock() {
    // Closing, not LOCK_UN: a forked child that closes its copy must not unlock the parent's.
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace rag::core
