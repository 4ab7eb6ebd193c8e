#include "search/json_input.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/error.hpp"
#include "core/json_reason.hpp"

namespace rag::core {
namespace {

/// nlohmann's text without its prefix "[json.exception.parse_error.101] ", cut so that a message stays one short line.
std::string reason(const nlohmann::json::exception& error) {
    const std::string line = quote(json_reason(error.what()), 200);
    return line.substr(1, line.size() - 2);
}

/// The first integer of a well-formed JSON text that neither int64 nor uint64 holds; empty: there is none. The parser would make
/// the nearest double of it, another number, in silence.
std::string_view find_wide_integer(std::string_view text) {
    bool in_string = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (in_string) {
            if (c == '\\') ++at;
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        if (c != '-' && (c < '0' || c > '9')) continue;
        const std::size_t stop = std::min(text.find_first_not_of("0123456789+-.eE", at), text.size());
        const std::string_view number = text.substr(at, stop - at);
        at = stop - 1;
        if (number.size() < 19 || number.find_first_of(".eE") != std::string_view::npos) continue;
        std::int64_t negative = 0;
        std::uint64_t positive = 0;
        const auto result = c == '-' ? std::from_chars(number.data(), number.data() + number.size(), negative)
                                     : std::from_chars(number.data(), number.data() + number.size(), positive);
        if (result.ec != std::errc{}) return number;
    }
    return {};
}

}  // namespace

nlohmann::json parse_argument(std::string_view text, std::string_view what, std::size_t max_bytes, int max_nesting) {
    if (text.size() > max_bytes)
        fail(Code::kInvalidArgument, "{} has {} bytes, at most {} are taken", what, text.size(), max_bytes);
    std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
    const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
        using Event = nlohmann::json::parse_event_t;
        if (event == Event::object_start || event == Event::array_start) {
            if (depth >= max_nesting) fail(Code::kInvalidArgument, "{} is nested deeper than {} levels", what, max_nesting);
            keys.resize(static_cast<std::size_t>(depth) + 1);
            keys.back().clear();
        } else if (event == Event::key) {
            keys.resize(static_cast<std::size_t>(depth));
            const auto& key = value.get_ref<const std::string&>();
            if (!keys.back().insert(key).second) fail(Code::kInvalidArgument, "{} has the key {} twice", what, quote(key));
        }
        return true;
    };
    nlohmann::json value;
    try {
        value = nlohmann::json::parse(text.begin(), text.end(), watch);
    } catch (const nlohmann::json::exception& error) {
        fail(Code::kInvalidArgument, "{} is not JSON: {}", what, reason(error));
    }
    if (const auto number = find_wide_integer(text); !number.empty()) {
        fail(Code::kInvalidArgument, "{} has the integer {}, which is wider than 64 bits: give it as a string", what,
             quote(number, 60));
    }
    return value;
}

}  // namespace rag::core
