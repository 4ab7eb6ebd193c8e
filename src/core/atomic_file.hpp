// Writing a derived file so that a reader sees all of it or none: a temporary name in the same folder, fsync, rename, fsync of
// the folder. Not thread-safe; one writer a file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <type_traits>

namespace rag::core {

class AtomicFile {
  public:
    /// Throws kIo naming the path and the system's reason.
    explicit AtomicFile(std::filesystem::path path);
    /// Without commit() the temporary file is removed and the old file stays.
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::span<const std::byte> bytes);
    template <typename T>
    void write_value(const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        write(std::as_bytes(std::span<const T, 1>(&value, 1)));
    }
    /// Zero bytes up to the next multiple of `alignment`.
    void align(std::size_t alignment);
    std::size_t offset() const noexcept { return offset_; }
    void commit();

  private:
    void flush();
    std::filesystem::path path_;
    std::filesystem::path temporary_;
    int descriptor_ = -1;
    std::size_t offset_ = 0;
    std::string buffer_;
};

}  // namespace rag::core
