// The parsed template: expressions and statements with the line they stand on. Immutable after parsing and shared by threads.
// `depth` is how deeply a node is nested; the parser refuses more than kMaxNodeDepth, so walking and destroying a tree cannot
// overflow the stack.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/chat_template/value.hpp"

namespace rag::core::jinja {

inline constexpr std::uint32_t kMaxNodeDepth = 200;

struct Expr;
struct Stmt;
using ExprPtr = std::unique_ptr<Expr>;
using StmtPtr = std::unique_ptr<Stmt>;
using Body = std::vector<StmtPtr>;

enum class ExprKind : std::uint8_t {
    kConst,         // value
    kName,          // text
    kList,          // children
    kTuple,         // children
    kDict,          // children: key, value, key, value ...
    kAttribute,     // children[0].text
    kItem,          // children[0][children[1]]
    kSlice,         // children[0][children[1]:children[2]:children[3]], the last three may be null
    kCall,          // children[0](children[1..], named)
    kFilter,        // children[0]|text(children[1..], named); children[0] null: the captured text of a block
    kTest,          // children[0] is text(children[1..], named)
    kNot,           // children[0]
    kNegative,      // children[0]
    kPositive,      // children[0]
    kAnd,           // children[0], children[1]
    kOr,            // children[0], children[1]
    kCompare,       // children[0] operators[0] children[1] operators[1] children[2] ...
    kBinary,        // children[0] text children[1]
    kConcat,        // children joined as text (~)
    kConditional,   // children[1] if children[0] else children[2] (may be null: undefined)
    kNamespaceRef,  // target only: text.attribute, the attribute in value
    kCapturedText,  // the text of a filter or set block
};

struct Expr {
    Expr(ExprKind the_kind, int the_line) : kind(the_kind), line(the_line) {}

    ExprKind kind;
    int line;
    std::uint32_t depth = 1;
    std::string text;
    Value value;
    std::vector<ExprPtr> children;
    std::vector<std::pair<std::string, ExprPtr>> named;
    ExprPtr rest;  // of a call: f(*rest, **named_rest); null: none
    ExprPtr named_rest;
    std::vector<std::string> operators;
};

enum class StmtKind : std::uint8_t {
    kText,         // text
    kOutput,       // expr
    kIf,           // branches
    kFor,          // target, expr (the iterable), condition or null, body, other (else)
    kSet,          // target, expr
    kSetBlock,     // target, expr (filters over kCapturedText), body
    kMacro,        // text (its name), parameters, body
    kCall,         // parameters of caller, expr (a kCall), body
    kFilterBlock,  // expr (filters over kCapturedText), body
    kWith,         // assignments, body
    kBreak,
    kContinue,
    kGeneration,  // body; transformers' {% generation %}: only marks text
};

inline constexpr std::uint8_t kReadsVarargs = 1;
inline constexpr std::uint8_t kReadsKwargs = 2;
inline constexpr std::uint8_t kReadsCaller = 4;

struct Parameter {
    std::string name;
    ExprPtr fallback;  // null: none
};

struct Branch {
    ExprPtr condition;  // null: else
    Body body;
};

struct Stmt {
    Stmt(StmtKind the_kind, int the_line) : kind(the_kind), line(the_line) {}

    StmtKind kind;
    int line;
    std::uint32_t depth = 1;
    std::string text;
    ExprPtr target;
    ExprPtr expr;
    ExprPtr condition;
    bool recursive = false;
    std::uint8_t specials = 0;  // of a macro or call: which of varargs, kwargs, caller its body reads
    Body body;
    Body other;
    std::vector<Branch> branches;
    std::vector<Parameter> parameters;
    std::vector<std::pair<ExprPtr, ExprPtr>> assignments;
};

}  // namespace rag::core::jinja
