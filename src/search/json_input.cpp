#include "search/json_input.hpp"

#include <string>
#include <unordered_set>
#include <vector>

#include "core/error.hpp"
#include "search/metadata_filter.hpp"

namespace rag::core {
namespace {

/// nlohmann's text without its prefix "[json.exception.parse_error.101] ", cut so that a message stays one short line.
std::string reason(const nlohmann::json::exception& error) {
    const std::string_view text = error.what();
    const auto end = text.find("] ");
    const std::string line = quote(end == std::string_view::npos ? text : text.substr(end + 2), 200);
    return line.substr(1, line.size() - 2);
}

}  // namespace

nlohmann::json parse_argument(std::string_view text, std::string_view what, std::size_t max_bytes) {
    if (text.size() > max_bytes)
        fail(Code::kInvalidArgument, "{} has {} bytes, at most {} are taken", what, text.size(), max_bytes);
    std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
    const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
        using Event = nlohmann::json::parse_event_t;
        if (event == Event::object_start || event == Event::array_start) {
            if (depth >= kMaxJsonNesting)
                fail(Code::kInvalidArgument, "{} is nested deeper than {} levels", what, kMaxJsonNesting);
            keys.resize(static_cast<std::size_t>(depth) + 1);
            keys.back().clear();
        } else if (event == Event::key) {
            keys.resize(static_cast<std::size_t>(depth));
            const auto& key = value.get_ref<const std::string&>();
            if (!keys.back().insert(key).second) fail(Code::kInvalidArgument, "{} has the key {} twice", what, quote(key));
        }
        return true;
    };
    try {
        return nlohmann::json::parse(text.begin(), text.end(), watch);
    } catch (const nlohmann::json::exception& error) {
        fail(Code::kInvalidArgument, "{} is not JSON: {}", what, reason(error));
    }
}

}  // namespace rag::core
