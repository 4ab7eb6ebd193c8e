// The query language: what matches, what is refused and where, and that a plain query is never read as one. And highlights.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "index/bm25/bm25_index.hpp"
#include "index/bm25/query_parser.hpp"

using namespace rag::core;

namespace {

using Ids = std::vector<std::int64_t>;

/// Ids of what a query finds, ascending.
Ids found(const Bm25Index& index, std::string_view query, Bm25Syntax syntax = Bm25Syntax::kLanguage) {
    Ids ids;
    for (const Bm25Hit& hit : index.search(query, 100, nullptr, syntax)) ids.push_back(hit.id);
    std::sort(ids.begin(), ids.end());
    return ids;
}

std::unique_ptr<Bm25Index> library(bool positions) {
    Bm25Options options;
    options.positions = positions;
    auto index = std::make_unique<Bm25Index>(options);
    const Ids ids{1, 2, 3, 4, 5, 6};
    const std::vector<std::string_view> titles{"", "Red fox", "", "", "Quick brown", ""};
    const std::vector<std::string_view> texts{"the quick brown fox jumps",
                                              "a fox that is brown and quick",
                                              "state of the art dogs",
                                              "covid-19 and connection pools",
                                              "fox trots",
                                              "\u9ad8\u8840\u538b\u60a3\u8005\u80fd\u5426"};
    index->add(ids, titles, texts);
    return index;
}

}  // namespace

TEST_CASE("operators, phrases and prefixes find what they say") {
    const auto index = library(true);
    CHECK(found(*index, "fox") == Ids{1, 2, 5});
    CHECK(found(*index, "+fox +jumps") == Ids{1});
    CHECK(found(*index, "fox -jumps") == Ids{2, 5});
    CHECK(found(*index, "fox AND NOT jumps") == Ids{2, 5});
    CHECK(found(*index, "fox NOT NOT jumps") == Ids{1, 2, 5});
    CHECK(found(*index, "jumps OR dogs") == Ids{1, 3});
    CHECK(found(*index, "(jumps OR trots) AND fox") == Ids{1, 5});
    CHECK(found(*index, "dogs fox AND jumps") == Ids{1, 3});  // AND before words that follow each other
    CHECK(found(*index, "dogs OR fox AND jumps") == Ids{1, 3});
    CHECK(found(*index, "fox -(jumps trots)") == Ids{2});
    CHECK(found(*index, "\"brown fox\"") == Ids{1});
    CHECK(found(*index, "\"quick brown\"") == Ids{1, 5});
    CHECK(found(*index, "\"brown fox\" OR trots") == Ids{1, 5});
    CHECK(found(*index, "\"brown fox trots\"").empty());  // brown ends a title, fox begins a text
    CHECK(found(*index, "\"state of the art\"") == Ids{3});
    CHECK(found(*index, "\"state art\"").empty());  // two words stand between
    CHECK(found(*index, "jum*") == Ids{1});
    CHECK(found(*index, "connections*") == Ids{4});  // the stem of the whole word
    CHECK(found(*index, "CONN*") == Ids{4});
    CHECK(found(*index, "covid-19") == Ids{4});
    CHECK(found(*index, "+covid-19 -fox") == Ids{4});
    CHECK(found(*index, "\u9ad8\u8840\u538b") == Ids{6});
    CHECK(found(*index, "\"\u8840\u538b\u60a3\"") == Ids{6});
    CHECK(found(*index, "\"\u8840\u60a3\"").empty());
    CHECK(found(*index, "\u538b") == Ids{6});  // one character of a word
    CHECK(found(*index, "\u9ad8*") == Ids{6});
}

