// Strict JSON from a caller, for search/ alone: bounded size and nesting, no key twice. (formats/ has its own for model files,
// whose failures are kCorrupt; this text is an argument.)
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace rag::core {

/// Throws kInvalidArgument that begins with `what` and says what is wrong and at which byte.
nlohmann::json parse_argument(std::string_view text, std::string_view what, std::size_t max_bytes);

}  // namespace rag::core
