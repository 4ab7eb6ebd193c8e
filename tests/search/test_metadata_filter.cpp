// The where filter: each operator against a table, and against a slow twin that knows nothing of the compiler.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>

#include "core/error.hpp"
#include "random_filter.hpp"
#include "search/metadata_filter.hpp"

using namespace rag::core;
using rag::test::RandomFilter;
using Json = nlohmann::json;

namespace {

bool matches(const std::string& where, const std::string& metadata) {
    return MetadataFilter(where).matches(metadata);
}

std::string refusal(const std::string& where) {
    try {
        const MetadataFilter filter(where);
    } catch (const Error& error) {
        CHECK(error.code() == Code::kInvalidArgument);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("operators hold where they should") {
    const std::string doc =
        R"({"lang":"en","year":2021,"score":1.5,"tags":["a","b",3],"draft":false,"none":null,"author":{"name":"Ann","age":30},)"
        R"("a.b":"dotted","big":9007199254740993,"city":"\u5317\u4eac\u5e02"})";
    struct Row {
        const char* where;
        bool expected;
    };
    const std::vector<Row> rows = {
        {R"({})", true},
        {R"({"lang":"en"})", true},
        {R"({"lang":"de"})", false},
        {R"({"lang":"en","year":2022})", false},
        {R"({"missing":"en"})", false},
        {R"({"year":{"$eq":2021.0}})", true},
        {R"({"year":"2021"})", false},
        {R"({"year":{"$gte":2021,"$lt":2022}})", true},
        {R"({"year":{"$gt":2021}})", false},
        {R"({"year":{"$lte":2020.5}})", false},
        {R"({"year":{"$lte":2021.5}})", true},
        {R"({"year":{"$gt":"2020"}})", false},
        {R"({"missing":{"$lt":1}})", false},
        {R"({"lang":{"$gte":"en"}})", true},
        {R"({"lang":{"$lt":"eo"}})", true},
        {R"({"lang":{"$ne":"de"}})", true},
        {R"({"lang":{"$ne":"en"}})", false},
        {R"({"missing":{"$ne":"en"}})", true},
        {R"({"lang":{"$in":["de","en"]}})", true},
        {R"({"year":{"$in":[1,2021.0,"x",null]}})", true},
        {R"({"none":{"$in":[1,null]}})", true},
        {R"({"lang":{"$in":[]}})", false},
        {R"({"lang":{"$nin":["de"]}})", true},
        {R"({"lang":{"$nin":["en"]}})", false},
        {R"({"missing":{"$nin":["en"]}})", true},
        {R"({"tags":{"$contains":"a"}})", true},
        {R"({"tags":{"$contains":3.0}})", true},
        {R"({"tags":{"$contains":"c"}})", false},
        {R"({"tags":["a","b",3]})", true},
        {R"({"tags":["a","b"]})", false},
        {R"({"tags":"a"})", false},
        {R"({"city":{"$contains":"\u5317\u4eac"}})", true},
        {R"({"lang":{"$contains":"n"}})", true},
        {R"({"year":{"$contains":2021}})", false},
        {R"({"draft":false})", true},
        {R"({"draft":0})", false},
        {R"({"none":null})", true},
        {R"({"missing":null})", false},
        {R"({"none":{"$exists":true}})", true},
        {R"({"missing":{"$exists":true}})", false},
        {R"({"missing":{"$exists":false}})", true},
        {R"({"author.name":"Ann"})", true},
        {R"({"author.age":{"$lt":31}})", true},
        {R"({"author.nobody":{"$exists":true}})", false},
        {R"({"lang.x":{"$exists":true}})", false},
        {R"({"author":{"age":30,"name":"Ann"}})", true},
        {R"({"author":{"name":"Ann"}})", false},
        {R"({"a.b":"dotted"})", true},
        {R"({"big":9007199254740993})", true},
        {R"({"big":9007199254740992})", false},
        {R"({"big":9007199254740992.0})", false},
        {R"({"big":{"$gt":9007199254740992}})", true},
        {R"({"$or":[{"lang":"de"},{"year":2021}]})", true},
        {R"({"$or":[{"lang":"de"},{"year":2020}]})", false},
        {R"({"$and":[{"lang":"en"},{"year":2021}]})", true},
        {R"({"$and":[{"lang":"en"},{"year":2020}]})", false},
        {R"({"$not":{"lang":"en"}})", false},
        {R"({"year":{"$not":{"$gt":2030}}})", true},
        {R"({"missing":{"$not":{"$gt":2030}}})", true},
        {R"({"lang":"en","$or":[{"year":{"$lt":2000}},{"$not":{"$and":[{"draft":true}]}}]})", true},
    };
    for (const auto& row : rows) {
        INFO(row.where);
        CHECK(matches(row.where, doc) == row.expected);
    }
    CHECK(MetadataFilter("{}").accepts_all());
    CHECK_FALSE(MetadataFilter(R"({"a":1})").accepts_all());
}

TEST_CASE("what is no filter is refused by name") {
    using Catch::Contains;
    CHECK_THAT(refusal(R"({"year":{"$near":3}})"), Contains("$near") && Contains("year") && Contains("$gte"));
    CHECK_THAT(refusal(R"({"$nor":[{}]})"), Contains("$nor"));
    CHECK_THAT(refusal(R"({"year":{"$gt":3,"other":1}})"), Contains("other"));
    CHECK_THAT(refusal(R"({"year":{"$gt":null}})"), Contains("$gt") && Contains("year") && Contains("null"));
    CHECK_THAT(refusal(R"({"year":{"$in":3}})"), Contains("$in") && Contains("a list"));
    CHECK_THAT(refusal(R"({"year":{"$exists":1}})"), Contains("$exists") && Contains("true or false"));
    CHECK_THAT(refusal(R"({"year":{"$contains":[1]}})"), Contains("$contains"));
    CHECK_THAT(refusal(R"({"year":{"$not":3}})"), Contains("$not"));
    CHECK_THAT(refusal(R"({"$and":[]})"), Contains("$and"));
    CHECK_THAT(refusal(R"({"$or":{"a":1}})"), Contains("$or"));
    CHECK_THAT(refusal(R"({"$or":[3]})"), Contains("filter"));
    CHECK_THAT(refusal(R"([1])"), Contains("JSON object"));
    CHECK_THAT(refusal(""), Contains("not JSON"));
    CHECK_THAT(refusal(R"({"a":1} x)"), Contains("not JSON"));
    CHECK_THAT(refusal(R"({"a":1,"a":2})"), Contains("\"a\" twice"));
    CHECK_THAT(refusal(R"({"a":{"$gt":1,"$gt":2}})"), Contains("$gt") && Contains("twice"));
    CHECK_THAT(refusal("{\"a\":\"\xff\"}"), Contains("not JSON"));
    CHECK_THAT(refusal(R"({"a":1e999})"), Contains("not JSON"));
    CHECK_THAT(refusal(std::string(100, '[') + std::string(100, ']')), Contains("deeper than 32"));
    CHECK_THAT(refusal(std::string(500000, '[')), Contains("deeper than 32"));
    CHECK_THAT(refusal("{\"a\":\"" + std::string(kMaxFilterBytes, 'x') + "\"}"), Contains("at most 1048576"));
    std::string wide = R"({"$or":[{"a":1})";
    for (int i = 0; i < 20000; ++i) wide += R"(,{"a":1})";
    CHECK_THAT(refusal(wide + "]}"), Contains("more than 10000"));
    CHECK_THROWS_AS(matches("{\"a\":1}", "[]"), Error);
    CHECK_THROWS_AS(matches("{\"a\":1}", "{"), Error);
}

TEST_CASE("metadata is checked and brought into one form") {
    CHECK(normalize_metadata("", "m") == "{}");
    CHECK(normalize_metadata(" { \"b\" : 1 , \"a\" : [ ] } ", "m") == R"({"a":[],"b":1})");
    CHECK(normalize_metadata(R"({"big":18446744073709551615,"small":-9223372036854775808})", "m") ==
          R"({"big":18446744073709551615,"small":-9223372036854775808})");
    using Catch::Contains;
    // Another number would be stored than was given.
    for (const char* wide : {"18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"}) {
        CHECK_THROWS_WITH(normalize_metadata(std::string("{\"a\":[{\"b\": ") + wide + "}]}", "m"),
                          Contains(wide) && Contains("64 bits"));
        CHECK_THROWS_WITH(MetadataFilter(std::string("{\"a\":") + wide + "}"), Contains("64 bits"));
        CHECK_NOTHROW(normalize_metadata(std::string("{\"a\":\"\\\"") + wide + "\"}", "m"));
        CHECK_NOTHROW(normalize_metadata(std::string("{\"a\":") + wide + ".0}", "m"));
        CHECK_NOTHROW(normalize_metadata(std::string("{\"a\":") + wide + "e-5}", "m"));
    }
    CHECK_THROWS_WITH(normalize_metadata("[]", "the metadata of \"a\""), Contains("the metadata of \"a\"") && Contains("object"));
    CHECK_THROWS_WITH(normalize_metadata("{", "m"), Contains("not JSON"));
    CHECK_THROWS_WITH(normalize_metadata(R"({"a":1,"a":1})", "m"), Contains("twice"));
    CHECK_THROWS_WITH(normalize_metadata("{\"a\":\"\xc3\"}", "m"), Contains("not JSON"));
    CHECK_THROWS_WITH(normalize_metadata("{\"a\":\"" + std::string(kMaxMetadataBytes, 'x') + "\"}", "m"), Contains("bytes"));
    std::string deep = "1";
    for (int i = 0; i < 31; ++i) deep = "[" + deep + "]";
    CHECK_NOTHROW(normalize_metadata("{\"a\":" + deep + "}", "m"));
    CHECK_THROWS_WITH(normalize_metadata("{\"a\":[" + deep + "]}", "m"), Contains("deeper"));
}

namespace {

/// Made without the compiler: walks the filter's JSON again for every document.
bool slow_matches(const Json& where, const Json& doc);

bool slow_condition(const Json& condition, const Json* value) {
    const auto number = [](const Json& v) { return v.is_number(); };
    for (const auto& [key, operand] : condition.items()) {
        const bool same = value != nullptr && *value == operand;
        const bool ordered =
            value != nullptr && ((number(*value) && number(operand)) || (value->is_string() && operand.is_string()));
        const bool listed =
            value != nullptr && operand.is_array() && std::find(operand.begin(), operand.end(), *value) != operand.end();
        bool holds = false;
        if (key == "$eq") holds = same;
        if (key == "$ne") holds = !same;
        if (key == "$gt") holds = ordered && *value > operand;
        if (key == "$gte") holds = ordered && *value >= operand;
        if (key == "$lt") holds = ordered && *value < operand;
        if (key == "$lte") holds = ordered && *value <= operand;
        if (key == "$in") holds = listed;
        if (key == "$nin") holds = !listed;
        if (key == "$exists") holds = (value != nullptr) == operand.get<bool>();
        if (key == "$not") holds = !slow_condition(operand, value);
        if (!holds) return false;
    }
    return true;
}

bool slow_matches(const Json& where, const Json& doc) {
    for (const auto& [key, value] : where.items()) {
        bool holds = false;
        if (key == "$and")
            holds = std::all_of(value.begin(), value.end(), [&](const Json& part) { return slow_matches(part, doc); });
        if (key == "$or")
            holds = std::any_of(value.begin(), value.end(), [&](const Json& part) { return slow_matches(part, doc); });
        if (key == "$not") holds = !slow_matches(value, doc);
        if (!key.starts_with('$')) {
            const Json* found = doc.contains(key) ? &doc[key] : nullptr;
            holds = slow_condition(value.is_object() ? value : Json{{"$eq", value}}, found);
        }
        if (!holds) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("the compiled filter equals its slow twin") {
    RandomFilter random(11);
    int matched = 0;
    for (int i = 0; i < 2000; ++i) {
        const Json where = random.filter(3);
        const MetadataFilter filter(where.dump());
        for (int j = 0; j < 10; ++j) {
            const Json doc = random.doc();
            INFO(where.dump() << " on " << doc.dump());
            const bool expected = slow_matches(where, doc);
            matched += expected ? 1 : 0;
            REQUIRE(filter.matches(doc.dump()) == expected);
        }
    }
    CHECK(matched > 2000);
    CHECK(matched < 18000);
}
