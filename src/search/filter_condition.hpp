// A filter as conditions over fields: what parse_filter makes of its JSON, and what both evaluations walk (metadata_filter.hpp
// over the JSON of one document, document_table.hpp over columns). For search/ alone. Thread rule: immutable once parsed.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "search/metadata_value.hpp"

namespace rag::core {

enum class FilterOperator { kEqual, kGreater, kGreaterEqual, kLess, kLessEqual, kIn, kContains, kExists };

/// A list of values that answers "is this one of them" without walking it.
class ValueSet {
  public:
    explicit ValueSet(const Json& list) {
        for (const auto& value : list) {
            if (value.is_string()) {
                strings_.insert(value.get<std::string>());
            } else if (value.is_number()) {
                numbers_.push_back(number_of(value));
            } else {
                others_.push_back(value);
            }
        }
        std::sort(numbers_.begin(), numbers_.end());
    }
    bool holds(const Json& value) const {
        if (value.is_string()) return strings_.contains(value.get_ref<const std::string&>());
        if (value.is_number()) return std::binary_search(numbers_.begin(), numbers_.end(), number_of(value));
        return std::any_of(others_.begin(), others_.end(), [&](const Json& other) { return values_equal(other, value); });
    }

  private:
    std::unordered_set<std::string> strings_;
    std::vector<long double> numbers_;
    std::vector<Json> others_;
};

struct FilterCondition {
    enum class Kind { kAll, kAny, kNot, kField };
    Kind kind = Kind::kAll;
    std::vector<FilterCondition> parts;  // of kAll, kAny and kNot
    std::string field;
    FilterOperator what = FilterOperator::kEqual;
    Json value;                              // of kIn: the list
    std::shared_ptr<const ValueSet> values;  // of kIn

    /// Of kField: whether the field's value is one that it wants; null: the field is missing.
    bool accepts(const Json* found) const;
};

/// kInvalidArgument: see MetadataFilter.
FilterCondition parse_filter(std::string_view where);

}  // namespace rag::core
