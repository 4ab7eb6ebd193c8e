// The text of a file or of memory as UTF-8, block by block: the encoding is found, marks are dropped, what is no text is refused.
// Memory: kEncodingHeadBytes and a block, whatever the size of the source. Used by one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/cancel.hpp"
#include "text/readers/byte_source.hpp"
#include "text/readers/encoding.hpp"

namespace rag::core {

class TextSource {
  public:
    /// Finds what the head of a text says about its encoding; empty: nothing.
    using Declaration = std::string (*)(std::string_view head);

    /// `encoding`: the caller's, or empty. kInvalidArgument: an unknown one; bytes in no encoding that is clear.
    TextSource(std::unique_ptr<ByteSource> bytes, std::string_view encoding, Declaration declaration, Progress progress);

    /// Appends the next text; false at the end, where nothing is appended. Reports progress in bytes. kInvalidArgument: a byte
    /// that is not of the encoding, a NUL character (files with those are binary); kIo; Stopped.
    bool read(std::string& out);
    /// All that is left; more than `limit` bytes of UTF-8 are kInvalidArgument.
    std::string read_all(std::size_t limit);

    /// As ICU calls it; "UTF-8" for UTF-8.
    const std::string& encoding() const noexcept { return encoding_; }
    const std::string& name() const noexcept { return bytes_->name(); }
    /// For long work between two reads: Stopped if the caller wants to stop.
    void report_progress() const;

  private:
    std::unique_ptr<ByteSource> bytes_;
    Progress progress_;
    std::string encoding_;
    std::unique_ptr<Decoder> decoder_;
    std::string block_;  // read and not decoded yet
    std::size_t used_ = 0;
    bool ended_ = false;
};

}  // namespace rag::core
