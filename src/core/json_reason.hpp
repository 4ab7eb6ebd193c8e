// What nlohmann's JSON says is wrong, for messages: without the name of its own exception, "[json.exception.parse_error.101] ".
// Pure function.
#pragma once

#include <cstddef>
#include <string_view>

namespace rag::core {

/// Views `message`.
inline std::string_view json_reason(std::string_view message) {
    const std::size_t end = message.starts_with("[json.exception.") ? message.find("] ") : std::string_view::npos;
    return end == std::string_view::npos ? message : message.substr(end + 2);
}

}  // namespace rag::core
