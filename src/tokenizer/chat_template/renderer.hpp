// Walks a parsed template and writes its text. Scopes work as jinja2 compiles them: `for`, `with`, macros and captured blocks
// have their own names, `if` has not; a macro sees the names of the place where it was defined. Limits hold for steps, bytes of
// output and depth; every Error gets the line. One object a rendering; not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tokenizer/chat_template/ast.hpp"
#include "tokenizer/chat_template/chat_template.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

struct Scope {
    Scope* parent = nullptr;
    bool kept = false;  // a macro refers to it: it lives as long as the renderer
    std::unordered_map<std::string_view, Value> names;

    void set(std::string_view name, Value value) { names.insert_or_assign(name, std::move(value)); }
};

struct Macro {
    const Stmt* node;
    std::string name;
    Scope* scope;
};

/// The variable `loop`.
struct Loop {
    SequencePtr items;
    std::size_t index = 0;
    std::int64_t depth0 = 0;
    const Stmt* node = nullptr;
    Scope* scope = nullptr;  // of the for statement
    std::vector<Value> changed;
    bool has_changed = false;
};

class Renderer final : public Runtime {
  public:
    Renderer(const ChatTemplateLimits& limits, std::int64_t now);
    void set_global(std::string_view name, Value value) { root_.set(name, std::move(value)); }
    std::string run(const Body& body);

    Value call(const Value& callee, Arguments arguments) override;
    Namespace* new_namespace() override;
    std::int64_t now() const override { return now_; }

  private:
    enum class Flow : std::uint8_t { kNext, kBreak, kContinue };

    // Statements (renderer.cpp).
    Flow execute(const Body& body);
    Flow execute(const Stmt& node);
    Flow execute_if(const Stmt& node);
    void execute_for(const Stmt& node, const SequencePtr& items, std::int64_t depth);
    SequencePtr filtered(const Stmt& node, const SequencePtr& items);
    void execute_with(const Stmt& node);
    void execute_call_block(const Stmt& node);
    Value make_macro(const Stmt& node, std::string name);
    std::string call_macro(const Macro& macro, Arguments& arguments);
    void bind_parameters(const Macro& macro, Arguments& arguments);
    void bind_specials(const Macro& macro, Arguments& arguments);
    Value call_loop(Loop& loop, Arguments& arguments);
    Value call_loop_method(Loop& loop, std::string_view name, Arguments& arguments);
    void assign(const Expr& target, Value value);
    void emit(std::string_view text);
    /// What a filter or call block gives; jinja2 joins it unconverted, so anything but a str is an error.
    void emit_text(const Value& value);
    /// Runs a body and returns what it wrote.
    std::string written(const Body& body);
    /// What a filter or set block gives: its body's text behind its filters, whose arguments see what the body set.
    Value captured(const Stmt& node);

    // Expressions (renderer_expression.cpp).
    Value evaluate(const Expr& node);
    Value evaluate_name(const Expr& node);
    Value evaluate_dict(const Expr& node);
    Value evaluate_concat(const Expr& node);
    Value evaluate_compare(const Expr& node);
    Value evaluate_sign(const Expr& node);
    Value evaluate_attribute(const Expr& node);
    Value evaluate_slice(const Expr& node);
    Value evaluate_call(const Expr& node);
    Arguments evaluate_arguments(const Expr& node);
    void add_named_rest(const Value& rest, Arguments& out);
    std::vector<Value> evaluate_children(const Expr& node);
    Value loop_attribute(Loop& loop, const std::string& name);

    const Value* lookup(std::string_view name) const;

    /// A scope for a block; one that a macro refers to is kept instead of destroyed.
    class ScopeGuard {
      public:
        ScopeGuard(Renderer& renderer, Scope* parent);
        ~ScopeGuard();
        ScopeGuard(const ScopeGuard&) = delete;
        ScopeGuard& operator=(const ScopeGuard&) = delete;

      private:
        Renderer& renderer_;
        std::unique_ptr<Scope> scope_;
        Scope* outer_;
    };
    class DepthGuard {
      public:
        explicit DepthGuard(Renderer& renderer);
        ~DepthGuard() { --renderer_.depth_; }
        DepthGuard(const DepthGuard&) = delete;
        DepthGuard& operator=(const DepthGuard&) = delete;

      private:
        Renderer& renderer_;
    };

    ChatTemplateLimits limits_;
    std::int64_t now_;
    Scope root_;
    Scope* scope_ = &root_;
    std::string* out_ = nullptr;
    Value captured_;  // of the innermost filter or set block
    int line_ = 1;
    std::uint32_t depth_ = 0;
    std::vector<std::unique_ptr<Scope>> kept_scopes_;
    std::vector<std::unique_ptr<Namespace>> namespaces_;
    std::vector<std::unique_ptr<Loop>> loops_;
    std::vector<std::unique_ptr<Macro>> macros_;
};

}  // namespace rag::core::jinja