TEST_CASE("operators find a code in each of its spellings, and leave each out") {
    for (const bool positions : {false, true}) {
        INFO(positions);
        Bm25Options options;
        options.positions = positions;
        Bm25Index index(options);
        const Ids ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        const std::vector<std::string_view> texts{
            "The relay AB-123",  "relay AB123",         "relay AB_12S",          "relay 123, not AB", "relay AB 123",
            "relay AB\u2013124", "row A-7 of 7 relays", "the 7 relays of row B", "now on .NET-4",     "now on NET4"};
        index.add(ids, std::vector<std::string_view>(texts.size()), texts);
        const auto with = [&](Ids known, std::int64_t where_positions) {
            if (positions) known.push_back(where_positions);
            std::sort(known.begin(), known.end());
            return known;
        };
        // Two words in a row say the same as the code, where the index can tell that they are.
        for (const char* code : {"AB-123", "ab_123", "AB/123", "AB\u2212123", "+AB-123", "\"AB-123\"", "(AB-123)"}) {
            INFO(code);
            CHECK(found(index, code) == with({1, 2}, 5));
        }
        CHECK(found(index, "AB123") == Ids{1, 2});
        CHECK(found(index, "relay -AB-123") == (positions ? Ids{3, 4, 6, 7, 8} : Ids{3, 4, 5, 6, 7, 8}));
        CHECK(found(index, "relay AND NOT AB/123") == (positions ? Ids{3, 4, 6, 7, 8} : Ids{3, 4, 5, 6, 7, 8}));
        CHECK(found(index, "relay -AB123") == Ids{3, 4, 5, 6, 7, 8});
        CHECK(found(index, "AB-12*") == Ids{1, 2, 3, 6});
        CHECK(found(index, "AB_12*") == Ids{1, 2, 3, 6});
        CHECK(found(index, "AB12*") == Ids{1, 2, 3, 6});
        CHECK(found(index, "relay -AB-12*") == Ids{4, 5, 7, 8});
        CHECK(found(index, "relay,AB-123") == with({1, 2}, 5));  // one word of the language: relay and the code
        CHECK(found(index, "row,AB-123").empty());
        CHECK(found(index, "A-7") == Ids{7});  // "a" is a stop word: 7 alone is not the code
        CHECK(found(index, "A7") == Ids{7});
        CHECK(found(index, "NET-4") == Ids{9, 10});
        CHECK(found(index, ".NET-4") == Ids{9});  // the name beside the code is asked for too
        CHECK(found(index, "relay,ab/123,AB_12S").empty());
        CHECK(found(index, "relay OR A-7,relays") == (Ids{1, 2, 3, 4, 5, 6, 7, 8}));
        if (positions) {
            CHECK(found(index, "\"relay AB-123\"") == Ids{1});  // a longer phrase reads a code as it is written
            CHECK(found(index, "\"relay AB123\"") == Ids{2});
        }
        for (const char* query : {"AB-123 relay", "relay -AB-123", "AB-12*", "\"AB-123\" OR row"}) {
            INFO(query);
            const auto hits = index.search(query, 10, nullptr, Bm25Syntax::kLanguage);
            CHECK(hits == index.search_exhaustive(query, 10, nullptr, Bm25Syntax::kLanguage));
            REQUIRE_FALSE(hits.empty());
            for (const Bm25Hit& hit : hits) {
                const auto out = index.explain(query, hit.id, Bm25Syntax::kLanguage);
                float sum = 0;
                for (const auto& term : out.terms) sum += term.score;
                CHECK(out.matches);
                CHECK(sum == hit.score);
            }
        }
    }
}

TEST_CASE("words that mean nothing to the index are passed over") {
    const auto index = library(false);
    CHECK(found(*index, "").empty());
    CHECK(found(*index, "the of").empty());
    CHECK(found(*index, "+the +jumps") == Ids{1});
    CHECK(found(*index, "fox AND the AND jumps") == Ids{1});
    CHECK(found(*index, "jumps - !") == Ids{1});
    CHECK(found(*index, "\"jumps\"") == Ids{1});  // a phrase of one word needs no positions
    CHECK(found(*index, "()").empty());
}

TEST_CASE("what is no query is refused, and the message says where") {
    const auto index = library(false);
    const std::vector<std::pair<std::string, std::string>> cases{
        {"fox (jumps", "byte 4: ( without its )"},
        {"fox) jumps", "byte 3: ) without its ("},
        {"fox \"jumps", "byte 4: a \" without"},
        {"fox AND", "byte 7: the query ends"},
        {"OR fox", "byte 0: an operator"},
        {"fox AND OR jumps", "byte 8: an operator"},
        {"-fox", "byte 0: only words to leave out"},
        {"NOT fox", "byte 0: only words to leave out"},
        {"jumps AND (-fox)", "byte 11: only words to leave out"},
        {"NOT fox AND NOT jumps", "byte 0: only words to leave out"},
        {"jumps OR NOT fox", "byte 9: NOT has nothing to leave out from"},
        {"jumps +NOT fox", "byte 7: + and NOT"},
        {"jumps -NOT fox", "byte 7: - and NOT"},
        {"fo*x", "byte 2: * may only end a word"},
        {"fox *", "byte 4: * without the beginning"},
        {"fox \\", "byte 4: \\ at the end"},
        {"\"quick fox\"", "a phrase needs an index that keeps positions"},
    };
    for (const auto& [query, message] : cases) {
        INFO(query);
        CHECK_THROWS_WITH(index->search(query, 5, nullptr, Bm25Syntax::kLanguage), Catch::Contains(message));
    }
    CHECK_THROWS_WITH(index->search("a \xff", 5, nullptr, Bm25Syntax::kLanguage), Catch::Contains("UTF-8"));
    CHECK_THROWS_WITH(parse_query(std::string(40, '(') + "a" + std::string(40, ')')), Catch::Contains("nested more than 32"));
    std::string many;
    for (int i = 0; i < 1025; ++i) many += "a ";
    CHECK_THROWS_WITH(parse_query(many), Catch::Contains("more than 1024"));
    CHECK_THROWS_WITH(parse_query(std::string(70000, 'a')), Catch::Contains("70000 bytes"));
}

