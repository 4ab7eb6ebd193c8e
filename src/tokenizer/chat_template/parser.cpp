#include "tokenizer/chat_template/parser.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace rag::core::jinja {

namespace {

std::string describe(const Token& token) {
    switch (token.kind) {
        case TokenKind::kEnd:
            return "the end of the template";
        case TokenKind::kText:
            return "text";
        case TokenKind::kBlockBegin:
            return "{%";
        case TokenKind::kBlockEnd:
            return "%}";
        case TokenKind::kVariableBegin:
            return "{{";
        case TokenKind::kVariableEnd:
            return "}}";
        default:
            return quote(token.text, 40);
    }
}

[[noreturn]] void too_deep(int line) {
    fail(Code::kInvalidArgument, "chat template line {}: nested more than {} deep", line, kMaxNodeDepth);
}

}  // namespace

Parser::Nesting::Nesting(Parser& parser) : parser_(parser) {
    if (parser.nesting_ >= kMaxNodeDepth) too_deep(parser.current().line);
    ++parser.nesting_;
}

const Token& Parser::next() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
}

bool Parser::is_operator(std::string_view text) const {
    return current().kind == TokenKind::kOperator && current().text == text;
}
bool Parser::is_name(std::string_view text) const {
    return current().kind == TokenKind::kName && current().text == text;
}

bool Parser::skip_operator(std::string_view text) {
    if (!is_operator(text)) return false;
    next();
    return true;
}

bool Parser::skip_name(std::string_view text) {
    if (!is_name(text)) return false;
    next();
    return true;
}

void Parser::expect_operator(std::string_view text) {
    if (!skip_operator(text)) unexpected(quote(text));
}

std::string Parser::expect_name() {
    if (current().kind != TokenKind::kName) unexpected("a name");
    return next().text;
}

void Parser::expect_kind(TokenKind kind, std::string_view what) {
    if (current().kind != kind) unexpected(what);
    next();
}

void Parser::unexpected(std::string_view wanted) const {
    fail(Code::kInvalidArgument, "chat template line {}: {} where {} is expected", current().line, describe(current()), wanted);
}

void Parser::unknown_tag(const Token& token) const {
    fail(Code::kUnsupported, "chat template line {}: unknown tag {}", token.line, quote(token.text, 40));
}

void Parser::settle(Expr& node) const {
    std::uint32_t depth = 0;
    for (const auto& child : node.children) depth = std::max(depth, child ? child->depth : 0);
    for (const auto& named : node.named) depth = std::max(depth, named.second->depth);
    for (const ExprPtr* rest : {&node.rest, &node.named_rest}) depth = std::max(depth, *rest ? (*rest)->depth : 0);
    node.depth = depth + 1;
    if (node.depth > kMaxNodeDepth) too_deep(node.line);
}

void Parser::settle(Stmt& node) const {
    std::uint32_t depth = 0;
    const auto add = [&](const auto& child) {
        if (child) depth = std::max(depth, child->depth);
    };
    for (const Body* body : {&node.body, &node.other}) std::for_each(body->begin(), body->end(), add);
    for (const Branch& branch : node.branches) {
        add(branch.condition);
        std::for_each(branch.body.begin(), branch.body.end(), add);
    }
    for (const Parameter& parameter : node.parameters) add(parameter.fallback);
    for (const auto& assignment : node.assignments) add(assignment.second);
    add(node.expr);
    add(node.condition);
    node.depth = depth + 1;
    if (node.depth > kMaxNodeDepth) too_deep(node.line);
}

Body Parser::parse() {
    return parse_body({});
}

/// Until a tag named in `ends` (which stays current) or, without ends, the end of the template.
Body Parser::parse_body(std::initializer_list<std::string_view> ends) {
    const Nesting nesting(*this);
    const int begin_line = current().line;
    Body body;
    const auto add = [&](StmtPtr node) {
        settle(*node);
        body.push_back(std::move(node));
    };
    while (current().kind != TokenKind::kEnd) {
        const Token& token = next();
        auto node = std::make_unique<Stmt>(StmtKind::kText, token.line);
        if (token.kind == TokenKind::kText) {
            node->text = token.text;
            add(std::move(node));
        } else if (token.kind == TokenKind::kVariableBegin) {
            node->kind = StmtKind::kOutput;
            node->expr = parse_tuple(true, false);
            expect_kind(TokenKind::kVariableEnd, "}}");
            add(std::move(node));
        } else {
            if (std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return is_name(end); })) return body;
            add(parse_statement());
            expect_kind(TokenKind::kBlockEnd, "%}");
        }
    }
    if (ends.size() != 0)
        fail(Code::kInvalidArgument, "chat template line {}: a block without {{% {} %}}", begin_line, *(ends.end() - 1));
    return body;
}

/// The rest of an opening tag, then its body.
Body Parser::parse_block_body(std::initializer_list<std::string_view> ends) {
    skip_operator(":");
    expect_kind(TokenKind::kBlockEnd, "%}");
    return parse_body(ends);
}

