#include "tokenizer/saving/json_text.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core {

void JsonText::begin_value() {
    if (comma_) out_ += ',';
    comma_ = true;
}

JsonText& JsonText::open(char bracket) {
    begin_value();
    out_ += bracket;
    comma_ = false;
    return *this;
}

JsonText& JsonText::close(char bracket) {
    out_ += bracket;
    comma_ = true;
    return *this;
}

JsonText& JsonText::key(std::string_view name) {
    begin_value();
    append_quoted(name);
    out_ += ':';
    comma_ = false;
    return *this;
}

void JsonText::append_quoted(std::string_view value) {
    if (find_invalid_utf8(value) != std::string_view::npos) {
        fail(Code::kUnsupported, "{} is not UTF-8: JSON cannot say it", quote(value));
    }
    out_ += '"';
    for (const char c : value) {
        if (c == '"' || c == '\\') {
            out_ += '\\';
            out_ += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned char>(c));
        } else {
            out_ += c;
        }
    }
    out_ += '"';
}

JsonText& JsonText::text(std::string_view value) {
    begin_value();
    append_quoted(value);
    return *this;
}

JsonText& JsonText::integer(std::int64_t value) {
    begin_value();
    fmt::format_to(std::back_inserter(out_), "{}", value);
    return *this;
}

JsonText& JsonText::number(double value) {
    if (!std::isfinite(value)) fail(Code::kUnsupported, "{}: JSON has no such number", value);
    begin_value();
    const std::string digits = fmt::format("{}", value);
    out_ += digits;
    if (digits.find_first_not_of("-0123456789") == std::string::npos) out_ += ".0";  // stays a fraction for strict readers
    return *this;
}

JsonText& JsonText::boolean(bool value) {
    begin_value();
    out_ += value ? "true" : "false";
    return *this;
}

JsonText& JsonText::null() {
    begin_value();
    out_ += "null";
    return *this;
}

JsonText& JsonText::members(std::string_view json) {
    if (json.empty()) return *this;
    begin_value();
    out_ += json;
    return *this;
}

}  // namespace rag::core
