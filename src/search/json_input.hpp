// Strict JSON from a caller, for search/ and exchange/: bounded size and nesting, no key twice, no integer that would be rounded.
// (formats/ has its own for model files, whose failures are kCorrupt; this text is an argument.)
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "search/metadata_filter.hpp"

namespace rag::core {

/// Throws kInvalidArgument that begins with `what` and says what is wrong and at which byte.
nlohmann::json parse_argument(std::string_view text, std::string_view what, std::size_t max_bytes,
                              int max_nesting = kMaxJsonNesting);

}  // namespace rag::core
