#include "text/readers/byte_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/error.hpp"

namespace rag::core {
namespace {

std::string reason(int error) {
    return std::generic_category().message(error);
}

class FileSource final : public ByteSource {
  public:
    FileSource(std::string name, std::uint64_t size, int descriptor)
        : ByteSource(std::move(name), size), descriptor_(descriptor) {}
    ~FileSource() override { ::close(descriptor_); }
    FileSource(const FileSource&) = delete;
    FileSource& operator=(const FileSource&) = delete;

  private:
    std::size_t get(char* out, std::size_t room) override {
        for (;;) {
            const ssize_t got = ::read(descriptor_, out, room);
            if (got >= 0) return static_cast<std::size_t>(got);
            if (errno != EINTR) fail(Code::kIo, "cannot read {}: {}", quote(name(), 400), reason(errno));
        }
    }
    int descriptor_;
};

class MemorySource final : public ByteSource {
  public:
    MemorySource(std::string_view bytes, std::string name) : ByteSource(std::move(name), bytes.size()), bytes_(bytes) {}

  private:
    std::size_t get(char* out, std::size_t room) override {
        const std::size_t count = std::min(room, bytes_.size() - at_);
        if (count != 0) std::memcpy(out, bytes_.data() + at_, count);
        at_ += count;
        return count;
    }
    std::string bytes_;
    std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<ByteSource> ByteSource::open_file(const std::filesystem::path& path) {
    std::string name = path.string();
    // The system would silently take the part before a NUL.
    if (name.find('\0') != std::string::npos) fail(Code::kInvalidArgument, "the path {} has a NUL in it", quote(name, 400));
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        const int error = errno;
        fail(error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kIo, "cannot open {}: {}", quote(name, 400),
             reason(error));
    }
    struct stat status{};
    const bool known = ::fstat(descriptor, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
        ::close(descriptor);
        fail(Code::kInvalidArgument, "{} is no regular file", quote(name, 400));
    }
    return std::make_unique<FileSource>(std::move(name), static_cast<std::uint64_t>(status.st_size), descriptor);
}

std::unique_ptr<ByteSource> ByteSource::of_bytes(std::string_view bytes, std::string name) {
    return std::make_unique<MemorySource>(bytes, std::move(name));
}

void ByteSource::read(std::string& out, std::size_t limit) {
    out.resize(limit);
    std::size_t done = 0;
    while (done < limit) {
        const std::size_t got = get(out.data() + done, limit - done);
        if (got == 0) break;
        done += got;
    }
    out.resize(done);
    position_ += done;
}

}  // namespace rag::core
