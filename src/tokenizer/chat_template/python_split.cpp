// Cutting and joining of Python strings: split, rsplit, splitlines, replace, count.
#include <algorithm>

#include "core/find_text.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/python_text.hpp"

namespace rag::core::jinja {

namespace {

/// The code point that ends at `end`, and where it begins.
Utf8Step step_back(std::string_view text, std::size_t end, std::size_t& begin) {
    begin = end - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0U) == 0x80U) --begin;
    return decode_utf8(text, begin);
}

std::size_t word_end(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const Utf8Step step = decode_utf8(text, at);
        if (is_python_space(step.value)) break;
        at += step.length;
    }
    return at;
}

std::size_t word_begin(std::string_view text) {
    std::size_t at = text.size();
    while (at > 0) {
        std::size_t before = 0;
        if (is_python_space(step_back(text, at, before).value)) break;
        at = before;
    }
    return at;
}

/// Words from one end; once `limit` words are cut off, what is left stays whole with the white space at its far end.
std::vector<std::string> split_space(std::string_view text, long long limit, bool from_right) {
    std::vector<std::string> out;
    for (std::string_view rest = strip(text, nullptr, !from_right, from_right); !rest.empty();
         rest = strip(rest, nullptr, !from_right, from_right)) {
        if (limit >= 0 && static_cast<long long>(out.size()) >= limit) {
            out.emplace_back(rest);
            break;
        }
        const std::size_t cut = from_right ? word_begin(rest) : word_end(rest);
        out.emplace_back(from_right ? rest.substr(cut) : rest.substr(0, cut));
        rest = from_right ? rest.substr(0, cut) : rest.substr(cut);
    }
    if (from_right) std::reverse(out.begin(), out.end());
    return out;
}

}  // namespace

std::vector<std::string> split(std::string_view text, const std::string* separator, long long limit, bool from_right) {
    if (separator == nullptr) return split_space(text, limit, from_right);
    std::vector<std::string> out;
    std::string_view rest = text;
    while (limit < 0 || static_cast<long long>(out.size()) < limit) {
        const std::size_t at = from_right ? find_last_text(rest, *separator) : find_text(rest, *separator);
        if (at == std::string_view::npos) break;
        out.emplace_back(from_right ? rest.substr(at + separator->size()) : rest.substr(0, at));
        rest = from_right ? rest.substr(0, at) : rest.substr(at + separator->size());
    }
    out.emplace_back(rest);
    if (from_right) std::reverse(out.begin(), out.end());
    return out;
}

std::vector<std::string> split_lines(std::string_view text, bool keep_ends) {
    std::vector<std::string> out;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Step step = decode_utf8(text, at);
        const char32_t c = step.value;
        std::size_t next = at + step.length;
        const bool boundary = (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
        if (boundary) {
            if (c == '\r' && next < text.size() && text[next] == '\n') ++next;
            out.emplace_back(text.substr(begin, (keep_ends ? next : at) - begin));
            begin = next;
        }
        at = next;
    }
    if (begin < text.size()) out.emplace_back(text.substr(begin));
    return out;
}

std::string replace(std::string_view text, std::string_view old, std::string_view fresh, long long limit) {
    std::string out;
    std::size_t at = 0;
    if (old.empty()) {
        for (const std::size_t end : code_point_offsets(text)) {
            out.append(text.substr(at, end - at));
            at = end;
            if (limit == 0) break;
            if (limit > 0) --limit;
            out.append(fresh);
        }
        out.append(text.substr(at));
        return out;
    }
    for (std::size_t hit = find_text(text, old); hit != std::string_view::npos && limit != 0; hit = find_text(text, old, at)) {
        out.append(text.substr(at, hit - at)).append(fresh);
        at = hit + old.size();
        if (limit > 0) --limit;
    }
    return out.append(text.substr(at));
}

std::size_t count(std::string_view text, std::string_view part) {
    if (part.empty()) return code_point_offsets(text).size();
    std::size_t found = 0;
    for (std::size_t at = find_text(text, part); at != std::string_view::npos; at = find_text(text, part, at + part.size()))
        ++found;
    return found;
}

}  // namespace rag::core::jinja
