#include "tokenizer/chat_template/renderer.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace rag::core::jinja {

Renderer::ScopeGuard::ScopeGuard(Renderer& renderer, Scope* parent)
    : renderer_(renderer), scope_(std::make_unique<Scope>()), outer_(renderer.scope_) {
    scope_->parent = parent;
    renderer.scope_ = scope_.get();
}

Renderer::ScopeGuard::~ScopeGuard() {
    renderer_.scope_ = outer_;
    if (scope_->kept) renderer_.kept_scopes_.push_back(std::move(scope_));
}

Renderer::DepthGuard::DepthGuard(Renderer& renderer) : renderer_(renderer) {
    if (renderer.depth_ >= renderer.limits_.max_depth)
        fail(Code::kInvalidArgument, "the limit of {} nested nodes and calls is passed", renderer.limits_.max_depth);
    ++renderer.depth_;
}

Renderer::Renderer(const ChatTemplateLimits& limits, std::int64_t now) : Runtime(limits.max_steps), limits_(limits), now_(now) {}

Namespace* Renderer::new_namespace() {
    charge(8);
    namespaces_.push_back(std::make_unique<Namespace>());
    return namespaces_.back().get();
}

std::string Renderer::run(const Body& body) {
    std::string out;
    out_ = &out;
    try {
        execute(body);
    } catch (const Error& error) {
        throw Error(error.code(), fmt::format("chat template line {}: {}", line_, error.what()));
    }
    return out;
}

void Renderer::emit(std::string_view text) {
    charge_bytes(text.size());
    if (out_->size() + text.size() > limits_.max_output_bytes)
        fail(Code::kInvalidArgument, "the limit of {} bytes of output is passed", limits_.max_output_bytes);
    out_->append(text);
}

void Renderer::emit_text(const Value& value) {
    if (value.string() == nullptr) fail(Code::kInvalidArgument, "a filter or call block writes str, not {}", value.type_name());
    emit(*value.string());
}

std::string Renderer::written(const Body& body) {
    std::string text;
    std::string* outer = std::exchange(out_, &text);
    execute(body);  // after an Error the rendering is over, so out_ need not be put back
    out_ = outer;
    return text;
}

Value Renderer::captured(const Stmt& node) {
    const ScopeGuard scope(*this, scope_);
    const Value outer = std::exchange(captured_, make_text(written(node.body)));
    Value value = evaluate(*node.expr);
    captured_ = outer;
    return value;
}

