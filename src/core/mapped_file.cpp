#include "core/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/error.hpp"

namespace rag::core {
namespace {

/// Closes on every way out, because mmap keeps its own reference to the file.
struct Descriptor {
    int value = -1;
    ~Descriptor() {
        if (value >= 0) ::close(value);
    }
};

std::string reason(int error) {
    return std::generic_category().message(error);
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
    std::shared_ptr<MappedFile> file(new MappedFile());
    file->name_ = path.string();
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    const Descriptor descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (descriptor.value < 0) {
        const int error = errno;
        fail(error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kIo, "cannot open {}: {}", quote(file->name_, 400),
             reason(error));
    }
    struct stat status{};
    if (::fstat(descriptor.value, &status) != 0) fail(Code::kIo, "cannot read {}: {}", quote(file->name_, 400), reason(errno));
    if (!S_ISREG(status.st_mode)) fail(Code::kInvalidArgument, "{} is not a file", quote(file->name_, 400));
    file->size_ = static_cast<std::size_t>(status.st_size);
    if (file->size_ == 0) return file;
    void* data = ::mmap(nullptr, file->size_, PROT_READ, MAP_SHARED, descriptor.value, 0);
    if (data == MAP_FAILED) fail(Code::kIo, "cannot map {} ({} bytes): {}", quote(file->name_, 400), file->size_, reason(errno));
    file->data_ = static_cast<const std::byte*>(data);
    return file;
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_text_file(const std::filesystem::path& path, std::size_t limit) {
    const auto file = MappedFile::open(path);
    const auto bytes = file->bytes();
    if (bytes.size() > limit)
        fail(Code::kCorrupt, "{} has {} bytes, at most {} are read", quote(file->name(), 400), bytes.size(), limit);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace rag::core