StmtPtr Parser::parse_statement() {
    if (current().kind != TokenKind::kName) unexpected("the name of a tag");
    const Token& token = next();
    const std::string& tag = token.text;
    if (tag == "for") return parse_for(token.line);
    if (tag == "if") return parse_if(token.line);
    if (tag == "set") return parse_set(token.line);
    if (tag == "macro") return parse_macro(token.line);
    if (tag == "call") return parse_call_block(token.line);
    if (tag == "filter") return parse_filter_block(token.line);
    if (tag == "with") return parse_with(token.line);
    if (tag == "break" || tag == "continue") {
        if (loops_ == 0) fail(Code::kInvalidArgument, "chat template line {}: {} outside a loop", token.line, tag);
        return std::make_unique<Stmt>(tag == "break" ? StmtKind::kBreak : StmtKind::kContinue, token.line);
    }
    if (tag == "generation") {
        auto node = std::make_unique<Stmt>(StmtKind::kGeneration, token.line);
        const std::uint32_t loops = std::exchange(loops_, 0);  // a body of its own: break does not leave it
        node->body = parse_block_body({"endgeneration"});
        loops_ = loops;
        next();
        return node;
    }
    unknown_tag(token);
}

StmtPtr Parser::parse_for(int line) {
    auto node = std::make_unique<Stmt>(StmtKind::kFor, line);
    node->target = parse_target("in", false);
    if (!skip_name("in")) unexpected("\"in\"");
    node->expr = parse_tuple(false, false, "recursive");
    if (skip_name("if")) node->condition = parse_expression();
    node->recursive = skip_name("recursive");
    ++loops_;
    node->body = parse_block_body({"else", "endfor"});
    --loops_;
    if (next().text == "else") {
        node->other = parse_block_body({"endfor"});
        next();
    }
    return node;
}

StmtPtr Parser::parse_if(int line) {
    auto node = std::make_unique<Stmt>(StmtKind::kIf, line);
    while (true) {
        Branch branch;
        branch.condition = parse_tuple(false, false);
        branch.body = parse_block_body({"elif", "else", "endif"});
        node->branches.push_back(std::move(branch));
        const std::string end = next().text;
        if (end == "elif") continue;
        if (end == "else") {
            Branch last;
            last.body = parse_block_body({"endif"});
            node->branches.push_back(std::move(last));
            next();
        }
        return node;
    }
}

StmtPtr Parser::parse_set(int line) {
    auto node = std::make_unique<Stmt>(StmtKind::kSet, line);
    node->target = parse_target({}, true);
    if (skip_operator("=")) {
        node->expr = parse_tuple(true, false);
        return node;
    }
    node->kind = StmtKind::kSetBlock;
    node->expr = parse_filter(make(ExprKind::kCapturedText, line), false);
    node->body = parse_block_body({"endset"});
    next();
    return node;
}

std::vector<Parameter> Parser::parse_parameters() {
    std::vector<Parameter> out;
    expect_operator("(");
    while (!is_operator(")")) {
        if (!out.empty()) expect_operator(",");
        Parameter parameter;
        const int line = current().line;
        parameter.name = expect_name();
        if (skip_operator("=")) {
            parameter.fallback = parse_expression();
        } else if (!out.empty() && out.back().fallback) {
            fail(Code::kInvalidArgument, "chat template line {}: parameter {} without a default follows one with", line,
                 quote(parameter.name, 40));
        }
        out.push_back(std::move(parameter));
    }
    next();
    return out;
}

void Parser::parse_macro_body(Stmt& node, std::string_view end) {
    const std::uint32_t loops = std::exchange(loops_, 0);
    const std::uint8_t outer = std::exchange(specials_, std::uint8_t{0});
    node.body = parse_block_body({end});
    node.specials = specials_;
    specials_ = static_cast<std::uint8_t>(specials_ | outer);
    loops_ = loops;
    next();
}

StmtPtr Parser::parse_macro(int line) {
    auto node = std::make_unique<Stmt>(StmtKind::kMacro, line);
    node->text = expect_name();
    node->parameters = parse_parameters();
    parse_macro_body(*node, "endmacro");
    return node;
}

StmtPtr Parser::parse_call_block(int line) {
    auto node = std::make_unique<Stmt>(StmtKind::kCall, line);
    if (is_operator("(")) node->parameters = parse_parameters();
    node->expr = parse_expression();
    if (node->expr->kind != ExprKind::kCall) fail(Code::kInvalidArgument, "chat template line {}: call needs a call", line);
    parse_macro_body(*node, "endcall");
    return node;
}

StmtPtr Parser::parse_filter_block(int line) {
    auto node = std::make_unique<Stmt>(StmtKind::kFilterBlock, line);
    node->expr = parse_filter(make(ExprKind::kCapturedText, line), true);
    const std::uint32_t loops = std::exchange(loops_, 0);
    node->body = parse_block_body({"endfilter"});
    loops_ = loops;
    next();
    return node;
}

StmtPtr Parser::parse_with(int line) {
    auto node = std::make_unique<Stmt>(StmtKind::kWith, line);
    while (current().kind != TokenKind::kBlockEnd && !is_operator(":")) {
        if (!node->assignments.empty()) expect_operator(",");
        ExprPtr target = parse_target({}, false);
        expect_operator("=");
        ExprPtr value = parse_expression();
        node->assignments.emplace_back(std::move(target), std::move(value));
    }
    node->body = parse_block_body({"endwith"});
    next();
    return node;
}

}  // namespace rag::core::jinja
