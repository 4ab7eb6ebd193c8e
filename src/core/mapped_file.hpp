// A whole file mapped read-only. Shared and immutable: any number of threads may read. Keep the shared_ptr as long as a view
// into the bytes is used. A file that another process truncates while mapped raises SIGBUS on access; librag's own files are
// never truncated in place (they are replaced by rename), model files are the caller's to leave alone.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace rag::core {

class MappedFile {
  public:
    /// Throws kNotFound (no such file), kInvalidArgument (a folder or a device, a path with a NUL), kIo. An empty file maps to no
    /// bytes.
    static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
    /// The path as UTF-8, for messages.
    const std::string& name() const noexcept { return name_; }

  private:
    MappedFile() = default;
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::string name_;
};

/// The pages of bytes of a mapped file are no longer counted as this process's memory; who touches them again gets them from the
/// system's cache or the file. Bytes of anything else are left alone.
void release_pages(std::span<const std::byte> bytes) noexcept;

/// Throws kInvalidState naming the file when bytes of a mapped file are to be read and that very file was shortened or written to
/// since it was mapped: behind a file's end the system ends the process. A file that took its place by rename does no harm, and
/// bytes of anything else are left alone. A file that shrinks after the question is not noticed.
void require_unchanged(std::span<const std::byte> bytes);

/// A small text file (configuration) read whole into memory, so that an editor that truncates it meanwhile does no harm. Errors
/// as MappedFile::open; over `limit` bytes is kCorrupt.
std::string read_text_file(const std::filesystem::path& path, std::size_t limit = 64u << 20);

}  // namespace rag::core
