#include "search/metadata_value.hpp"

#include <algorithm>
#include <functional>

#include "core/error.hpp"
#include "search/metadata_filter.hpp"

namespace rag::core {
namespace {

/// True if no place of the text is inside more than kMaxJsonNesting lists and objects.
bool nesting_is_bounded(std::string_view text) {
    const auto opens = [](char c) { return c == '[' || c == '{'; };
    if (std::count_if(text.begin(), text.end(), opens) <= kMaxJsonNesting) return true;
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (opens(c)) {
            if (++depth > kMaxJsonNesting) return false;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return true;
}

std::size_t mix(std::size_t seed, std::size_t value) {
    return seed ^ (value + 0x9e3779b97f4a7c15U + (seed << 6) + (seed >> 2));
}

}  // namespace

Json parse_stored_metadata(std::string_view metadata) {
    const Json json = nesting_is_bounded(metadata) ? Json::parse(metadata.begin(), metadata.end(), nullptr, false) : Json();
    if (!json.is_object()) fail(Code::kCorrupt, "stored metadata is no JSON object: {}", quote(metadata, 80));
    return json;
}

long double number_of(const Json& value) {
    if (value.is_number_unsigned()) return static_cast<long double>(value.get<std::uint64_t>());
    if (value.is_number_integer()) return static_cast<long double>(value.get<std::int64_t>());
    return static_cast<long double>(value.get<double>());
}

bool values_equal(const Json& a, const Json& b) {
    if (a.is_number() && b.is_number()) return number_of(a) == number_of(b);
    if (a.type() != b.type()) return false;
    if (a.is_string()) return a.get_ref<const std::string&>() == b.get_ref<const std::string&>();
    if (a.is_boolean()) return a.get<bool>() == b.get<bool>();
    if (a.is_array()) return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), values_equal);
    if (a.is_object()) {
        if (a.size() != b.size()) return false;
        for (auto left = a.begin(), right = b.begin(); left != a.end(); ++left, ++right) {
            if (left.key() != right.key() || !values_equal(left.value(), right.value())) return false;
        }
    }
    return true;
}

std::size_t hash_of(const Json& value) {
    if (value.is_number()) return std::hash<double>()(static_cast<double>(number_of(value)) + 0.0);
    std::size_t hash = static_cast<std::size_t>(value.type());
    if (value.is_string()) return mix(hash, std::hash<std::string>()(value.get_ref<const std::string&>()));
    if (value.is_boolean()) return mix(hash, value.get<bool>() ? 1 : 0);
    if (value.is_array()) {
        for (const auto& element : value) hash = mix(hash, hash_of(element));
    } else if (value.is_object()) {
        for (const auto& [key, element] : value.items()) hash = mix(mix(hash, std::hash<std::string>()(key)), hash_of(element));
    }
    return hash;
}

const Json* find_field(const Json& metadata, const std::string& field) {
    if (const auto found = metadata.find(field); found != metadata.end()) return &*found;
    const Json* current = &metadata;
    for (std::size_t start = 0; start <= field.size();) {
        const std::size_t dot = std::min(field.find('.', start), field.size());
        if (!current->is_object()) return nullptr;
        const auto found = current->find(field.substr(start, dot - start));
        if (found == current->end()) return nullptr;
        current = &*found;
        start = dot + 1;
    }
    return current;
}

bool value_contains(const Json& value, const Json& part) {
    if (value.is_array())
        return std::any_of(value.begin(), value.end(), [&](const Json& element) { return values_equal(element, part); });
    if (!value.is_string() || !part.is_string()) return false;
    return value.get_ref<const std::string&>().find(part.get_ref<const std::string&>()) != std::string::npos;
}

bool compare_values(const Json& a, const Json& b, int& order) {
    if (a.is_number() && b.is_number()) {
        const long double x = number_of(a);
        const long double y = number_of(b);
        order = x < y ? -1 : (x > y ? 1 : 0);
        return true;
    }
    if (a.is_string() && b.is_string()) {
        order = a.get_ref<const std::string&>().compare(b.get_ref<const std::string&>());
        return true;
    }
    return false;
}

}  // namespace rag::core
