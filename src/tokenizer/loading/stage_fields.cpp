#include "tokenizer/loading/stage_fields.hpp"

#include <limits>

#include "core/json_reason.hpp"

namespace rag::core {
namespace {

std::string shorten(const Json& value) {
    return quote(value.dump(-1, ' ', true, Json::error_handler_t::replace), 60);
}

}  // namespace

Json parse_tokenizer_json(std::string_view text, const std::string& file) {
    try {
        return Json::parse(text.begin(), text.end());
    } catch (const Json::exception& error) {
        fail(Code::kCorrupt, "{} is not JSON: {}", file, quote(json_reason(error.what()), 160));
    }
}

StageFields::StageFields(const Json& value, std::string where) : value_(value), where_(std::move(where)) {
    if (!value.is_object()) fail(Code::kCorrupt, "{}: expected an object, found {}", where_, shorten(value));
}

void StageFields::wrong(const char* key, std::string_view expected) const {
    const Json* found = find(key);
    fail(Code::kCorrupt, "{}: {} must be {}, found {}", where_, key, expected, found != nullptr ? shorten(*found) : "nothing");
}

const Json* StageFields::find(const char* key) const {
    const auto at = value_.find(key);
    return at == value_.end() || at->is_null() ? nullptr : &*at;
}

const Json& StageFields::required(const char* key) const {
    const Json* found = find(key);
    if (found == nullptr) fail(Code::kCorrupt, "{}: {} is missing", where_, key);
    return *found;
}

bool StageFields::boolean(const char* key, bool otherwise) const {
    const Json* found = find(key);
    if (found == nullptr) return otherwise;
    if (!found->is_boolean()) wrong(key, "true or false");
    return found->get<bool>();
}

std::optional<std::string> StageFields::optional_text(const char* key) const {
    const Json* found = find(key);
    if (found == nullptr) return std::nullopt;
    return checked_text(*found, inside(key));
}

std::string StageFields::text(const char* key, const std::string& otherwise) const {
    return optional_text(key).value_or(otherwise);
}

std::int64_t StageFields::integer(const char* key, std::int64_t otherwise, std::int64_t minimum, std::int64_t maximum) const {
    const Json* found = find(key);
    return found == nullptr ? otherwise : checked_integer(*found, minimum, maximum, inside(key));
}

const Json& StageFields::array(const char* key) const {
    const Json& found = required(key);
    if (!found.is_array()) wrong(key, "an array");
    return found;
}

std::int64_t checked_integer(const Json& value, std::int64_t minimum, std::int64_t maximum, const std::string& where) {
    const bool fits = value.is_number_unsigned()
                          ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
                          : value.is_number_integer();
    const std::int64_t number = fits ? value.get<std::int64_t>() : 0;
    if (!fits || number < minimum || number > maximum) {
        fail(Code::kCorrupt, "{}: expected an integer from {} to {}, found {}", where, minimum, maximum, shorten(value));
    }
    return number;
}

const std::string& checked_text(const Json& value, const std::string& where) {
    if (!value.is_string()) fail(Code::kCorrupt, "{}: expected a string, found {}", where, shorten(value));
    return value.get_ref<const std::string&>();
}

}  // namespace rag::core