TEST_CASE("a prefix of too many terms is refused by name") {
    Bm25Index index;
    std::string text;
    for (int i = 0; i < 1200; ++i) text += fmt::format("w{} ", i);
    const Ids ids{1};
    const std::vector<std::string_view> texts{text};
    index.add(ids, texts);
    CHECK_THROWS_WITH(index.search("w*", 5, nullptr, Bm25Syntax::kLanguage),
                      Catch::Contains("w*") && Catch::Contains("1000 terms"));
    CHECK(found(index, "w11*") == Ids{1});
}

TEST_CASE("a plain query is words, whatever signs it holds") {
    const auto index = library(false);
    const Ids foxes = found(*index, "fox", Bm25Syntax::kPlain);
    for (const char* query :
         {"\"fox", "-fox", "+fox", "NOT fox", "(fox", "fox*", "fox AND", "OR fox?", "\\fox", "fox - \"the\""}) {
        INFO(query);
        CHECK(found(*index, query, Bm25Syntax::kPlain) == foxes);
    }
    // "and", "or" and "not" in capitals are words too: the first two stop words, the last one not.
    CHECK(found(*index, "fox AND jumps", Bm25Syntax::kPlain) == foxes);
}

TEST_CASE("an excluded document is explained as such") {
    const auto index = library(false);
    const auto out = index->explain("fox -jumps", 1, Bm25Syntax::kLanguage);
    CHECK_FALSE(out.matches);
    CHECK(out.score == 0);
    CHECK(out.terms.size() == 1);
    CHECK(out.terms[0].score == 0);
    CHECK_THAT(out.text(), Catch::Contains("exclude"));
    for (const Bm25Syntax syntax : {Bm25Syntax::kPlain, Bm25Syntax::kLanguage}) {
        const auto unknown = index->explain("zzz", 1, syntax);
        CHECK_FALSE(unknown.matches);
        CHECK_THAT(unknown.text(), Catch::Contains("no term"));
        for (const auto& hit : index->search("fox", 10, nullptr, syntax)) CHECK(index->explain("fox", hit.id, syntax).matches);
    }
    CHECK(index->score("fox -jumps", Ids{1, 2}, Bm25Syntax::kLanguage)[0] == 0);
}

TEST_CASE("any bytes make a query or an error, never anything else") {
    const auto index = library(true);
    std::mt19937 random(3);
    const std::vector<std::string> pieces{"fox", " ",   "(",  ")",   "\"",           "+",   "-", "*", "AND",
                                          "OR",  "NOT", "\\", "the", "\u9ad8\u8840", "\xff"};
    std::size_t parsed = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string query;
        for (std::size_t i = random() % 10; i-- > 0;) query += pieces[random() % pieces.size()];
        static_cast<void>(index->search(query, 5));
        Code code = Code::kOk;
        bool equal = true;
        try {
            equal = index->search(query, 5, nullptr, Bm25Syntax::kLanguage) ==
                    index->search_exhaustive(query, 5, nullptr, Bm25Syntax::kLanguage);
            ++parsed;
        } catch (const Error& error) {
            code = error.code();
        }
        INFO(query);
        REQUIRE(equal);
        REQUIRE((code == Code::kOk || code == Code::kInvalidArgument));
    }
    CHECK(parsed > 1000);
}

