// Names, numbers and strings inside a tag, as jinja2's regular expressions take them. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tokenizer/chat_template/lexer.hpp"

namespace rag::core::jinja {

struct Literal {
    TokenKind kind = TokenKind::kName;
    std::string text;
    std::size_t size = 0;  // bytes of the source
};

/// `before`: the byte before `rest`; a float does not begin after a dot (a.1.5 is two subscripts).
bool match_number(std::string_view rest, char before, Literal& out);
/// ASCII letters, digits and underscore; names in other scripts, which Python allows, are refused by the lexer.
bool match_name(std::string_view rest, Literal& out);
/// `rest` begins with a quote. Error(kInvalidArgument) with the line for a string without an end or a bad escape.
void match_string(std::string_view rest, int line, Literal& out);

}  // namespace rag::core::jinja
