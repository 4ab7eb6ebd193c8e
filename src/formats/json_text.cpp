#include "formats/json_text.hpp"

#include <cmath>
#include <unordered_set>
#include <vector>

#include "core/error.hpp"
#include "core/mapped_file.hpp"

namespace rag::core {

nlohmann::json parse_json(std::string_view text, std::string_view file) {
    using Event = nlohmann::json::parse_event_t;
    std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
    const auto check = [&](int depth, Event event, nlohmann::json& value) {
        if (depth > kMaxJsonDepth) fail(Code::kCorrupt, "{}: JSON nested deeper than {}", quote(file, 400), kMaxJsonDepth);
        if (event == Event::object_start) keys.emplace_back();
        if (event == Event::object_end) keys.pop_back();
        if (event == Event::key && !keys.back().insert(value.get_ref<const std::string&>()).second)
            fail(Code::kCorrupt, "{}: the key {} occurs twice in one JSON object", quote(file, 400),
                 quote(value.get<std::string>()));
        return true;
    };
    try {
        return nlohmann::json::parse(text.begin(), text.end(), check);
    } catch (const nlohmann::json::parse_error& error) {
        fail(Code::kCorrupt, "{}: not valid JSON at byte {} of {}", quote(file, 400), error.byte, text.size());
    } catch (const nlohmann::json::exception& error) {
        fail(Code::kCorrupt, "{}: not valid JSON: {}", quote(file, 400), quote(error.what()));
    }
}

nlohmann::json read_json_object(const std::string& path, std::size_t limit) {
    nlohmann::json json = parse_json(read_text_file(path, limit), path);
    if (!json.is_object()) fail(Code::kCorrupt, "{}: a JSON object is expected, found {}", quote(path, 400), json.type_name());
    return json;
}

const nlohmann::json* JsonFields::find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void JsonFields::wrong(const char* key, std::string_view expected, const nlohmann::json& found) const {
    // replace: the text of an untrusted string may be anything, and dump() must not throw over it.
    const std::string shown = found.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    fail(Code::kCorrupt, "{}: {} is expected to be {}, found {}", quote(file_, 400), key, expected, quote(shown));
}

std::optional<std::int64_t> JsonFields::integer(const char* key, std::int64_t minimum, std::int64_t maximum) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    const std::string expected = fmt::format("an integer from {} to {}", minimum, maximum);
    if (!value->is_number_integer()) wrong(key, expected, *value);
    if (value->is_number_unsigned() &&
        value->get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        wrong(key, expected, *value);
    const auto integer = value->get<std::int64_t>();
    if (integer < minimum || integer > maximum) wrong(key, expected, *value);
    return integer;
}

std::optional<double> JsonFields::number(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number() || !std::isfinite(value->get<double>())) wrong(key, "a number", *value);
    return value->get<double>();
}

std::optional<bool> JsonFields::boolean(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) wrong(key, "true or false", *value);
    return value->get<bool>();
}

std::optional<std::string> JsonFields::text(const char* key) const {
    const nlohmann::json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) wrong(key, "a string", *value);
    return value->get<std::string>();
}

std::int64_t JsonFields::required_integer(const char* key, std::int64_t minimum, std::int64_t maximum) const {
    const auto value = integer(key, minimum, maximum);
    if (!value) fail(Code::kCorrupt, "{}: {} is missing", quote(file_, 400), key);
    return *value;
}

std::string JsonFields::required_text(const char* key) const {
    auto value = text(key);
    if (!value) fail(Code::kCorrupt, "{}: {} is missing", quote(file_, 400), key);
    return *value;
}

}  // namespace rag::core
