#include "search/metadata_filter.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "search/filter_condition.hpp"
#include "search/json_input.hpp"

namespace rag::core {
namespace {

bool holds(const FilterCondition& condition, const Json& metadata) {
    const auto part_holds = [&](const FilterCondition& part) { return holds(part, metadata); };
    switch (condition.kind) {
        case FilterCondition::Kind::kAll:
            return std::all_of(condition.parts.begin(), condition.parts.end(), part_holds);
        case FilterCondition::Kind::kAny:
            return std::any_of(condition.parts.begin(), condition.parts.end(), part_holds);
        case FilterCondition::Kind::kNot:
            return !part_holds(condition.parts.front());
        case FilterCondition::Kind::kField:
            break;
    }
    return condition.accepts(find_field(metadata, condition.field));
}

}  // namespace

bool FilterCondition::accepts(const Json* found) const {
    if (what == FilterOperator::kExists) return (found != nullptr) == value.get<bool>();
    if (found == nullptr) return false;
    int order = 0;
    switch (what) {
        case FilterOperator::kEqual:
            return values_equal(*found, value);
        case FilterOperator::kIn:
            return values->holds(*found);
        case FilterOperator::kContains:
            return value_contains(*found, value);
        case FilterOperator::kGreater:
            return compare_values(*found, value, order) && order > 0;
        case FilterOperator::kGreaterEqual:
            return compare_values(*found, value, order) && order >= 0;
        case FilterOperator::kLess:
            return compare_values(*found, value, order) && order < 0;
        case FilterOperator::kLessEqual:
            return compare_values(*found, value, order) && order <= 0;
        case FilterOperator::kExists:
            break;
    }
    return false;
}

MetadataFilter::MetadataFilter(std::string_view where) : root_(std::make_unique<const FilterCondition>(parse_filter(where))) {}

MetadataFilter::~MetadataFilter() = default;

bool MetadataFilter::accepts_all() const noexcept {
    return root_->parts.empty();
}

bool MetadataFilter::matches(std::string_view metadata) const {
    return holds(*root_, parse_stored_metadata(metadata));
}

std::string normalize_metadata(std::string_view json, std::string_view what) {
    if (json.empty()) return "{}";
    const Json value = parse_argument(json, what, kMaxMetadataBytes);
    if (!value.is_object()) fail(Code::kInvalidArgument, "{} is no JSON object: {}", what, quote(json, 60));
    return value.dump();
}

}  // namespace rag::core
