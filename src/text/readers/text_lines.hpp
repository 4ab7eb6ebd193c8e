// The lines of a text of any size, in the memory of one. Lines end with LF; a CR before it is part of the line. Used by one
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/readers/text_source.hpp"

namespace rag::core {

inline constexpr std::size_t kMaxRowBytes = std::size_t{128} << 20;  // of a line or a row with its markup

class TextLines {
  public:
    /// `source` must outlive this.
    explicit TextLines(TextSource& source) : source_(source) {}

    /// A view that holds until the next call; false at the end. kInvalidArgument: a line of more than kMaxRowBytes, which is the
    /// end then, and what TextSource::read throws.
    bool next(std::string_view& line);
    /// Of the line that next() gave, from 1.
    std::uint64_t number() const noexcept { return number_; }

  private:
    TextSource& source_;
    std::string buffer_;  // read and not given yet, from at_
    std::size_t at_ = 0;
    bool ended_ = false;
    std::uint64_t number_ = 0;
};

}  // namespace rag::core
