// Files (or bytes in memory) as documents: one a page or a source file, one a row of a table or a list. The suffix tells the
// format; formats.cpp lists them, each has a file of its own here. Everything read is hostile: caps are stated below, what is
// wrong is one line that names the file and the place, and tables of any length are read in constant memory.
//
// Thread rule: a DocumentReader is used by one thread; different ones by different threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "text/clean.hpp"
#include "text/text_kind.hpp"

namespace rag::core {

inline constexpr std::size_t kMaxReadBytes = std::size_t{64} << 20;   // of text: one document, one row, what a page says
inline constexpr std::size_t kMaxPageBytes = std::size_t{256} << 20;  // of a .html or .json file, which are parsed as a whole
inline constexpr std::size_t kMaxColumns = 4096;                      // of a table
inline constexpr std::size_t kMaxReadTitleBytes = 1024;               // a longer title is cut

struct ReadDocument {
    std::string id;
    std::string title;
    std::string text;
    std::string metadata;  // a JSON object
    std::string source;    // the file's path, or what the options say
    std::string language;  // as the document says it, such as "en" or "zh-CN"; empty: it does not
    TextKind kind = TextKind::kText;
};

struct ReadOptions {
    std::string format = {};    // a suffix without its dot, such as "md"; empty: the file's
    std::string encoding = {};  // as ICU, IANA or the web call it; empty: detected, see encoding.hpp
    std::string id = {};        // of the document; rows without an id are "<id>:<row>"; empty: the file's name
    std::string title = {};     // of a document that says none; empty: the file's name without its suffix. Not for rows
    std::string source = {};    // empty: the path
    // Columns of tables and members of JSON objects. Not given: "text", "title", "id" (or "_id"), and where there is no "text",
    // every row becomes lines "name: value". What is none of them is metadata.
    std::optional<std::string> text_field = {}, title_field = {}, id_field = {};
    char delimiter = 0;  // of tables; 0: tab for .tsv, else the one of , ; tab | that is most frequent in the first row
    bool clean = true;
    CleanOptions cleaning = {};
    Progress progress = {};  // bytes read, bytes in all; on the thread that calls
};

class DocumentReader {
  public:
    virtual ~DocumentReader() = default;
    /// kNotFound, kIo; kUnsupported: a suffix that no reader knows; kInvalidArgument: no regular file, no text, an unknown
    /// encoding, a table without the columns asked for.
    static std::unique_ptr<DocumentReader> open_file(const std::filesystem::path& path, ReadOptions options);
    /// Of a copy of `bytes`; options.format is needed. `name` stands for the file's.
    static std::unique_ptr<DocumentReader> open_bytes(std::string_view bytes, const std::string& name, ReadOptions options);

    /// The next document that has text; false at the end. kInvalidArgument names the file, and the row where there are rows: the
    /// next call then goes on behind that row, or, after anything else that is wrong, is at the end.
    virtual bool next(ReadDocument& out) = 0;
    /// Documents that were passed over because they have no text.
    std::uint64_t blank() const noexcept { return blank_; }

  protected:
    std::uint64_t blank_ = 0;
};

/// Suffixes without their dots that readers know, sorted.
std::vector<std::string> readable_suffixes();

}  // namespace rag::core
