// Makes a tokenizer from an RWKV vocabulary: a line holds an id, the token as a Python literal ('text' or b'bytes') and its
// length in bytes, with one space between.
#include <charconv>
#include <limits>

#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "core/utf8.hpp"
#include "tokenizer/loading/build_stages.hpp"
#include "tokenizer/loading/lines.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/loading/named.hpp"
#include "tokenizer/models/longest_match.hpp"

namespace rag::core {
namespace {

// What Python's repr() writes; nothing else is taken.
class PythonLiteral {
  public:
    explicit PythonLiteral(std::string_view text) : text_(text) {}

    /// The bytes of the literal, text as UTF-8.
    std::string read() {
        bytes_ = !text_.empty() && text_[0] == 'b';
        at_ = bytes_ ? 1 : 0;
        if (text_.size() < at_ + 2 || (text_[at_] != '\'' && text_[at_] != '"') || text_.back() != text_[at_]) refuse();
        const char quote_mark = text_[at_++];
        std::string out;
        while (at_ + 1 < text_.size()) {
            const char c = text_[at_++];
            if (c == quote_mark) refuse();
            if (c == '\\') {
                escape(out);
            } else {
                out += c;
            }
        }
        return out;
    }

  private:
    void escape(std::string& out) {
        if (at_ + 1 >= text_.size()) refuse();
        const char c = text_[at_++];
        switch (c) {
            case 'n':
                out += '\n';
                return;
            case 'r':
                out += '\r';
                return;
            case 't':
                out += '\t';
                return;
            case '\\':
            case '\'':
            case '"':
                out += c;
                return;
            case 'x':
                return put(hexadecimal(2), out);
            case 'u':
                return put(bytes_ ? kRefused : hexadecimal(4), out);
            case 'U':
                return put(bytes_ ? kRefused : hexadecimal(8), out);
            default:
                refuse();
        }
    }
    void put(std::uint32_t value, std::string& out) const {
        if (bytes_ && value < 0x100) {
            out += static_cast<char>(value);
        } else if (!bytes_ && value < 0x110000 && (value < 0xD800 || value > 0xDFFF)) {
            append_utf8(out, value);
        } else {
            refuse();
        }
    }
    std::uint32_t hexadecimal(std::size_t digits) {
        if (at_ + digits >= text_.size()) refuse();
        std::uint32_t value = 0;
        const char* const begin = text_.data() + at_;
        if (std::from_chars(begin, begin + digits, value, 16).ptr != begin + digits) refuse();
        at_ += digits;
        return value;
    }
    [[noreturn]] void refuse() const { fail(Code::kCorrupt, "{} is not a Python literal of text or bytes", quote(text_, 60)); }

    static constexpr std::uint32_t kRefused = std::numeric_limits<std::uint32_t>::max();
    std::string_view text_;
    std::size_t at_ = 0;
    bool bytes_ = false;
};

std::int64_t read_number(std::string_view digits, std::size_t line) {
    std::int64_t value = -1;
    const char* const begin = digits.data();
    const char* const end = begin + digits.size();
    if (digits.empty() || std::from_chars(begin, end, value).ptr != end || value < 0) {
        fail(Code::kCorrupt, "line {}: {} is not a number", line, quote(digits, 40));
    }
    return value;
}

std::pair<std::string, std::int64_t> read_line(std::string_view line, std::size_t number) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) {
        fail(Code::kCorrupt, "line {}: {} is not an id, a token and its length", number, quote(line, 60));
    }
    std::string token = PythonLiteral(line.substr(first + 1, last - first - 1)).read();
    const std::int64_t length = read_number(line.substr(last + 1), number);
    if (static_cast<std::uint64_t>(length) != token.size()) {
        fail(Code::kCorrupt, "line {}: a token of {} bytes, and its length is given as {}", number, token.size(), length);
    }
    return {std::move(token), read_number(line.substr(0, first), number)};
}

TokenizerParts read_file(std::string_view text, const std::string& name) {
    require_utf8(text, name);
    std::vector<std::pair<std::string, std::int64_t>> tokens;
    for_each_line(text, [&](std::string_view line, std::size_t number) { tokens.push_back(read_line(line, number)); });
    TokenizerParts parts;
    parts.name = name;
    parts.model = std::make_unique<LongestMatch>(tokens);
    const Json stages = {{"decoder", {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}}}};
    build_stages(StageFields(stages, name), parts);
    return parts;
}

}  // namespace

bool is_rwkv_vocabulary(std::string_view text) {
    std::size_t at = std::min(text.find_first_not_of("0123456789"), text.size());
    if (at == 0 || text.substr(at, 1) != " ") return false;
    at += text.substr(at + 1, 1) == "b" ? 2 : 1;
    return text.substr(at, 1) == "'" || text.substr(at, 1) == "\"";
}

TokenizerParts load_rwkv(std::string_view text, const std::string& name) {
    return make_named(name, [&] { return read_file(text, name); });
}

}  // namespace rag::core
