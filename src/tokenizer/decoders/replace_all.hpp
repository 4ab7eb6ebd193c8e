// Replacing every occurrence of a text by another, left to right. Pure function.
#pragma once

#include <string>
#include <string_view>

namespace rag::core {

/// An empty `from` stands before and behind every character, as in Rust's str::replace.
void replace_all(std::string& text, std::string_view from, std::string_view to);

}  // namespace rag::core
