// Template source to tokens, with the white space control of transformers' environment (trim_blocks, lstrip_blocks, no trailing
// newline kept) applied to the text between tags. Follows jinja2/lexer.py 3.1. A pure function; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core::jinja {

enum class TokenKind : std::uint8_t {
    kText,
    kBlockBegin,
    kBlockEnd,
    kVariableBegin,
    kVariableEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd,
};

struct Token {
    TokenKind kind;
    int line;
    std::string text;  // unescaped for kString, digits without "_" for numbers
};

/// The last token is kEnd. Error(kInvalidArgument) names the line and what is wrong there.
std::vector<Token> tokenize(std::string_view source);

}  // namespace rag::core::jinja
