// Small things that readers share: titles in one line, JSON strings, texts that hold nothing. Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace rag::core {

/// One line without control characters and white space at its ends, runs of white space as one space, at most
/// kMaxReadTitleBytes, in normal form C.
std::string title_line(std::string_view text);

/// Well-formed UTF-8 as a JSON string with its quotes.
std::string json_string(std::string_view text);
void append_json_string(std::string& out, std::string_view text);

/// True if there is nothing but white space (Unicode's White_Space).
bool is_blank_text(std::string_view utf8);

}  // namespace rag::core
