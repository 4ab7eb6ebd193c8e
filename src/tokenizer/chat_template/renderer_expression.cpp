// Expressions to values. After its parts are evaluated a node takes the line back, so that an error names its own line.
#include <algorithm>

#include "core/error.hpp"
#include "tokenizer/chat_template/renderer.hpp"

namespace rag::core::jinja {

namespace {

[[noreturn]] void fail_undefined(const Value& value) {
    const auto& hint = value.as<Undefined>()->hint;
    fail(Code::kInvalidArgument, "{}", hint ? *hint : "an undefined value is used");
}

}  // namespace

const Value* Renderer::lookup(std::string_view name) const {
    for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
        const auto at = scope->names.find(name);
        if (at != scope->names.end()) return &at->second;
    }
    return nullptr;
}

Value Renderer::evaluate(const Expr& node) {
    const DepthGuard depth(*this);
    line_ = node.line;
    charge(1);
    switch (node.kind) {
        case ExprKind::kConst:
            return node.value;
        case ExprKind::kCapturedText:
            return captured_;
        case ExprKind::kName:
            return evaluate_name(node);
        case ExprKind::kList:
            return Value::list(evaluate_children(node));
        case ExprKind::kTuple:
            return Value::tuple(evaluate_children(node));
        case ExprKind::kDict:
            return evaluate_dict(node);
        case ExprKind::kAttribute:
            return evaluate_attribute(node);
        case ExprKind::kItem: {
            const std::vector<Value> parts = evaluate_children(node);
            return get_item(*this, parts[0], parts[1]);
        }
        case ExprKind::kSlice:
            return evaluate_slice(node);
        case ExprKind::kCall:
            return evaluate_call(node);
        case ExprKind::kFilter:
        case ExprKind::kTest: {
            const Value input = evaluate(*node.children.front());
            Arguments arguments = evaluate_arguments(node);
            line_ = node.line;
            if (node.kind == ExprKind::kFilter) return apply_filter(*this, node.text, input, std::move(arguments));
            return Value::boolean(apply_test(*this, node.text, input, std::move(arguments)));
        }
        case ExprKind::kNot:
            return Value::boolean(!evaluate(*node.children.front()).truth());
        case ExprKind::kNegative:
        case ExprKind::kPositive:
            return evaluate_sign(node);
        case ExprKind::kAnd:
        case ExprKind::kOr: {
            Value left = evaluate(*node.children[0]);
            if (left.truth() == (node.kind == ExprKind::kOr)) return left;
            return evaluate(*node.children[1]);
        }
        case ExprKind::kCompare:
            return evaluate_compare(node);
        case ExprKind::kBinary: {
            const std::vector<Value> parts = evaluate_children(node);
            return binary(*this, node.text, parts[0], parts[1]);
        }
        case ExprKind::kConcat:
            return evaluate_concat(node);
        case ExprKind::kConditional:
            if (evaluate(*node.children[0]).truth()) return evaluate(*node.children[1]);
            if (node.children.size() > 2) return evaluate(*node.children[2]);
            return Value::undefined("the inline if expression is false and has no else");
        case ExprKind::kNamespaceRef:
            break;
    }
    fail(Code::kInternal, "an assignment target was evaluated");
}

std::vector<Value> Renderer::evaluate_children(const Expr& node) {
    std::vector<Value> out;
    out.reserve(node.children.size());
    for (const ExprPtr& child : node.children) out.push_back(evaluate(*child));
    line_ = node.line;
    return out;
}

Value Renderer::evaluate_name(const Expr& node) {
    if (const Value* value = lookup(node.text)) return *value;
    if (const Function* function = find_global(node.text)) return Value(Value::Data(function));
    if (node.text == "self") fail(Code::kUnsupported, "the variable \"self\", a template's view of itself, is not known");
    return Value::undefined(fmt::format("{} is undefined", quote(node.text)));
}

Value Renderer::evaluate_dict(const Expr& node) {
    Map out;
    for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
        const Value key = evaluate(*node.children[i]);
        if (!hashable(key)) fail(Code::kInvalidArgument, "a {} cannot be a key of a dict", key.type_name());
        charge(out.entries.size() / 8 + key.weight() / 64);
        out.set(key, evaluate(*node.children[i + 1]));
    }
    return Value::map(std::move(out));
}

Value Renderer::evaluate_concat(const Expr& node) {
    std::string out;
    for (const Value& part : evaluate_children(node)) {
        charge_bytes(part.weight());
        out += to_text(part);
    }
    return Value::text(std::move(out));
}

