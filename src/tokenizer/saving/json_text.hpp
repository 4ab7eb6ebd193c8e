// JSON as text, written from front to back: a vocabulary of a quarter of a million tokens is never a tree in memory.
// A value; belongs to one call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rag::core {

class JsonText {
  public:
    /// Braces and brackets; commas are put where they belong.
    JsonText& open(char bracket);
    JsonText& close(char bracket);
    JsonText& key(std::string_view name);

    JsonText& text(std::string_view value);  // throws kUnsupported unless it is UTF-8
    JsonText& integer(std::int64_t value);
    JsonText& number(double value);  // the shortest text that reads back as this; throws kUnsupported for infinities and NaN
    JsonText& boolean(bool value);
    JsonText& null();
    /// Members that are JSON already: the inside of an object.
    JsonText& members(std::string_view json);

    std::string take() { return std::move(out_); }

  private:
    void begin_value();
    void append_quoted(std::string_view value);

    std::string out_;
    bool comma_ = false;  // before the next value
};

}  // namespace rag::core
