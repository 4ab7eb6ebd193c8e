// Tokens to a tree, by jinja2/parser.py's grammar: statements here, expressions in parser_expression.cpp. Tags that a chat
// template has no use for (include, import, extends, block, autoescape ...) are Error(kUnsupported) naming tag and line;
// everything else that is wrong is Error(kInvalidArgument) with the line. Not thread-safe; one parser a source.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "tokenizer/chat_template/ast.hpp"
#include "tokenizer/chat_template/lexer.hpp"

namespace rag::core::jinja {

class Parser {
  public:
    explicit Parser(std::string_view source) : tokens_(tokenize(source)) {}
    Body parse();

  private:
    // Statements.
    Body parse_body(std::initializer_list<std::string_view> ends);
    Body parse_block_body(std::initializer_list<std::string_view> ends);
    StmtPtr parse_statement();
    StmtPtr parse_for(int line);
    StmtPtr parse_if(int line);
    StmtPtr parse_set(int line);
    StmtPtr parse_macro(int line);
    StmtPtr parse_call_block(int line);
    StmtPtr parse_filter_block(int line);
    StmtPtr parse_with(int line);
    std::vector<Parameter> parse_parameters();
    void parse_macro_body(Stmt& node, std::string_view end);
    [[noreturn]] void unknown_tag(const Token& token) const;

    // Expressions.
    ExprPtr parse_expression(bool conditional = true);
    ExprPtr parse_tuple(bool conditional, bool parenthesised, std::string_view end_name = {});
    ExprPtr parse_target(std::string_view end_name, bool with_namespace);
    ExprPtr parse_target_item(bool with_namespace);
    ExprPtr parse_conditional();
    ExprPtr parse_or();
    ExprPtr parse_and();
    ExprPtr parse_not();
    ExprPtr parse_compare();
    ExprPtr parse_sum();
    ExprPtr parse_concat();
    ExprPtr parse_product();
    ExprPtr parse_power();
    ExprPtr parse_unary(bool with_filter = true);
    ExprPtr parse_primary();
    ExprPtr parse_literal(const Token& token);
    ExprPtr parse_list();
    ExprPtr parse_dict();
    ExprPtr parse_postfix(ExprPtr node);
    ExprPtr parse_filter_expr(ExprPtr node);
    ExprPtr parse_filter(ExprPtr node, bool first_inline);
    ExprPtr parse_test(ExprPtr node);
    ExprPtr parse_subscript(ExprPtr node);
    ExprPtr parse_subscribed(ExprPtr object, int line);
    ExprPtr parse_call(ExprPtr callee);
    void parse_arguments(Expr& out);

    // Tokens.
    const Token& current() const { return tokens_[at_]; }
    const Token& look() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
    const Token& next();
    bool is_operator(std::string_view text) const;
    bool is_name(std::string_view text) const;
    bool skip_operator(std::string_view text);
    bool skip_name(std::string_view text);
    void expect_operator(std::string_view text);
    std::string expect_name();
    void expect_kind(TokenKind kind, std::string_view what);
    [[noreturn]] void unexpected(std::string_view wanted) const;

    // Nodes, with their depth checked.
    ExprPtr make(ExprKind kind, int line) const;
    ExprPtr make(ExprKind kind, int line, ExprPtr a, ExprPtr b = nullptr, ExprPtr c = nullptr) const;
    void settle(Expr& node) const;
    void settle(Stmt& node) const;

    /// Counts how deeply parse functions are inside each other.
    class Nesting {
      public:
        explicit Nesting(Parser& parser);
        ~Nesting() { --parser_.nesting_; }
        Nesting(const Nesting&) = delete;
        Nesting& operator=(const Nesting&) = delete;

      private:
        Parser& parser_;
    };

    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    std::uint32_t nesting_ = 0;
    std::uint32_t loops_ = 0;    // for break and continue
    std::uint8_t specials_ = 0;  // kReadsVarargs ... seen since the macro began
};

}  // namespace rag::core::jinja