Value Renderer::evaluate_compare(const Expr& node) {
    Value left = evaluate(*node.children[0]);
    for (std::size_t i = 0; i < node.operators.size(); ++i) {
        Value right = evaluate(*node.children[i + 1]);
        line_ = node.line;
        if (!compare(*this, node.operators[i], left, right)) return Value::boolean(false);
        left = std::move(right);
    }
    return Value::boolean(true);
}

Value Renderer::evaluate_sign(const Expr& node) {
    const Value value = evaluate(*node.children.front());
    line_ = node.line;
    if (value.is_undefined()) fail_undefined(value);
    const bool negative = node.kind == ExprKind::kNegative;
    std::int64_t whole = 0;
    if (value.integer_value(whole)) {
        if (negative && whole == INT64_MIN) fail(Code::kInvalidArgument, "an integer beyond 64 bits");
        return Value::integer(negative ? -whole : whole);
    }
    double real = 0;
    if (!value.number_value(real)) fail(Code::kInvalidArgument, "a {} has no sign", value.type_name());
    return Value::real(negative ? -real : real);
}

Value Renderer::evaluate_attribute(const Expr& node) {
    const Value object = evaluate(*node.children.front());
    line_ = node.line;
    if (const auto* loop = object.as<Loop*>()) return loop_attribute(**loop, node.text);
    return get_attribute(*this, object, node.text);
}

Value Renderer::evaluate_slice(const Expr& node) {
    std::vector<Value> parts;
    for (const ExprPtr& child : node.children) parts.push_back(child ? evaluate(*child) : Value::none());
    line_ = node.line;
    return get_slice(*this, parts[0], parts[1], parts[2], parts[3]);
}

Arguments Renderer::evaluate_arguments(const Expr& node) {
    Arguments out;
    for (std::size_t i = 1; i < node.children.size(); ++i) out.positional.push_back(evaluate(*node.children[i]));
    for (const auto& [name, value] : node.named) {
        charge(1 + out.named.size() / 8);
        for (const auto& known : out.named) {
            if (known.first == name) fail(Code::kInvalidArgument, "the argument {} is given twice", quote(name));
        }
        out.named.emplace_back(name, evaluate(*value));
    }
    if (node.rest) {
        const SequencePtr rest = iterate(evaluate(*node.rest));
        charge(rest->items.size());
        out.positional.insert(out.positional.end(), rest->items.begin(), rest->items.end());
    }
    if (node.named_rest) add_named_rest(evaluate(*node.named_rest), out);
    return out;
}

void Renderer::add_named_rest(const Value& rest, Arguments& out) {
    if (rest.mapping() == nullptr) fail(Code::kInvalidArgument, "what follows ** in a call is a dict, not {}", rest.type_name());
    for (const auto& [key, value] : rest.mapping()->entries) {
        const std::string* name = key.string();
        if (name == nullptr) fail(Code::kInvalidArgument, "an argument is named by str, not {}", key.type_name());
        charge(1 + out.named.size() / 8);
        for (const auto& known : out.named) {
            if (known.first == *name) fail(Code::kInvalidArgument, "the argument {} is given twice", quote(*name, 40));
        }
        out.named.emplace_back(*name, value);
    }
}

Value Renderer::evaluate_call(const Expr& node) {
    const Value callee = evaluate(*node.children.front());
    Arguments arguments = evaluate_arguments(node);
    line_ = node.line;
    return call(callee, std::move(arguments));
}

Value Renderer::loop_attribute(Loop& loop, const std::string& name) {
    const auto size = static_cast<std::int64_t>(loop.items->items.size());
    const auto index = static_cast<std::int64_t>(loop.index);
    if (name == "index") return Value::integer(index + 1);
    if (name == "index0") return Value::integer(index);
    if (name == "revindex") return Value::integer(size - index);
    if (name == "revindex0") return Value::integer(size - index - 1);
    if (name == "first") return Value::boolean(index == 0);
    if (name == "last") return Value::boolean(index + 1 == size);
    if (name == "length") return Value::integer(size);
    if (name == "depth") return Value::integer(loop.depth0 + 1);
    if (name == "depth0") return Value::integer(loop.depth0);
    if (name == "previtem") return index > 0 ? loop.items->items[loop.index - 1] : Value::undefined("there is no previous item");
    if (name == "nextitem")
        return index + 1 < size ? loop.items->items[loop.index + 1] : Value::undefined("there is no next item");
    if (name == "cycle" || name == "changed")
        return Value(Value::Data(std::make_shared<const Method>(Method{Value(Value::Data(&loop)), name})));
    return Value::undefined(fmt::format("the loop has no attribute {}", quote(name)));
}

}  // namespace rag::core::jinja
