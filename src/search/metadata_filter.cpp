#include "search/metadata_filter.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <vector>

#include "core/error.hpp"
#include "search/json_input.hpp"

namespace rag::core {
namespace {

using Json = nlohmann::json;

enum class Operator { kEqual, kGreater, kGreaterEqual, kLess, kLessEqual, kIn, kContains, kExists };

/// The 64-bit mantissa of long double (or more) holds every int64, uint64 and double exactly.
long double number_of(const Json& value) {
    if (value.is_number_unsigned()) return static_cast<long double>(value.get<std::uint64_t>());
    if (value.is_number_integer()) return static_cast<long double>(value.get<std::int64_t>());
    return static_cast<long double>(value.get<double>());
}

/// Recursion is as deep as the shallower value, and a filter's values are bounded by kMaxJsonNesting.
bool equal(const Json& a, const Json& b) {
    if (a.is_number() && b.is_number()) return number_of(a) == number_of(b);
    if (a.type() != b.type()) return false;
    if (a.is_string()) return a.get_ref<const std::string&>() == b.get_ref<const std::string&>();
    if (a.is_boolean()) return a.get<bool>() == b.get<bool>();
    if (a.is_array()) return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), equal);
    if (a.is_object()) {
        if (a.size() != b.size()) return false;
        for (auto left = a.begin(), right = b.begin(); left != a.end(); ++left, ++right) {
            if (left.key() != right.key() || !equal(left.value(), right.value())) return false;
        }
    }
    return true;
}

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
        return std::any_of(others_.begin(), others_.end(), [&](const Json& other) { return equal(other, value); });
    }

  private:
    std::unordered_set<std::string> strings_;
    std::vector<long double> numbers_;
    std::vector<Json> others_;
};

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

bool contains(const Json& value, const Json& part) {
    if (value.is_array())
        return std::any_of(value.begin(), value.end(), [&](const Json& element) { return equal(element, part); });
    if (!value.is_string() || !part.is_string()) return false;
    return value.get_ref<const std::string&>().find(part.get_ref<const std::string&>()) != std::string::npos;
}

/// Less than 0, 0, more than 0; false when the values have no common order.
bool compare(const Json& a, const Json& b, int& order) {
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

}  // namespace

struct MetadataFilter::Condition {
    enum class Kind { kAll, kAny, kNot, kField };
    Kind kind = Kind::kAll;
    std::vector<Condition> parts;  // of kAll, kAny and kNot
    std::string field;
    Operator what = Operator::kEqual;
    Json value;
    std::shared_ptr<const ValueSet> values;  // of kIn

    bool holds(const Json& metadata) const {
        const auto part_holds = [&](const Condition& part) { return part.holds(metadata); };
        switch (kind) {
            case Kind::kAll:
                return std::all_of(parts.begin(), parts.end(), part_holds);
            case Kind::kAny:
                return std::any_of(parts.begin(), parts.end(), part_holds);
            case Kind::kNot:
                return !parts.front().holds(metadata);
            case Kind::kField:
                break;
        }
        return field_holds(find_field(metadata, field));
    }

  private:
    bool field_holds(const Json* found) const {
        if (what == Operator::kExists) return (found != nullptr) == value.get<bool>();
        if (found == nullptr) return false;
        int order = 0;
        switch (what) {
            case Operator::kEqual:
                return equal(*found, value);
            case Operator::kIn:
                return values->holds(*found);
            case Operator::kContains:
                return contains(*found, value);
            case Operator::kGreater:
                return compare(*found, value, order) && order > 0;
            case Operator::kGreaterEqual:
                return compare(*found, value, order) && order >= 0;
            case Operator::kLess:
                return compare(*found, value, order) && order < 0;
            case Operator::kLessEqual:
                return compare(*found, value, order) && order <= 0;
            case Operator::kExists:
                break;
        }
        return false;
    }

  public:
    /// Turns the parsed JSON into conditions; counts them, so that a filter cannot be made to cost without bound.
    class Compiler {
      public:
        Condition filter(const Json& json) {
            if (!json.is_object())
                fail(Code::kInvalidArgument, "where: a filter is a JSON object, not {}", quote(json.dump(), 60));
            Condition all;
            for (const auto& [key, value] : json.items()) all.parts.push_back(member(key, value));
            return count(std::move(all));
        }

      private:
        Condition count(Condition condition) {
            if (++conditions_ > kMaxFilterConditions)
                fail(Code::kInvalidArgument, "where: more than {} conditions", kMaxFilterConditions);
            return condition;
        }

