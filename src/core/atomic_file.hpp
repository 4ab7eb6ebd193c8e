// Writing a derived file so that a reader sees all of it or none: a temporary name in the same folder, fsync, rename, fsync of
// the folder. Permissions follow the process's umask. Not thread-safe; one writer a file. A process that is killed leaves its
// temporary file behind: whoever owns the folder removes what is_temporary() recognises.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace rag::core {

class AtomicFile {
  public:
    /// A link is followed. Throws kIo naming the path and the system's reason, kInvalidArgument for a path with a NUL and for
    /// what is there and no file: a folder, a device, a pipe.
    explicit AtomicFile(const std::filesystem::path& path);
    /// Without commit() the temporary file is removed and the old file stays.
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    /// Buffered. After an exception of write(), align() or commit() the old file stays, and every further call throws
    /// kInvalidState: part of the bytes may have been lost.
    void write(std::span<const std::byte> bytes);
    template <typename T>
    void write_value(const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        write(std::as_bytes(std::span<const T, 1>(&value, 1)));
    }
    /// Zero bytes up to the next multiple of `alignment` (at least 1).
    void align(std::size_t alignment);
    std::size_t offset() const noexcept { return offset_; }
    /// Makes the new file durable and visible; nothing may follow. If only the last step fails, the sync of the folder, the new
    /// file is in place but could be lost with a power cut.
    void commit();

    /// True for the names (without folder) that unfinished files have.
    static bool is_temporary(std::string_view file_name) noexcept;

  private:
    void create();
    void flush();
    void require_open() const;
    std::filesystem::path path_;
    std::filesystem::path temporary_;
    int descriptor_ = -1;
    std::size_t offset_ = 0;
    bool failed_ = false;
    std::string buffer_;
};

}  // namespace rag::core
