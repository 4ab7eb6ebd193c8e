// A text file line by line in constant memory, with the number of the line for messages. Lines end with LF or CRLF, the last one
// may lack its end; a byte order mark at the beginning is passed over. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace rag::core {

class LineReader {
  public:
    /// kNotFound, kInvalidArgument (a folder), kIo.
    explicit LineReader(const std::filesystem::path& path);
    ~LineReader();
    LineReader(const LineReader&) = delete;
    LineReader& operator=(const LineReader&) = delete;

    /// The next line that is not blank, without its end; false: there is none. It lasts until the next call. kInvalidArgument for
    /// one of more than `max_bytes`; kIo.
    bool next(std::string_view& line, std::size_t max_bytes);
    /// Of the line that next() gave, from 1.
    std::uint64_t number() const noexcept { return number_; }
    /// Bytes read, and in the file (0: not known, as of a pipe).
    std::uint64_t done() const noexcept { return done_; }
    std::uint64_t total() const noexcept { return total_; }
    const std::string& name() const noexcept { return name_; }

  private:
    bool fill();

    std::string name_;
    int descriptor_ = -1;
    std::uint64_t total_ = 0;
    std::uint64_t done_ = 0;
    std::uint64_t number_ = 0;
    std::string buffer_;
    std::size_t at_ = 0;  // what is before was given
    bool ended_ = false;
};

}  // namespace rag::core
