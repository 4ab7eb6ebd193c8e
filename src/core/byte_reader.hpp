// The one bounds-checked reader for everything that comes from a file: little-endian integers, strings and spans out of
// untrusted bytes. Every read that would pass the end throws Error(kCorrupt) naming the file and the offset.
// Not thread-safe; views stay valid as long as the bytes do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/error.hpp"

namespace rag::core {

class ByteReader {
  public:
    /// `name` is the file for messages.
    ByteReader(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

    template <typename T>
    T read() {
        static_assert(std::is_trivially_copyable_v<T>);
        T value;
        std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
        return value;
    }
    std::span<const std::byte> take(std::uint64_t size) {
        if (size > remaining()) {
            fail(Code::kCorrupt, "{}: {} bytes are needed at offset {}, {} are left of {}", name_, size, offset_, remaining(),
                 bytes_.size());
        }
        auto part = bytes_.subspan(offset_, static_cast<std::size_t>(size));
        offset_ += static_cast<std::size_t>(size);
        return part;
    }
    std::string_view take_text(std::uint64_t size) {
        auto part = take(size);
        return {reinterpret_cast<const char*>(part.data()), part.size()};
    }
    void skip(std::uint64_t size) { take(size); }
    /// Skips to the next multiple of `alignment` (a power of two).
    void align(std::size_t alignment) { skip((alignment - offset_ % alignment) % alignment); }
    std::size_t offset() const noexcept { return offset_; }
    std::size_t remaining() const noexcept { return bytes_.size() - offset_; }
    const std::string& name() const noexcept { return name_; }

  private:
    std::span<const std::byte> bytes_;
    std::string name_;
    std::size_t offset_ = 0;
};

/// a * b, or Error(kCorrupt) naming `what`: sizes in files are multiplied only through this.
inline std::uint64_t checked_multiply(std::uint64_t a, std::uint64_t b, std::string_view what) {
    if (a != 0 && b > std::numeric_limits<std::uint64_t>::max() / a)
        fail(Code::kCorrupt, "{}: {} times {} overflows", what, a, b);
    return a * b;
}

}  // namespace rag::core
