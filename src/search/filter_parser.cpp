// Turns the JSON of a filter into conditions, refusing by name what is none.
#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "search/filter_condition.hpp"
#include "search/json_input.hpp"
#include "search/metadata_filter.hpp"

namespace rag::core {
namespace {

/// Turns the parsed JSON into conditions; counts them, so that a filter cannot be made to cost without bound.
class FilterParser {
  public:
    FilterCondition filter(const Json& json) {
        if (!json.is_object()) fail(Code::kInvalidArgument, "where: a filter is a JSON object, not {}", quote(json.dump(), 60));
        FilterCondition all;
        for (const auto& [key, value] : json.items()) all.parts.push_back(member(key, value));
        return count(std::move(all));
    }

  private:
    FilterCondition count(FilterCondition condition) {
        if (++conditions_ > kMaxFilterConditions)
            fail(Code::kInvalidArgument, "where: more than {} conditions", kMaxFilterConditions);
        return condition;
    }

    FilterCondition member(const std::string& key, const Json& value) {
        if (!key.starts_with('$')) return field(key, value);
        if (key == "$not") return negate(filter(value));
        if (key != "$and" && key != "$or")
            fail(Code::kInvalidArgument, "where: unknown operator {}; outside a field there are $and $or $not", quote(key));
        if (!value.is_array() || value.empty())
            fail(Code::kInvalidArgument, "where: {} takes a list of filters, not {}", key, quote(value.dump(), 60));
        FilterCondition list;
        list.kind = key == "$and" ? FilterCondition::Kind::kAll : FilterCondition::Kind::kAny;
        for (const auto& part : value) list.parts.push_back(filter(part));
        return count(std::move(list));
    }

    FilterCondition field(const std::string& name, const Json& value) {
        const auto is_operator = [](const auto& item) { return item.key().starts_with('$'); };
        if (!value.is_object()) return test(name, FilterOperator::kEqual, value);
        const auto items = value.items();
        const auto operators = std::count_if(items.begin(), items.end(), is_operator);
        if (operators == 0) return test(name, FilterOperator::kEqual, value);
        FilterCondition all;
        for (const auto& [key, operand] : items) all.parts.push_back(condition(name, key, operand));
        return count(std::move(all));
    }

    FilterCondition condition(const std::string& name, const std::string& key, const Json& operand) {
        static const std::array<std::pair<std::string_view, FilterOperator>, 8> kPositive = {
            {{"$eq", FilterOperator::kEqual},
             {"$gt", FilterOperator::kGreater},
             {"$gte", FilterOperator::kGreaterEqual},
             {"$lt", FilterOperator::kLess},
             {"$lte", FilterOperator::kLessEqual},
             {"$in", FilterOperator::kIn},
             {"$contains", FilterOperator::kContains},
             {"$exists", FilterOperator::kExists}}};
        for (const auto& [text, what] : kPositive) {
            if (key == text) return test(name, what, operand, key);
        }
        if (key == "$ne") return negate(test(name, FilterOperator::kEqual, operand, key));
        if (key == "$nin") return negate(test(name, FilterOperator::kIn, operand, key));
        if (key == "$not") {
            if (!operand.is_object() || operand.empty())
                fail(Code::kInvalidArgument, "where: $not of {} takes conditions such as {{\"$gt\": 1}}, not {}", quote(name),
                     quote(operand.dump(), 60));
            return negate(field(name, operand));
        }
        fail(Code::kInvalidArgument,
             "where: unknown operator {} of {}; there are $eq $ne $gt $gte $lt $lte $in $nin $not $exists $contains", quote(key),
             quote(name));
    }

    FilterCondition negate(FilterCondition inner) {
        FilterCondition outer;
        outer.kind = FilterCondition::Kind::kNot;
        outer.parts.push_back(std::move(inner));
        return count(std::move(outer));
    }

    FilterCondition test(const std::string& name, FilterOperator what, const Json& operand, std::string_view key = "$eq") {
        const auto require = [&](bool good, std::string_view wanted) {
            if (good) return;
            fail(Code::kInvalidArgument, "where: {} of {} takes {}, not {}", key, quote(name), wanted, quote(operand.dump(), 60));
        };
        switch (what) {
            case FilterOperator::kEqual:
                break;
            case FilterOperator::kIn:
                require(operand.is_array(), "a list");
                break;
            case FilterOperator::kExists:
                require(operand.is_boolean(), "true or false");
                break;
            case FilterOperator::kContains:
                require(!operand.is_structured(), "a string, a number, true, false or null");
                break;
            default:
                require(operand.is_number() || operand.is_string(), "a number or a string");
        }
        FilterCondition condition;
        condition.kind = FilterCondition::Kind::kField;
        condition.field = name;
        condition.what = what;
        condition.value = operand;
        if (what == FilterOperator::kIn) condition.values = std::make_shared<const ValueSet>(operand);
        return count(std::move(condition));
    }

    std::size_t conditions_ = 0;
};

}  // namespace

FilterCondition parse_filter(std::string_view where) {
    return FilterParser().filter(parse_argument(where, "where", kMaxFilterBytes));
}

}  // namespace rag::core