TEST_CASE("highlights are the bytes of what was looked for") {
    const auto index = library(false);
    const std::string text = "Foxes, a FOX's caf\u00e9 and \u9ad8\u8840\u538b\u60a3\u8005 fo";
    const auto marked = [&](std::string_view query, Bm25Syntax syntax = Bm25Syntax::kPlain) {
        std::vector<std::string> out;
        for (const Range& range : index->highlight(query, text, syntax))
            out.push_back(text.substr(range.start, range.end - range.start));
        return out;
    };
    using List = std::vector<std::string>;
    CHECK(marked("fox") == List{"Foxes", "FOX"});
    CHECK(marked("cafe") == List{"caf\u00e9"});
    CHECK(marked("\u9ad8\u8840\u538b") == List{"\u9ad8\u8840\u538b"});  // two bigrams, one range
    CHECK(marked("\u538b") == List{"\u538b"});
    CHECK(marked("the and of").empty());
    CHECK(marked("fox -cafe", Bm25Syntax::kLanguage) == List{"Foxes", "FOX"});
    CHECK(marked("fo*", Bm25Syntax::kLanguage) == List{"Foxes", "FOX", "fo"});
    CHECK(marked("\"cafe and\"", Bm25Syntax::kLanguage) == List{"caf\u00e9"});
    // Of a phrase only what is whole, as one range; words beside it as ever.
    CHECK(marked("\"a fox\"", Bm25Syntax::kLanguage) == List{"Foxes", "FOX"});  // "a" is a stop word: one term is left
    CHECK(marked("\"foxes fox's\"", Bm25Syntax::kLanguage).empty());            // there is a word between them
    CHECK(marked("\"fox cafe\"", Bm25Syntax::kLanguage) == List{"FOX's caf\u00e9"});
    CHECK(marked("\"fox cafe\" foxes", Bm25Syntax::kLanguage) == List{"Foxes", "FOX's caf\u00e9"});
    CHECK(marked("\"cafe fox\"", Bm25Syntax::kLanguage).empty());
    CHECK(marked("\"\u9ad8\u8840\u538b\"", Bm25Syntax::kLanguage) == List{"\u9ad8\u8840\u538b"});
    CHECK(marked("\"\u8840\u9ad8\"", Bm25Syntax::kLanguage).empty());
    CHECK(marked("\"\u9ad8\u538b\"", Bm25Syntax::kLanguage).empty());
    const std::string codes = "AB-123, ab123, AB 123 and 123 AB-12S";
    const auto marked_codes = [&](std::string_view query) {
        std::vector<std::string> out;
        for (const Range& range : index->highlight(query, codes, Bm25Syntax::kLanguage))
            out.push_back(codes.substr(range.start, range.end - range.start));
        return out;
    };
    CHECK(marked_codes("AB-12*") == List{"AB-123", "ab123", "AB-12S"});
    CHECK(marked_codes("\"AB-123\"") == List{"AB-123", "ab123", "AB 123"});
    const Progress stop = [](std::uint64_t, std::uint64_t) { return false; };
    std::string long_text;
    for (int i = 0; i < 10000; ++i) long_text += "fox and cafe ";
    CHECK_THROWS_AS(index->highlight("fox", long_text, Bm25Syntax::kPlain, stop), Stopped);
    CHECK_THROWS_WITH(index->highlight("fox", "bad \xff"), Catch::Contains("offset 4"));
    CHECK_THROWS_WITH(index->highlight("(fox", text, Bm25Syntax::kLanguage), Catch::Contains("byte 0"));
}

TEST_CASE("what differs from the texts is found, whatever it is") {
    for (const bool positions : {false, true}) {
        Bm25Options options;
        options.positions = positions;
        Bm25Index index(options);
        const Ids ids{3, 5, 8, 9};
        const std::vector<std::string_view> titles{"a title", "", "", "\u77e5\u8bc6\u5e93"};
        const std::vector<std::string_view> texts{"one fox", "two foxes and a fox", "fox cat", "\u9ad8\u8840\u538b"};
        index.add(ids, titles, texts);
        CHECK(index.find_different(ids, titles, texts).empty());
        auto other = texts;
        other[0] = "one fox more";            // a term more
        other[1] = "two foxes and a ferret";  // another term and another frequency
        other[2] = "cat fox";                 // the same words elsewhere: only positions tell
        CHECK(index.find_different(ids, titles, other) == (positions ? Ids{3, 5, 8} : Ids{3, 5}));
        auto retitled = titles;
        retitled[3] = "\u77e5\u8bc6";
        CHECK(index.find_different(ids, retitled, texts) == Ids{9});
        other = texts;
        other[1] = "two foxes and a fox fox";  // the frequency alone
        CHECK(index.find_different(ids, titles, other) == Ids{5});
        index.compact();
        index.remove(Ids{8});
        CHECK(index.find_different(ids, titles, other) == Ids{5});
        CHECK_THROWS_AS(index.find_different(ids, {}, texts), Error);
    }
}
