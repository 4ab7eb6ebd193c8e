// What the operators of a filter say of JSON values: equality and order by value, membership, and where a field is. Both ways to
// evaluate a filter, over the JSON of a document and over columns, ask these functions. For search/ alone.
// Thread rule: pure functions. Recursion is bounded, since values come from parsers that bound their nesting.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace rag::core {

using Json = nlohmann::json;

/// kCorrupt: no JSON object, or nested deeper than what librag stores.
Json parse_stored_metadata(std::string_view metadata);

/// Numbers are equal by value (1 and 1.0), everything else by type and content.
bool values_equal(const Json& a, const Json& b);
/// Equal values have equal hashes.
std::size_t hash_of(const Json& value);
/// A list that has the element, or a string that has the string in it.
bool value_contains(const Json& value, const Json& part);
/// `order`: less than 0, 0, more than 0. False: the values have no common order.
bool compare_values(const Json& a, const Json& b, int& order);
/// The member `field`, or what a dotted path leads to; null: neither.
const Json* find_field(const Json& metadata, const std::string& field);
/// Exactly: the 64-bit mantissa of long double (or more) holds every int64, uint64 and double.
long double number_of(const Json& value);

}  // namespace rag::core
