// Rows of tables and objects of JSON as documents: which field is the text, the title, the id, and the rest as metadata. Used by
// one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/readers/reader.hpp"

namespace rag::core {

/// Views must last for the call.
struct Field {
    std::string_view name;
    std::string_view text;  // of a string: its characters; of anything else: its JSON
    bool is_string = true;
    bool is_null = false;
};

class RecordMapper {
  public:
    /// options.id and source are filled in. `name`: of the file, for messages.
    RecordMapper(const ReadOptions& options, std::string name) : options_(options), name_(std::move(name)) {}

    /// False if the record has no text. kInvalidArgument: no field of the names asked for, a text of more than kMaxReadBytes; the
    /// message names the row.
    bool map(const std::vector<Field>& fields, std::uint64_t row, ReadDocument& out) const;
    /// A text alone, such as an element of a JSON list of strings.
    bool map_text(std::string_view text, std::uint64_t row, ReadDocument& out) const;

    /// "file, row 3", for messages.
    std::string place(std::uint64_t row) const;

  private:
    struct Choice;
    Choice choose(const std::vector<Field>& fields, std::uint64_t row) const;
    bool finish(std::string text, std::uint64_t row, ReadDocument& out) const;

    const ReadOptions& options_;
    std::string name_;
};

}  // namespace rag::core
