// JSON of untrusted files for training data: members keep their order, because chat templates write them out. Pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "core/error.hpp"

namespace rag::core {

using JsonValue = nlohmann::ordered_json;

inline constexpr int kMaxRowDepth = 64;  // of nested lists and objects; what walks through a value recurses

/// Nothing if `text` is no JSON; kInvalidArgument if it nests deeper than kMaxRowDepth. `text` is UTF-8 (else it is no JSON).
inline std::optional<JsonValue> parse_value(std::string_view text) {
    bool deep = false;
    const auto check = [&deep](int depth, JsonValue::parse_event_t, JsonValue&) {
        deep = deep || depth > kMaxRowDepth;
        return !deep;
    };
    JsonValue value = JsonValue::parse(text.begin(), text.end(), check, false);
    if (deep) fail(Code::kInvalidArgument, "JSON nested deeper than {}", kMaxRowDepth);
    if (value.is_discarded()) return std::nullopt;
    return value;
}

}  // namespace rag::core
