#include "tokenizer/chat_template/lexer.hpp"

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/lexer_literals.hpp"
#include "tokenizer/chat_template/python_text.hpp"

namespace rag::core::jinja {

namespace {

constexpr auto kNone = std::string_view::npos;

/// Line ends as "\n", and one trailing one dropped.
std::string normalize_source(std::string_view source) {
    std::string out;
    out.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
        if (source[i] == '\r') {
            out += '\n';
            if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
        } else {
            out += source[i];
        }
    }
    if (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

class Lexer {
  public:
    explicit Lexer(std::string_view source) : source_(normalize_source(source)) {}

    std::vector<Token> run() {
        const std::string_view all = source_;
        while (true) {
            const std::size_t begin = next_tag(all);
            if (begin == kNone) break;
            const char type = all[begin + 1];
            std::size_t raw_body = 0;
            const bool raw = type == '%' && match_raw(begin, raw_body);
            const char sign = begin + 2 < all.size() && (all[begin + 2] == '-' || all[begin + 2] == '+') ? all[begin + 2] : '\0';
            add_text(all.substr(at_, begin - at_), sign, type != '{');
            line_ += static_cast<int>(std::count(all.begin() + static_cast<std::ptrdiff_t>(at_),
                                                 all.begin() + static_cast<std::ptrdiff_t>(begin), '\n'));
            at_ = begin;
            if (raw) {
                lex_raw(raw_body);
                continue;
            }
            advance(2 + (sign != '\0' ? 1U : 0U));
            if (type == '#') {
                lex_comment();
            } else {
                push(type == '%' ? TokenKind::kBlockBegin : TokenKind::kVariableBegin, {});
                lex_tag(type == '%');
            }
        }
        if (at_ < all.size()) push(TokenKind::kText, std::string(all.substr(at_)));
        push(TokenKind::kEnd, {});
        return std::move(tokens_);
    }

  private:
    std::size_t next_tag(std::string_view all) const {
        for (std::size_t i = all.find('{', at_); i != kNone && i + 1 < all.size(); i = all.find('{', i + 1)) {
            if (all[i + 1] == '{' || all[i + 1] == '%' || all[i + 1] == '#') return i;
        }
        return kNone;
    }

    void push(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }

    /// Moves on by `size` bytes, counting lines.
    void advance(std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) line_ += source_[at_ + i] == '\n' ? 1 : 0;
        at_ += size;
    }

    void skip_space() {
        while (at_ < source_.size()) {
            const Utf8Step step = decode_utf8(source_, at_);
            if (!is_python_space(step.value)) break;
            advance(step.length);
        }
    }

    bool starts(std::size_t at, std::string_view what) const { return std::string_view(source_).substr(at, what.size()) == what; }

    /// Text before a tag, cut as "{%-" or lstrip_blocks say.
    void add_text(std::string_view text, char sign, bool block) {
        if (sign == '-') {
            text = strip(text, nullptr, false, true);
        } else if (sign != '+' && block) {
            const std::size_t newline = text.rfind('\n');
            const std::size_t begin = newline == kNone ? 0 : newline + 1;
            if ((newline != kNone || line_starting_) && strip(text.substr(begin), nullptr, true, true).empty())
                text = text.substr(0, begin);
        }
        if (!text.empty()) push(TokenKind::kText, std::string(text));
    }

    /// After "-%}" all white space goes, after "%}" one newline (trim_blocks).
    void end_tag(std::size_t marker_size, bool strip_all, bool trim) {
        advance(marker_size);
        const std::size_t before = at_;
        if (strip_all) {
            skip_space();
        } else if (trim && at_ < source_.size() && source_[at_] == '\n') {
            advance(1);
        }
        line_starting_ = at_ > before && source_[at_ - 1] == '\n';
    }

    void lex_comment() {
        const std::size_t end = source_.find("#}", at_);
        if (end == std::string::npos) fail(Code::kInvalidArgument, "chat template line {}: a comment without an end", line_);
        const char sign = end > at_ ? source_[end - 1] : '\0';
        advance(end - at_);
        end_tag(2, sign == '-', sign != '+');
    }

    /// Whether "{% raw %}" begins at `begin`; `body` is where its text begins.
    bool match_raw(std::size_t begin, std::size_t& body) const {
        std::size_t at = begin + 2;
        if (starts(at, "-") || starts(at, "+")) ++at;
        at = after_space(at);
        if (!starts(at, "raw")) return false;
        at = after_space(at + 3);
        if (starts(at, "-%}")) {
            body = after_space(at + 3);
            return true;
        }
        body = at + 2;
        return starts(at, "%}");
    }

    std::size_t after_space(std::size_t at) const {
        while (at < source_.size()) {
            const Utf8Step step = decode_utf8(source_, at);
            if (!is_python_space(step.value)) break;
            at += step.length;
        }
        return at;
    }

    void lex_raw(std::size_t body) {
        const int begin_line = line_;
        advance(body - at_);
        for (std::size_t i = source_.find("{%", at_); i != std::string::npos; i = source_.find("{%", i + 1)) {
            std::size_t at = i + 2;
            const char sign = at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0';
            if (sign != '\0') ++at;
            at = after_space(at);
            if (!starts(at, "endraw")) continue;
            at = after_space(at + 6);
            const char end_sign = starts(at, "-%}") ? '-' : starts(at, "+%}") ? '+' : '\0';
            if (end_sign != '\0') ++at;
            if (!starts(at, "%}")) continue;
            line_starting_ = source_[at_ - 1] == '\n';
            add_text(std::string_view(source_).substr(at_, i - at_), sign, true);
            advance(at - at_);
            end_tag(2, end_sign == '-', end_sign != '+');
            return;
        }
        fail(Code::kInvalidArgument, "chat template line {}: a raw block without {{% endraw %}}", begin_line);
    }

    void lex_tag(bool block) {
        std::string open;
        const std::string_view end = block ? "%}" : "}}";
        const int begin_line = line_;
        while (true) {
            skip_space();
            if (at_ >= source_.size()) fail(Code::kInvalidArgument, "chat template line {}: a tag without {}", begin_line, end);
            if (open.empty()) {
                const bool minus = starts(at_, "-") && starts(at_ + 1, end);
                const bool plus = block && starts(at_, "+") && starts(at_ + 1, end);
                if (minus || plus || starts(at_, end)) {
                    push(block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, {});
                    end_tag(end.size() + (minus || plus ? 1U : 0U), minus, block && !plus);
                    return;
                }
            }
            lex_inside(open);
        }
    }

    void lex_inside(std::string& open) {
        Literal literal;
        const std::string_view rest = std::string_view(source_).substr(at_);
        const char c = rest.front();
        if (match_number(rest, at_ > 0 ? source_[at_ - 1] : '\0', literal) || match_name(rest, literal)) {
            push(literal.kind, std::move(literal.text));
            advance(literal.size);
        } else if (c == '\'' || c == '"') {
            match_string(rest, line_, literal);
            push(TokenKind::kString, std::move(literal.text));
            advance(literal.size);
        } else {
            lex_operator(rest, open);
        }
    }

    void lex_operator(std::string_view rest, std::string& open) {
        static constexpr std::array<std::string_view, 26> kOperators = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                                        "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                                        ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
        const auto* found =
            std::find_if(kOperators.begin(), kOperators.end(), [&](std::string_view op) { return rest.starts_with(op); });
        if (found == kOperators.end()) {
            const std::size_t length = decode_utf8(rest, 0).length;
            fail(Code::kInvalidArgument, "chat template line {}: unexpected character {}", line_, quote(rest.substr(0, length)));
        }
        const char c = found->front();
        if (found->size() == 1 && (c == '{' || c == '(' || c == '[')) open += c == '{' ? '}' : c == '(' ? ')' : ']';
        if (found->size() == 1 && (c == '}' || c == ')' || c == ']')) {
            if (open.empty() || open.back() != c)
                fail(Code::kInvalidArgument, "chat template line {}: {} does not close anything", line_, quote(*found));
            open.pop_back();
        }
        push(TokenKind::kOperator, std::string(*found));
        advance(found->size());
    }

    std::string source_;
    std::size_t at_ = 0;
    int line_ = 1;
    bool line_starting_ = true;
    std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
    return Lexer(source).run();
}

}  // namespace rag::core::jinja
