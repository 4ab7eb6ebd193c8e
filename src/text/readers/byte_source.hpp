// The bytes that a reader reads: of a file, block by block, so that a file of any size needs one block of memory, or of the
// caller's memory. A file is read, not mapped, because its owner may cut it short meanwhile. Used by one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace rag::core {

class ByteSource {
  public:
    virtual ~ByteSource() = default;
    /// kNotFound, kInvalidArgument (no regular file, a NUL in the path), kIo.
    static std::unique_ptr<ByteSource> open_file(const std::filesystem::path& path);
    /// Keeps a copy. `name`: for messages.
    static std::unique_ptr<ByteSource> of_bytes(std::string_view bytes, std::string name);

    /// Replaces `out` by the next bytes, at most `limit`; fewer only at the end. kIo.
    void read(std::string& out, std::size_t limit);
    /// Bytes given so far.
    std::uint64_t position() const noexcept { return position_; }
    /// Bytes in all, as they were when the source was opened.
    std::uint64_t size() const noexcept { return size_; }
    /// For messages, as it is.
    const std::string& name() const noexcept { return name_; }

  protected:
    ByteSource(std::string name, std::uint64_t size) : name_(std::move(name)), size_(size) {}
    /// At most `room` bytes to `out`; how many; 0 at the end only.
    virtual std::size_t get(char* out, std::size_t room) = 0;

  private:
    std::string name_;
    std::uint64_t size_;
    std::uint64_t position_ = 0;
};

}  // namespace rag::core