Renderer::Flow Renderer::execute(const Body& body) {
    for (const StmtPtr& node : body) {
        const Flow flow = execute(*node);
        if (flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
}

Renderer::Flow Renderer::execute(const Stmt& node) {
    const DepthGuard depth(*this);
    line_ = node.line;
    charge(1);
    switch (node.kind) {
        case StmtKind::kText:
            emit(node.text);
            break;
        case StmtKind::kOutput: {
            const Value value = evaluate(*node.expr);
            charge_bytes(value.weight());
            emit(to_text(value));
            break;
        }
        case StmtKind::kIf:
            return execute_if(node);
        case StmtKind::kFor: {
            const SequencePtr items = iterate(evaluate(*node.expr));
            execute_for(node, items, 0);
            break;
        }
        case StmtKind::kSet:
            assign(*node.target, evaluate(*node.expr));
            break;
        case StmtKind::kSetBlock:
            assign(*node.target, captured(node));
            break;
        case StmtKind::kMacro:
            scope_->set(node.text, make_macro(node, node.text));
            break;
        case StmtKind::kCall:
            execute_call_block(node);
            break;
        case StmtKind::kFilterBlock:
            emit_text(captured(node));
            break;
        case StmtKind::kWith:
            execute_with(node);
            break;
        case StmtKind::kBreak:
            return Flow::kBreak;
        case StmtKind::kContinue:
            return Flow::kContinue;
        case StmtKind::kGeneration: {
            const ScopeGuard scope(*this, scope_);
            emit(written(node.body));
            break;
        }
    }
    return Flow::kNext;
}

Renderer::Flow Renderer::execute_if(const Stmt& node) {
    for (const Branch& branch : node.branches) {
        if (!branch.condition || evaluate(*branch.condition).truth()) return execute(branch.body);
    }
    return Flow::kNext;
}

/// Elements for which the condition of `for ... if` holds; `loop` inside it is the outer loop. They are what the target's names
/// were given: of `for a, b in ...` tuples, which loop.previtem and loop.nextitem show.
SequencePtr Renderer::filtered(const Stmt& node, const SequencePtr& items) {
    auto out = std::make_shared<Sequence>();
    for (const Value& item : items->items) {
        const ScopeGuard scope(*this, scope_);
        assign(*node.target, item);
        if (evaluate(*node.condition).truth()) out->items.push_back(evaluate(*node.target));
    }
    return out;
}

void Renderer::execute_for(const Stmt& node, const SequencePtr& items, std::int64_t depth) {
    charge(8);  // kept until the rendering ends
    loops_.push_back(std::make_unique<Loop>());
    Loop* loop = loops_.back().get();
    loop->items = node.condition ? filtered(node, items) : items;
    loop->depth0 = depth;
    loop->node = &node;
    loop->scope = scope_;
    if (node.recursive) {
        for (Scope* scope = scope_; scope != nullptr; scope = scope->parent) scope->kept = true;
    }
    bool reached_end = false;  // of the body, once: jinja2 runs `else` also where break and continue left every round early
    for (loop->index = 0; loop->index < loop->items->items.size(); ++loop->index) {
        charge(1);
        const ScopeGuard scope(*this, scope_);
        scope_->set("loop", Value(Value::Data(loop)));
        assign(*node.target, loop->items->items[loop->index]);
        const Flow flow = execute(node.body);
        if (flow == Flow::kBreak) break;
        reached_end = reached_end || flow == Flow::kNext;
    }
    if (!reached_end) {
        const ScopeGuard scope(*this, scope_);
        execute(node.other);
    }
}

void Renderer::execute_with(const Stmt& node) {
    std::vector<Value> values;
    for (const auto& assignment : node.assignments) values.push_back(evaluate(*assignment.second));
    const ScopeGuard scope(*this, scope_);
    for (std::size_t i = 0; i < values.size(); ++i) assign(*node.assignments[i].first, std::move(values[i]));
    execute(node.body);
}

void Renderer::execute_call_block(const Stmt& node) {
    const Value caller = make_macro(node, "caller");
    Arguments arguments = evaluate_arguments(*node.expr);
    arguments.named.emplace_back("caller", caller);
    const Value callee = evaluate(*node.expr->children.front());
    line_ = node.line;
    emit_text(call(callee, std::move(arguments)));
}

Value Renderer::make_macro(const Stmt& node, std::string name) {
    for (Scope* scope = scope_; scope != nullptr; scope = scope->parent) scope->kept = true;
    charge(8);
    macros_.push_back(std::make_unique<Macro>(Macro{&node, std::move(name), scope_}));
    return Value(Value::Data(static_cast<const Macro*>(macros_.back().get())));
}

std::string Renderer::call_macro(const Macro& macro, Arguments& arguments) {
    const DepthGuard depth(*this);
    const ScopeGuard scope(*this, macro.scope);
    bind_parameters(macro, arguments);
    const int line = line_;
    std::string text = written(macro.node->body);
    line_ = line;
    return text;
}

/// Parameters, then what is left as varargs, kwargs and caller, as jinja2's Macro does.
void Renderer::bind_parameters(const Macro& macro, Arguments& arguments) {
    const auto& parameters = macro.node->parameters;
    auto& named = arguments.named;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const Parameter& parameter = parameters[i];
        const auto given =
            std::find_if(named.begin(), named.end(), [&](const auto& pair) { return pair.first == parameter.name; });
        Value value;
        if (i < arguments.positional.size()) {
            value = arguments.positional[i];  // if it is named too, that one is left for kwargs
        } else if (given != named.end()) {
            value = std::move(given->second);
            named.erase(given);
        } else if (parameter.fallback) {
            value = evaluate(*parameter.fallback);
        } else {
            value = Value::undefined(fmt::format("parameter {} was not provided", quote(parameter.name)));
        }
        scope_->set(parameter.name, std::move(value));
    }
    bind_specials(macro, arguments);
}

/// What no parameter took. jinja2 refuses it unless the body reads varargs, kwargs or caller.
void Renderer::bind_specials(const Macro& macro, Arguments& arguments) {
    const std::uint8_t reads = macro.node->specials;
    const std::size_t taken = macro.node->parameters.size();
    std::vector<Value> rest;
    for (std::size_t i = taken; i < arguments.positional.size(); ++i) rest.push_back(arguments.positional[i]);
    if (!rest.empty() && (reads & kReadsVarargs) == 0)
        fail(Code::kInvalidArgument, "macro {} takes at most {} arguments, not {}", quote(macro.name), taken,
             arguments.positional.size());
    Map kwargs;
    Value caller = Value::undefined("No caller defined");
    for (auto& [name, value] : arguments.named) {
        if (name == "caller" && (reads & kReadsCaller) != 0) {
            caller = value;
        } else if ((reads & kReadsKwargs) != 0) {
            kwargs.set(Value::text(name), value);
        } else {
            fail(Code::kInvalidArgument, "macro {} takes no argument {}", quote(macro.name), quote(name));
        }
    }
    if ((reads & kReadsVarargs) != 0) scope_->set("varargs", Value::tuple(std::move(rest)));
    if ((reads & kReadsKwargs) != 0) scope_->set("kwargs", Value::map(std::move(kwargs)));
    const auto& parameters = macro.node->parameters;
    const bool explicit_caller =
        std::any_of(parameters.begin(), parameters.end(), [](const Parameter& p) { return p.name == "caller"; });
    if ((reads & kReadsCaller) != 0 && !explicit_caller) scope_->set("caller", std::move(caller));
}

Value Renderer::call_loop(Loop& loop, Arguments& arguments) {
    if (!loop.node->recursive) fail(Code::kInvalidArgument, "loop(...) needs a loop marked recursive");
    Bound bound(arguments, "loop", {"iterable"});
    const DepthGuard depth(*this);
    const SequencePtr items = iterate(bound.required(0));
    std::string text;
    std::string* outer = std::exchange(out_, &text);
    Scope* scope = std::exchange(scope_, loop.scope);
    execute_for(*loop.node, items, loop.depth0 + 1);
    scope_ = scope;
    out_ = outer;
    return make_text(std::move(text));
}

Value Renderer::call_loop_method(Loop& loop, std::string_view name, Arguments& arguments) {
    if (name == "cycle") {
        if (arguments.positional.empty()) fail(Code::kInvalidArgument, "loop.cycle needs at least one argument");
        return arguments.positional[loop.index % arguments.positional.size()];
    }
    const bool same = loop.has_changed && loop.changed.size() == arguments.positional.size() &&
                      std::equal(loop.changed.begin(), loop.changed.end(), arguments.positional.begin(), equal);
    loop.has_changed = true;
    loop.changed = std::move(arguments.positional);
    return Value::boolean(!same);
}

Value Renderer::call(const Value& callee, Arguments arguments) {
    charge(1);
    if (const auto* macro = callee.as<const Macro*>()) return make_text(call_macro(**macro, arguments));
    if (const auto* function = callee.as<const Function*>()) return (*function)->body(*this, arguments);
    if (const auto* loop = callee.as<Loop*>()) return call_loop(**loop, arguments);
    if (const auto* method = callee.as<MethodPtr>()) {
        if (const auto* loop = (*method)->self.as<Loop*>()) return call_loop_method(**loop, (*method)->name, arguments);
        return call_method(*this, **method, arguments);
    }
    if (const auto* undefined = callee.as<Undefined>())
        fail(Code::kInvalidArgument, "{}", undefined->hint ? *undefined->hint : "the called value is undefined");
    fail(Code::kInvalidArgument, "{} object is not callable", quote(callee.type_name()));
}

void Renderer::assign(const Expr& target, Value value) {
    if (target.kind == ExprKind::kName) {
        scope_->set(target.text, std::move(value));
    } else if (target.kind == ExprKind::kNamespaceRef) {
        const Value* object = lookup(target.text);
        const auto* space = object != nullptr ? object->as<Namespace*>() : nullptr;
        if (space == nullptr)
            fail(Code::kInvalidArgument, "cannot assign an attribute of {}, it is no namespace", quote(target.text));
        const std::string& name = *target.value.string();
        if (name.front() == '_') fail(Code::kInvalidArgument, "a namespace takes no attribute {}: it begins with _", quote(name));
        auto& attributes = (*space)->attributes;
        charge(1 + attributes.size() / 8);
        const auto at = std::find_if(attributes.begin(), attributes.end(), [&](const auto& pair) { return pair.first == name; });
        if (at != attributes.end()) {
            at->second = std::move(value);
        } else {
            attributes.emplace_back(name, std::move(value));
        }
    } else {
        const SequencePtr parts = iterate(value);
        if (parts->items.size() != target.children.size())
            fail(Code::kInvalidArgument, "{} values cannot be unpacked into {} names", parts->items.size(),
                 target.children.size());
        for (std::size_t i = 0; i < parts->items.size(); ++i) assign(*target.children[i], parts->items[i]);
    }
}

}  // namespace rag::core::jinja
