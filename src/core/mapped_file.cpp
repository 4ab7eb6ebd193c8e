#include "core/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <map>
#include <mutex>
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

/// A mapping: its end, and the file as it was then.
struct Mapping {
    const std::byte* end;
    std::string name;
    struct stat status;
};

/// Where files are mapped at present, by the first byte. Only there may pages be dropped without losing what they hold.
struct Mappings {
    std::mutex mutex;
    std::map<const std::byte*, Mapping> by_begin;

    /// With the lock held; nullptr for bytes that lie elsewhere.
    const Mapping* find(std::span<const std::byte> bytes) const {
        auto found = by_begin.upper_bound(bytes.data());
        if (bytes.empty() || found == by_begin.begin()) return nullptr;
        --found;
        return bytes.data() + bytes.size() > found->second.end ? nullptr : &found->second;
    }
};
Mappings& mappings() {
    static Mappings* const instance = new Mappings();  // files may be closed while static objects are being destroyed
    return *instance;
}

/// A regular file open for reading, and its size.
struct OpenFile {
    Descriptor descriptor;
    std::size_t size = 0;
    struct stat status{};
};

OpenFile open_regular_file(const std::filesystem::path& path, const std::string& name) {
    // The system would silently take the part before a NUL.
    if (name.find('\0') != std::string::npos) fail(Code::kInvalidArgument, "the path {} has a NUL in it", quote(name, 400));
    OpenFile file;
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    file.descriptor.value = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file.descriptor.value < 0) {
        const int error = errno;
        fail(error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kIo, "cannot open {}: {}", quote(name, 400),
             reason(error));
    }
    if (::fstat(file.descriptor.value, &file.status) != 0) fail(Code::kIo, "cannot read {}: {}", quote(name, 400), reason(errno));
    if (!S_ISREG(file.status.st_mode)) fail(Code::kInvalidArgument, "{} is not a file", quote(name, 400));
    file.size = static_cast<std::size_t>(file.status.st_size);
    return file;
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
    std::shared_ptr<MappedFile> file(new MappedFile());
    file->name_ = path.string();
    const OpenFile opened = open_regular_file(path, file->name_);
    if (opened.size == 0) return file;
    void* data = ::mmap(nullptr, opened.size, PROT_READ, MAP_SHARED, opened.descriptor.value, 0);
    if (data == MAP_FAILED) fail(Code::kIo, "cannot map {} ({} bytes): {}", quote(file->name_, 400), opened.size, reason(errno));
    file->data_ = static_cast<const std::byte*>(data);
    file->size_ = opened.size;
    const std::lock_guard lock(mappings().mutex);
    mappings().by_begin.emplace(file->data_, Mapping{file->data_ + file->size_, file->name_, opened.status});
    return file;
}

MappedFile::~MappedFile() {
    if (data_ == nullptr) return;
    const std::lock_guard lock(mappings().mutex);
    mappings().by_begin.erase(data_);
    ::munmap(const_cast<std::byte*>(data_), size_);
}

void release_pages(std::span<const std::byte> bytes) noexcept {
    const std::lock_guard lock(mappings().mutex);
    if (mappings().find(bytes) == nullptr) return;
    // Whole pages: a file is mapped from the beginning of one to the end of one.
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
    const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size());
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

void require_unchanged(std::span<const std::byte> bytes) {
    const std::lock_guard lock(mappings().mutex);
    const Mapping* mapping = mappings().find(bytes);
    struct stat now{};
    if (mapping == nullptr || ::stat(mapping->name.c_str(), &now) != 0) return;
    const struct stat& then = mapping->status;
    if (now.st_dev != then.st_dev || now.st_ino != then.st_ino) return;
    if (now.st_size == then.st_size && now.st_mtim.tv_sec == then.st_mtim.tv_sec && now.st_mtim.tv_nsec == then.st_mtim.tv_nsec)
        return;
    fail(Code::kInvalidState,
         "{} was written to while it was open ({} bytes then, {} now): open the model again, and replace files by renaming new "
         "ones over them",
         quote(mapping->name, 400), then.st_size, now.st_size);
}

std::string read_text_file(const std::filesystem::path& path, std::size_t limit) {
    const std::string name = path.string();
    const OpenFile opened = open_regular_file(path, name);
    if (opened.size > limit) fail(Code::kCorrupt, "{} has {} bytes, at most {} are read", quote(name, 400), opened.size, limit);
    std::string text;
    text.reserve(opened.size + 1 + 64);  // room that parsers with wide registers read past the end
    text.resize(opened.size + 1);        // one byte more, to see that there is no more
    std::size_t done = 0;
    while (done <= limit) {
        if (done == text.size()) text.resize(2 * done);
        const ssize_t got = ::read(opened.descriptor.value, text.data() + done, text.size() - done);
        if (got < 0) {
            if (errno == EINTR) continue;
            fail(Code::kIo, "cannot read {}: {}", quote(name, 400), reason(errno));
        }
        done += static_cast<std::size_t>(got);
        if (got == 0) {
            text.resize(done);
            return text;
        }
    }
    fail(Code::kCorrupt, "{} has grown to more than {} bytes, at most as many are read", quote(name, 400), limit);
}

}  // namespace rag::core
