#include "index/bm25/query_parser.hpp"

#include <optional>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core {
namespace {

struct Token {
    enum Kind : std::uint8_t { kEnd, kOpen, kClose, kPlus, kMinus, kAnd, kOr, kNot, kWord, kPrefix, kPhrase };
    Kind kind = kEnd;
    std::size_t at = 0;  // byte of the query
    std::string text;
};

bool is_space(char byte) noexcept {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

[[noreturn]] void refuse(std::size_t at, std::string_view what) {
    fail(Code::kInvalidArgument, "query, byte {}: {}", at, what);
}

/// Cuts the query into tokens, one at a time.
class Lexer {
  public:
    explicit Lexer(std::string_view text) : text_(text) {}

    Token next() {
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
        const std::size_t start = at_;
        if (at_ == text_.size()) return {Token::kEnd, start, {}};
        const char byte = text_[at_];
        if (byte == '"') return phrase();
        if (byte == '(' || byte == ')') return sign(byte == '(' ? Token::kOpen : Token::kClose);
        if ((byte == '+' || byte == '-') && at_ + 1 < text_.size() && !is_space(text_[at_ + 1]) && text_[at_ + 1] != ')') {
            return sign(byte == '+' ? Token::kPlus : Token::kMinus);
        }
        return word();
    }

  private:
    Token sign(Token::Kind kind) { return {kind, at_++, {}}; }

    Token phrase() {
        Token token{Token::kPhrase, at_++, {}};
        for (; at_ < text_.size(); ++at_) {
            if (text_[at_] == '"') {
                ++at_;
                return token;
            }
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
            token.text += text_[at_];
        }
        refuse(token.at, "a \" without the one that ends the phrase; write \\\" for the character itself");
    }

    Token word() {
        Token token{Token::kWord, at_, {}};
        bool plain = true;  // no escapes: it may be AND, OR or NOT
        bool star = false;
        for (; at_ < text_.size(); ++at_) {
            const char byte = text_[at_];
            if (is_space(byte) || byte == '(' || byte == ')' || byte == '"') break;
            if (star) refuse(at_ - 1, "* may only end a word; write \\* for the character itself");
            if (byte == '*') {
                star = true;
                continue;
            }
            if (byte == '\\') {
                if (at_ + 1 == text_.size()) refuse(at_, "\\ at the end; write \\\\ for the character itself");
                plain = false;
                ++at_;
            }
            token.text += text_[at_];
        }
        if (star && token.text.empty()) refuse(token.at, "* without the beginning of a word");
        if (star) token.kind = Token::kPrefix;
        if (plain && token.kind == Token::kWord) {
            if (token.text == "AND") token.kind = Token::kAnd;
            if (token.text == "OR") token.kind = Token::kOr;
            if (token.text == "NOT") token.kind = Token::kNot;
        }
        return token;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

/// list := clause*   clause := [+|-] or   or := and (OR and)*   and := not (AND not)*   not := NOT not | primary
class Parser {
  public:
    explicit Parser(std::string_view text) : lexer_(text), token_(lexer_.next()) {}

    QueryNode run() {
        QueryNode node = list();
        if (token_.kind == Token::kClose) refuse(token_.at, ") without its (");
        return node;
    }

  private:
    /// What an operand is to the one that holds it.
    struct Operand {
        QueryNode node;
        bool negated = false;
        std::size_t at = 0;
    };

    Token take() {
        Token taken = std::move(token_);
        token_ = lexer_.next();
        return taken;
    }

    QueryNode list() {
        QueryNode group;
        const std::size_t start = token_.at;
        while (token_.kind != Token::kEnd && token_.kind != Token::kClose) {
            const Token::Kind sign = token_.kind;
            if (sign == Token::kPlus || sign == Token::kMinus) take();
            Operand clause = either();
            if (clause.negated && sign == Token::kMinus) refuse(clause.at, "- and NOT together");
            if (clause.negated || sign == Token::kMinus) {
                if (sign == Token::kPlus) refuse(clause.at, "+ and NOT contradict each other");
                group.must_not.push_back(std::move(clause.node));
            } else {
                (sign == Token::kPlus ? group.must : group.should).push_back(std::move(clause.node));
            }
        }
        if (!group.must_not.empty() && group.must.empty() && group.should.empty()) {
            refuse(start, "only words to leave out; name something to look for");
        }
        return group;
    }

    Operand either() {
        Operand first = both();
        if (token_.kind != Token::kOr) return first;
        Operand out{{}, false, first.at};
        for (;;) {
            if (first.negated) refuse(first.at, "NOT has nothing to leave out from beside OR; write \"a AND NOT b\"");
            out.node.should.push_back(std::move(first.node));
            if (token_.kind != Token::kOr) return out;
            take();
            first = both();
        }
    }

    Operand both() {
        Operand first = negation();
        if (token_.kind != Token::kAnd) return first;
        Operand out{{}, false, first.at};
        for (;;) {
            (first.negated ? out.node.must_not : out.node.must).push_back(std::move(first.node));
            if (token_.kind != Token::kAnd) break;
            take();
            first = negation();
        }
        if (out.node.must.empty()) refuse(out.at, "only words to leave out; name something to look for");
        return out;
    }

    Operand negation() {
        bool negated = false;
        const std::size_t start = token_.at;
        while (token_.kind == Token::kNot) {
            take();
            negated = !negated;
        }
        return {primary(), negated, start};
    }

    QueryNode primary() {
        switch (token_.kind) {
            case Token::kWord:
                return leaf(QueryNode::kWord);
            case Token::kPrefix:
                return leaf(QueryNode::kPrefix);
            case Token::kPhrase:
                return leaf(QueryNode::kPhrase);
            case Token::kOpen:
                return parentheses();
            case Token::kEnd:
                refuse(token_.at, "the query ends where a word is expected");
            default:
                refuse(token_.at, "an operator or ) where a word is expected; put operators that are words in quotes");
        }
    }

    QueryNode leaf(QueryNode::Kind kind) {
        if (++leaves_ > kMaxLanguageLeaves) {
            refuse(token_.at, fmt::format("more than {} words and phrases", kMaxLanguageLeaves));
        }
        QueryNode node;
        node.kind = kind;
        node.text = take().text;
        return node;
    }

    QueryNode parentheses() {
        const std::size_t start = take().at;
        if (++depth_ > kMaxLanguageDepth) refuse(start, fmt::format("parentheses nested more than {} deep", kMaxLanguageDepth));
        QueryNode node = list();
        --depth_;
        if (token_.kind != Token::kClose) refuse(start, "( without its )");
        take();
        return node;
    }

    Lexer lexer_;
    Token token_;
    std::size_t depth_ = 0;
    std::size_t leaves_ = 0;
};

}  // namespace

QueryNode parse_query(std::string_view text) {
    if (text.size() > kMaxLanguageBytes) {
        fail(Code::kInvalidArgument, "a query of {} bytes; the query language takes {}", text.size(), kMaxLanguageBytes);
    }
    require_utf8(text, "query");
    return Parser(text).run();
}

std::string asked_words(const QueryNode& query) {
    if (query.kind != QueryNode::kGroup) return query.text;
    std::string out;
    for (const auto* children : {&query.must, &query.should}) {
        for (const QueryNode& child : *children) {
            const std::string words = asked_words(child);
            if (!out.empty() && !words.empty()) out += ' ';
            out += words;
        }
    }
    return out;
}

}  // namespace rag::core
