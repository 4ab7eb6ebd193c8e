// Which names a template sets before it reads them: to jinja2 these are the template's own from its start, so that blocks inside
// it, which may stand before the set, see nothing of a variable of that name that the caller passed. By jinja2/idtracking.py 3.1.
// Pure function on the parsed template.
#pragma once

#include <string>
#include <vector>

#include "tokenizer/chat_template/ast.hpp"

namespace rag::core::jinja {

/// In no order. Only what stands outside of loops, macros and other blocks with names of their own counts.
std::vector<std::string> names_set_first(const Body& body);

}  // namespace rag::core::jinja