        Condition member(const std::string& key, const Json& value) {
            if (!key.starts_with('$')) return field(key, value);
            if (key == "$not") return negate(filter(value));
            if (key != "$and" && key != "$or")
                fail(Code::kInvalidArgument, "where: unknown operator {}; outside a field there are $and $or $not", quote(key));
            if (!value.is_array() || value.empty())
                fail(Code::kInvalidArgument, "where: {} takes a list of filters, not {}", key, quote(value.dump(), 60));
            Condition list;
            list.kind = key == "$and" ? Kind::kAll : Kind::kAny;
            for (const auto& part : value) list.parts.push_back(filter(part));
            return count(std::move(list));
        }

        Condition field(const std::string& name, const Json& value) {
            const auto is_operator = [](const auto& item) { return item.key().starts_with('$'); };
            if (!value.is_object()) return test(name, Operator::kEqual, value);
            const auto items = value.items();
            const auto operators = std::count_if(items.begin(), items.end(), is_operator);
            if (operators == 0) return test(name, Operator::kEqual, value);
            Condition all;
            for (const auto& [key, operand] : items) all.parts.push_back(condition(name, key, operand));
            return count(std::move(all));
        }

        Condition condition(const std::string& name, const std::string& key, const Json& operand) {
            static const std::array<std::pair<std::string_view, Operator>, 8> kPositive = {{{"$eq", Operator::kEqual},
                                                                                            {"$gt", Operator::kGreater},
                                                                                            {"$gte", Operator::kGreaterEqual},
                                                                                            {"$lt", Operator::kLess},
                                                                                            {"$lte", Operator::kLessEqual},
                                                                                            {"$in", Operator::kIn},
                                                                                            {"$contains", Operator::kContains},
                                                                                            {"$exists", Operator::kExists}}};
            for (const auto& [text, what] : kPositive) {
                if (key == text) return test(name, what, operand, key);
            }
            if (key == "$ne") return negate(test(name, Operator::kEqual, operand, key));
            if (key == "$nin") return negate(test(name, Operator::kIn, operand, key));
            if (key == "$not") {
                if (!operand.is_object() || operand.empty())
                    fail(Code::kInvalidArgument, "where: $not of {} takes conditions such as {{\"$gt\": 1}}, not {}", quote(name),
                         quote(operand.dump(), 60));
                return negate(field(name, operand));
            }
            fail(Code::kInvalidArgument,
                 "where: unknown operator {} of {}; there are $eq $ne $gt $gte $lt $lte $in $nin $not $exists $contains",
                 quote(key), quote(name));
        }

        Condition negate(Condition inner) {
            Condition outer;
            outer.kind = Kind::kNot;
            outer.parts.push_back(std::move(inner));
            return count(std::move(outer));
        }

        Condition test(const std::string& name, Operator what, const Json& operand, std::string_view key = "$eq") {
            const auto require = [&](bool good, std::string_view wanted) {
                if (good) return;
                fail(Code::kInvalidArgument, "where: {} of {} takes {}, not {}", key, quote(name), wanted,
                     quote(operand.dump(), 60));
            };
            switch (what) {
                case Operator::kEqual:
                    break;
                case Operator::kIn:
                    require(operand.is_array(), "a list");
                    break;
                case Operator::kExists:
                    require(operand.is_boolean(), "true or false");
                    break;
                case Operator::kContains:
                    require(!operand.is_structured(), "a string, a number, true, false or null");
                    break;
                default:
                    require(operand.is_number() || operand.is_string(), "a number or a string");
            }
            Condition condition;
            condition.kind = Kind::kField;
            condition.field = name;
            condition.what = what;
            if (what == Operator::kIn) {
                condition.values = std::make_shared<const ValueSet>(operand);
            } else {
                condition.value = operand;
            }
            return count(std::move(condition));
        }

        std::size_t conditions_ = 0;
    };
};

MetadataFilter::MetadataFilter(std::string_view where) {
    const Json json = parse_argument(where, "where", kMaxFilterBytes);
    root_ = std::make_unique<const Condition>(Condition::Compiler().filter(json));
}

MetadataFilter::~MetadataFilter() = default;

bool MetadataFilter::accepts_all() const noexcept {
    return root_->parts.empty();
}

bool MetadataFilter::matches(std::string_view metadata) const {
    const Json json = Json::parse(metadata.begin(), metadata.end(), nullptr, false);
    if (!json.is_object()) fail(Code::kCorrupt, "stored metadata is no JSON object: {}", quote(metadata, 80));
    return root_->holds(json);
}

std::string normalize_metadata(std::string_view json, std::string_view what) {
    if (json.empty()) return "{}";
    const Json value = parse_argument(json, what, kMaxMetadataBytes);
    if (!value.is_object()) fail(Code::kInvalidArgument, "{} is no JSON object: {}", what, quote(json, 60));
    return value.dump();
}

}  // namespace rag::core
