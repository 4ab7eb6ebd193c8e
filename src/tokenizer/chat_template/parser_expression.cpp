// Expressions, from the loosest binding to the tightest: a if b else c, or, and, not, comparisons, + -, ~, * / // %, **, unary,
// then subscripts, calls, filters and tests.
#include <array>
#include <charconv>

#include "core/error.hpp"
#include "tokenizer/chat_template/parser.hpp"

namespace rag::core::jinja {

ExprPtr Parser::make(ExprKind kind, int line) const {
    return std::make_unique<Expr>(kind, line);
}

ExprPtr Parser::make(ExprKind kind, int line, ExprPtr a, ExprPtr b, ExprPtr c) const {
    ExprPtr node = make(kind, line);
    node->children.push_back(std::move(a));
    if (b) node->children.push_back(std::move(b));
    if (c) node->children.push_back(std::move(c));
    settle(*node);
    return node;
}

ExprPtr Parser::parse_expression(bool conditional) {
    const Nesting nesting(*this);
    return conditional ? parse_conditional() : parse_or();
}

/// `a, b` makes a tuple without parentheses; `end_name` is a word that ends it.
ExprPtr Parser::parse_tuple(bool conditional, bool parenthesised, std::string_view end_name) {
    const int line = current().line;
    const auto at_end = [&] {
        return current().kind == TokenKind::kVariableEnd || current().kind == TokenKind::kBlockEnd || is_operator(")") ||
               (!end_name.empty() && is_name(end_name));
    };
    ExprPtr tuple = make(ExprKind::kTuple, line);
    bool is_tuple = false;
    while (!at_end()) {
        tuple->children.push_back(parse_expression(conditional));
        if (!skip_operator(",")) break;
        is_tuple = true;
    }
    if (!is_tuple && !tuple->children.empty()) return std::move(tuple->children.front());
    if (!is_tuple && !parenthesised) unexpected("an expression");
    settle(*tuple);
    return tuple;
}

ExprPtr Parser::parse_target_item(bool with_namespace) {
    const Nesting nesting(*this);
    const int line = current().line;
    if (skip_operator("(")) {
        ExprPtr inner = parse_target({}, with_namespace);
        expect_operator(")");
        return inner;
    }
    ExprPtr node = make(ExprKind::kName, line);
    node->text = expect_name();
    for (const std::string_view reserved : {"true", "false", "none", "True", "False", "None"}) {
        if (node->text == reserved) fail(Code::kInvalidArgument, "chat template line {}: cannot assign to {}", line, reserved);
    }
    if (with_namespace && skip_operator(".")) {
        node->kind = ExprKind::kNamespaceRef;
        node->value = Value::text(expect_name());
    }
    return node;
}

ExprPtr Parser::parse_target(std::string_view end_name, bool with_namespace) {
    ExprPtr tuple = make(ExprKind::kTuple, current().line);
    bool is_tuple = false;
    while (true) {
        tuple->children.push_back(parse_target_item(with_namespace));
        if (!skip_operator(",")) break;
        is_tuple = true;
        if (current().kind != TokenKind::kName && !is_operator("(")) break;
        if (!end_name.empty() && is_name(end_name)) break;
    }
    if (!is_tuple) return std::move(tuple->children.front());
    settle(*tuple);
    return tuple;
}

ExprPtr Parser::parse_conditional() {
    ExprPtr node = parse_or();
    while (is_name("if")) {
        const int line = next().line;
        ExprPtr condition = parse_or();
        ExprPtr other = skip_name("else") ? parse_expression() : nullptr;
        node = make(ExprKind::kConditional, line, std::move(condition), std::move(node), std::move(other));
    }
    return node;
}

ExprPtr Parser::parse_or() {
    ExprPtr left = parse_and();
    while (is_name("or")) {
        const int line = next().line;
        left = make(ExprKind::kOr, line, std::move(left), parse_and());
    }
    return left;
}

ExprPtr Parser::parse_and() {
    ExprPtr left = parse_not();
    while (is_name("and")) {
        const int line = next().line;
        left = make(ExprKind::kAnd, line, std::move(left), parse_not());
    }
    return left;
}

ExprPtr Parser::parse_not() {
    const Nesting nesting(*this);
    if (!is_name("not")) return parse_compare();
    const int line = next().line;
    return make(ExprKind::kNot, line, parse_not());
}

ExprPtr Parser::parse_compare() {
    static constexpr std::array<std::string_view, 6> kComparisons = {"==", "!=", "<", "<=", ">", ">="};
    ExprPtr first = parse_sum();
    ExprPtr node;
    while (true) {
        std::string op;
        for (const std::string_view known : kComparisons) op = is_operator(known) ? known : op;
        if (is_name("in")) op = "in";
        if (is_name("not") && look().kind == TokenKind::kName && look().text == "in") op = "not in";
        if (op.empty()) break;
        const int line = next().line;
        if (op == "not in") next();
        if (!node) node = make(ExprKind::kCompare, line, std::move(first));
        node->operators.push_back(std::move(op));
        node->children.push_back(parse_sum());
    }
    if (!node) return first;
    settle(*node);
    return node;
}

ExprPtr Parser::parse_sum() {
    ExprPtr left = parse_concat();
    while (is_operator("+") || is_operator("-")) {
        const Token& token = next();
        left = make(ExprKind::kBinary, token.line, std::move(left), parse_concat());
        left->text = token.text;
    }
    return left;
}

ExprPtr Parser::parse_concat() {
    ExprPtr first = parse_product();
    if (!is_operator("~")) return first;
    ExprPtr node = make(ExprKind::kConcat, current().line, std::move(first));
    while (skip_operator("~")) node->children.push_back(parse_product());
    settle(*node);
    return node;
}

ExprPtr Parser::parse_product() {
    ExprPtr left = parse_power();
    while (is_operator("*") || is_operator("/") || is_operator("//") || is_operator("%")) {
        const Token& token = next();
        left = make(ExprKind::kBinary, token.line, std::move(left), parse_power());
        left->text = token.text;
    }
    return left;
}

ExprPtr Parser::parse_power() {
    ExprPtr left = parse_unary();
    while (is_operator("**")) {
        const int line = next().line;
        left = make(ExprKind::kBinary, line, std::move(left), parse_unary());
        left->text = "**";
    }
    return left;
}

ExprPtr Parser::parse_unary(bool with_filter) {
    const Nesting nesting(*this);
    ExprPtr node;
    if (is_operator("-") || is_operator("+")) {
        const Token& token = next();
        node = make(token.text == "-" ? ExprKind::kNegative : ExprKind::kPositive, token.line, parse_unary(false));
    } else {
        node = parse_primary();
    }
    node = parse_postfix(std::move(node));
    return with_filter ? parse_filter_expr(std::move(node)) : std::move(node);
}

ExprPtr Parser::parse_primary() {
    const Nesting nesting(*this);
    const int line = current().line;
    if (is_operator("[")) return parse_list();
    if (is_operator("{")) return parse_dict();
    if (skip_operator("(")) {
        ExprPtr node = parse_tuple(true, true);
        expect_operator(")");
        return node;
    }
    if (current().kind != TokenKind::kName) return parse_literal(current());
    const std::string name = next().text;
    ExprPtr node = make(ExprKind::kConst, line);
    if (name == "true" || name == "True" || name == "false" || name == "False") {
        node->value = Value::boolean(name == "true" || name == "True");
    } else if (name == "none" || name == "None") {
        node->value = Value::none();
    } else {
        node->kind = ExprKind::kName;
        node->text = name;
        const int special = name == "varargs"  ? kReadsVarargs
                            : name == "kwargs" ? kReadsKwargs
                            : name == "caller" ? kReadsCaller
                                               : 0;
        specials_ = static_cast<std::uint8_t>(specials_ | special);
    }
    return node;
}

ExprPtr Parser::parse_literal(const Token& token) {
    ExprPtr node = make(ExprKind::kConst, token.line);
    if (token.kind == TokenKind::kString) {
        std::string text;
        while (current().kind == TokenKind::kString) text += next().text;  // strings side by side are one
        node->value = Value::text(std::move(text));
        return node;
    }
    const char* begin = token.text.data();
    const char* end = begin + token.text.size();
    if (token.kind == TokenKind::kFloat) {
        double value = 0;
        if (std::from_chars(begin, end, value).ec != std::errc()) unexpected("a float in range");
        node->value = Value::real(value);
    } else if (token.kind == TokenKind::kInteger) {
        const char mark = token.text.size() > 2 ? static_cast<char>(token.text[1] | 0x20) : '0';
        const int radix = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
        std::int64_t value = 0;
        if (std::from_chars(radix == 10 ? begin : begin + 2, end, value, radix).ec != std::errc())
            unexpected("an integer of at most 64 bits");
        node->value = Value::integer(value);
    } else {
        unexpected("an expression");
    }
    next();
    return node;
}

ExprPtr Parser::parse_list() {
    ExprPtr node = make(ExprKind::kList, next().line);
    while (!is_operator("]")) {
        if (!node->children.empty()) expect_operator(",");
        if (is_operator("]")) break;
        node->children.push_back(parse_expression());
    }
    next();
    settle(*node);
    return node;
}

ExprPtr Parser::parse_dict() {
    ExprPtr node = make(ExprKind::kDict, next().line);
    while (!is_operator("}")) {
        if (!node->children.empty()) expect_operator(",");
        if (is_operator("}")) break;
        node->children.push_back(parse_expression());
        expect_operator(":");
        node->children.push_back(parse_expression());
    }
    next();
    settle(*node);
    return node;
}

ExprPtr Parser::parse_postfix(ExprPtr node) {
    while (true) {
        if (is_operator(".") || is_operator("[")) {
            node = parse_subscript(std::move(node));
        } else if (is_operator("(")) {
            node = parse_call(std::move(node));
        } else {
            return node;
        }
    }
}

ExprPtr Parser::parse_filter_expr(ExprPtr node) {
    while (true) {
        if (is_operator("|")) {
            node = parse_filter(std::move(node), false);
        } else if (is_name("is")) {
            node = parse_test(std::move(node));
        } else if (is_operator("(")) {
            node = parse_call(std::move(node));
        } else {
            return node;
        }
    }
}

ExprPtr Parser::parse_filter(ExprPtr node, bool first_inline) {
    while (first_inline || skip_operator("|")) {
        first_inline = false;
        const int line = current().line;
        ExprPtr filter = make(ExprKind::kFilter, line, std::move(node));
        filter->text = expect_name();
        if (is_operator("(")) parse_arguments(*filter);
        settle(*filter);
        node = std::move(filter);
    }
    return node;
}

ExprPtr Parser::parse_test(ExprPtr node) {
    const int line = next().line;
    const bool negated = skip_name("not");
    ExprPtr test = make(ExprKind::kTest, line, std::move(node));
    test->text = expect_name();
    const TokenKind kind = current().kind;
    const bool argument = kind == TokenKind::kString || kind == TokenKind::kInteger || kind == TokenKind::kFloat ||
                          is_operator("[") || is_operator("{") ||
                          (kind == TokenKind::kName && !is_name("else") && !is_name("or") && !is_name("and"));
    if (is_operator("(")) {
        parse_arguments(*test);
    } else if (argument) {
        if (is_name("is")) fail(Code::kInvalidArgument, "chat template line {}: tests with is cannot be chained", line);
        test->children.push_back(parse_postfix(parse_primary()));
    }
    settle(*test);
    return negated ? make(ExprKind::kNot, line, std::move(test)) : std::move(test);
}

ExprPtr Parser::parse_subscript(ExprPtr node) {
    const int line = current().line;
    if (skip_operator(".")) {
        if (current().kind == TokenKind::kInteger) return make(ExprKind::kItem, line, std::move(node), parse_literal(current()));
        ExprPtr out = make(ExprKind::kAttribute, line, std::move(node));
        out->text = expect_name();
        return out;
    }
    expect_operator("[");
    ExprPtr out = parse_subscribed(std::move(node), line);
    expect_operator("]");
    return out;
}

/// object[expression] or object[begin:end:step]
ExprPtr Parser::parse_subscribed(ExprPtr object, int line) {
    ExprPtr first = is_operator(":") ? nullptr : parse_expression();
    if (!is_operator(":")) return make(ExprKind::kItem, line, std::move(object), std::move(first));
    ExprPtr slice = make(ExprKind::kSlice, line, std::move(object));
    slice->children.push_back(std::move(first));
    for (int part = 0; part < 2; ++part) {
        const bool present = skip_operator(":") && !is_operator(":") && !is_operator("]");
        slice->children.push_back(present ? parse_expression() : nullptr);
    }
    settle(*slice);
    return slice;
}

ExprPtr Parser::parse_call(ExprPtr callee) {
    ExprPtr node = make(ExprKind::kCall, current().line, std::move(callee));
    parse_arguments(*node);
    settle(*node);
    return node;
}

/// In the order that jinja2 takes: positional, named, *rest, **named_rest; named ones may also stand behind *rest.
void Parser::parse_arguments(Expr& out) {
    expect_operator("(");
    bool first = true;
    while (!is_operator(")")) {
        if (!first) expect_operator(",");
        first = false;
        if (is_operator(")")) break;
        if (is_operator("*") || is_operator("**")) {
            ExprPtr& rest = is_operator("*") ? out.rest : out.named_rest;
            if (rest || out.named_rest) unexpected("another argument");
            next();
            rest = parse_expression();
        } else if (current().kind == TokenKind::kName && look().kind == TokenKind::kOperator && look().text == "=") {
            if (out.named_rest) unexpected("the end of the arguments");
            std::string name = next().text;
            next();
            out.named.emplace_back(std::move(name), parse_expression());
        } else {
            if (!out.named.empty() || out.rest || out.named_rest) unexpected("a named argument");
            out.children.push_back(parse_expression());
        }
    }
    next();
}

}  // namespace rag::core::jinja
