#include "tokenizer/chat_template/first_sets.hpp"

#include <map>

namespace rag::core::jinja {
namespace {

class Visitor {
  public:
    std::map<std::string, bool> is_set_first;  // of every name, by what is met first

    void visit(const Body& body) {
        for (const StmtPtr& node : body) visit(*node);
    }

  private:
    void read(const std::string& name) { is_set_first.emplace(name, false); }
    // A set that an `if` decides on finds the caller's variable before, as a read does.
    void set(const std::string& name) { is_set_first.emplace(name, conditions_ == 0); }

    void visit(const Stmt& node) {
        switch (node.kind) {
            case StmtKind::kIf:
                for (const Branch& branch : node.branches) {
                    visit(branch.condition.get());
                    ++conditions_;
                    visit(branch.body);
                    --conditions_;
                }
                return;
            case StmtKind::kMacro:
                return set(node.text);
            case StmtKind::kWith:
                for (const auto& assignment : node.assignments) visit(assignment.second.get());
                return;
            case StmtKind::kSetBlock:
                return visit_target(*node.target);
            case StmtKind::kSet:
                visit(node.expr.get());
                return visit_target(*node.target);
            default:  // the bodies of all others have names of their own
                return visit(node.expr.get());
        }
    }

    void visit_target(const Expr& target) {
        if (target.kind == ExprKind::kName) return set(target.text);
        if (target.kind == ExprKind::kNamespaceRef) return read(target.text);
        for (const ExprPtr& child : target.children) visit_target(*child);
    }

    void visit(const Expr* node) {
        if (node == nullptr) return;
        if (node->kind == ExprKind::kName) return read(node->text);
        for (const ExprPtr& child : node->children) visit(child.get());
        for (const auto& argument : node->named) visit(argument.second.get());
        visit(node->rest.get());
        visit(node->named_rest.get());
    }

    int conditions_ = 0;
};

}  // namespace

std::vector<std::string> names_set_first(const Body& body) {
    Visitor visitor;
    visitor.visit(body);
    std::vector<std::string> out;
    for (const auto& [name, first] : visitor.is_set_first) {
        if (first) out.push_back(name);
    }
    return out;
}

}  // namespace rag::core::jinja
