// The analyzer: what people type finds what people write, and every term knows its bytes.
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "text/analyze.hpp"
#include "text/fold.hpp"
#include "text/stem.hpp"

using namespace rag::core;

namespace {

std::vector<std::string> terms_of(std::string_view text, const std::string& language = "auto") {
    std::vector<Analyzer::Term> terms;
    Analyzer(language).analyze(text, terms);
    std::vector<std::string> out;
    for (const auto& term : terms) out.push_back(term.part ? "part:" + term.text : term.text);
    return out;
}
std::vector<std::string> terms_by(const AnalyzerOptions& options, std::string_view text) {
    std::vector<Analyzer::Term> terms;
    Analyzer(options).analyze(text, terms);
    std::vector<std::string> out;
    for (const auto& term : terms) out.push_back(term.text);
    return out;
}
using List = std::vector<std::string>;

}  // namespace

TEST_CASE("English: case, stop words, stems, contractions, identifiers, numbers") {
    CHECK(terms_of("The Cats are RUNNING") == List{"cat", "run"});
    CHECK(terms_of("don't the patient's") == List{"patient"});
    CHECK(terms_of("asyncio.create_task(x)") == List{"asyncio", "creat", "task", "x"});
    CHECK(terms_of("1,234.5 3.14 2020; 1;2") == List{"1234.5", "3.14", "2020", "1", "2"});
    CHECK(terms_of("IL 6") == List{"il", "6"});
    CHECK(terms_of("O'Brien") == List{"o", "brien"});
    CHECK(terms_of("").empty());
    CHECK(terms_of("?! ... -- __").empty());
    CHECK(terms_of("cats", "none") == List{"cats"});
}

TEST_CASE("forms that mean the same become the same term") {
    CHECK(terms_of("caf\u00e9 CAFE\u0301 cafe") == List{"cafe", "cafe", "cafe"});
    CHECK(terms_of("M\u00fcller stra\u00dfe \u0141\u00f3d\u017a") == List{"muller", "strass", "lodz"});
    CHECK(terms_of("\uff21\uff22\uff23 abc") == List{"abc", "abc"});
    CHECK(terms_of("co\u00adoperate cooperate") == List{"cooper", "cooper"});
    CHECK(terms_of("isn\u2019t") == terms_of("isn't"));
    CHECK(terms_of("\ufb01ne") == terms_of("fine"));
}

TEST_CASE("other languages by script or by name") {
    CHECK(terms_of("\u043a\u043d\u0438\u0433\u0438") == terms_of("\u043a\u043d\u0438\u0433\u0430"));  // Russian: books, book
    CHECK(terms_of("H\u00e4user", "german") == terms_of("Haus", "german"));
    CHECK(Analyzer("de").version() != Analyzer("auto").version());
    CHECK(Analyzer("zh").language() == "auto");
    CHECK(Analyzer("en").language() == "english");
    CHECK_THROWS_WITH(Analyzer("klingon"), Catch::Contains("klingon") && Catch::Contains("english"));
}

TEST_CASE("Chinese, Japanese, Korean and Thai") {
    // Bigrams, and characters as parts of them.
    CHECK(terms_of("\u9ad8\u8840\u538b") == List{"\u9ad8\u8840", "part:\u9ad8", "\u8840\u538b", "part:\u8840", "part:\u538b"});
    CHECK(terms_by({"auto", 1}, "\u9ad8\u8840\u538b") == List{"\u9ad8\u8840", "\u8840\u538b"});
    CHECK(terms_by({"auto", 2, HanTerms::kWords}, "\u9ad8\u8840\u538b\u60a3\u8005") ==
          List{"\u9ad8\u8840\u538b", "\u60a3\u8005"});
    CHECK(terms_by({"auto", 2, HanTerms::kWordsAndBigrams}, "\u9ad8\u8840\u538b\u60a3") ==
          List{"\u9ad8\u8840", "\u8840\u538b", "\u538b\u60a3", "\u9ad8\u8840\u538b", "\u60a3"});
    CHECK(terms_of("\u836f") == List{"\u836f"});
    CHECK(terms_of("\u7528IL-6\u6d4b") == List{"\u7528", "il", "6", "il6", "\u6d4b"});
    CHECK(terms_of("\u9ad8\u8840\uff0c\u538b") == List{"\u9ad8\u8840", "part:\u9ad8", "part:\u8840", "\u538b"});
    CHECK(terms_of("\u30ab\u30bf\u30ab\u30ca") == terms_of("\uff76\uff80\uff76\uff85"));  // half-width Kana
    CHECK(terms_of("\ud55c\uad6d\uc5b4") == List{"\ud55c\uad6d\uc5b4", "\ud55c\uad6d", "\uad6d\uc5b4"});
    CHECK(terms_of("\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e04\u0e23\u0e31\u0e1a").size() == 2);
}

TEST_CASE("terms know their bytes") {
    const std::string text = "The caf\u00e9, asyncio.create_task \u9ad8\u8840\u538b 3.5 \uff76\uff80";
    std::vector<Analyzer::Term> terms;
    const Analyzer analyzer;
    analyzer.analyze(text, terms);
    std::vector<std::string> sources;
    for (const auto& term : terms) sources.push_back(text.substr(term.start, term.end - term.start));
    CHECK(sources == List{"caf\u00e9", "asyncio", "create", "task", "\u9ad8\u8840", "\u9ad8", "\u8840\u538b", "\u8840", "\u538b",
                          "3.5", "\uff76\uff80", "\uff76\uff80", "\uff76\uff80"});
}

TEST_CASE("terms know their position; stop words leave theirs, several terms may share one") {
    const std::string text = "state of the art, \u9ad8\u8840\u538b \ud55c\uad6d\uc5b4 1,2 x";
    std::vector<Analyzer::Term> terms;
    Analyzer().analyze(text, terms);
    std::vector<std::pair<std::string, unsigned>> places;
    for (const auto& term : terms) places.emplace_back(term.text, term.position);
    const std::vector<std::pair<std::string, unsigned>> expected{
        {"state", 0},        {"art", 3},          {"\u9ad8\u8840", 4}, {"\u9ad8", 4},
        {"\u8840\u538b", 5}, {"\u8840", 5},       {"\u538b", 6},       {"\ud55c\uad6d\uc5b4", 7},
        {"\ud55c\uad6d", 7}, {"\uad6d\uc5b4", 8}, {"12", 10},          {"x", 11}};
    CHECK(places == expected);
}

TEST_CASE("stop words of the languages that have a list") {
    CHECK(terms_of("die H\u00e4user und der Wald", "german") == List{"haus", "wald"});
    CHECK(terms_of("die H\u00e4user und der Wald", "de") == List{"haus", "wald"});
    CHECK(terms_of("la casa de los perros", "spanish") == List{"cas", "perr"});
    CHECK(terms_of("l'enfant et la maison", "french") == List{"enfant", "maison"});
    CHECK(terms_of("\u0438 \u043a\u043d\u0438\u0433\u0430").size() == 1);  // Russian by its script
    CHECK(terms_by({"german", 1}, "die H\u00e4user").size() == 2);         // as in files of format 1
    CHECK(stop_words_of("english")->contains("the"));
    CHECK(stop_words_of("basque") == nullptr);
    CHECK_THROWS_WITH(Analyzer(AnalyzerOptions{"auto", 6}), Catch::Contains("rules 6"));
}

TEST_CASE("emoji are terms: alone, in a row, with shades and selectors left out, joined ones also by their first") {
    CHECK(terms_of("\U0001F600") == List{"\U0001F600"});
    CHECK(terms_of("good\U0001F600\U0001F600 \u597d\U0001F600") ==
          List{"good", "\U0001F600", "\U0001F600", "\u597d", "\U0001F600"});
    CHECK(terms_of("\u2764\ufe0f \u2764 \u2764\ufe0e") == List{"\u2764", "\u2764", "\u2764"});
    CHECK(terms_of("\U0001F44D\U0001F3FD") == List{"\U0001F44D"});
    CHECK(terms_of("\U0001F1E9\U0001F1EA\U0001F1EB\U0001F1F7") ==
          List{"\U0001F1E9\U0001F1EA", "\U0001F1EB\U0001F1F7"});  // two flags
    CHECK(terms_of("\u2713 \u2605 \u266b") == List{"\u2713", "\u2605", "\u266b"});
    std::vector<Analyzer::Term> terms;
    Analyzer().analyze("a woman \U0001F937\U0001F3FD\u200d\u2640\ufe0f shrugs", terms);
    REQUIRE(terms.size() == 4);
    CHECK(terms[1].text == "\U0001F937\u200d\u2640");
    CHECK_FALSE(terms[1].part);
    CHECK(terms[2].text == "\U0001F937");
    CHECK(terms[2].part);
    CHECK(terms[2].position == terms[1].position);
    CHECK(terms[3].position == terms[1].position + 1);
    // No pictures: what texts are strewn with, letters in circles, boxes, and what stands for lost characters.
    CHECK(terms_of("\u00a9 \u00ae \u2122 \u2139 \u2500\u2588 \ufffd \u00b0 \u20ac \U0001F3FD \u200d").empty());
    CHECK(terms_by({"auto", 2}, "\U0001F600 good").size() == 1);
}

TEST_CASE("signs that belong to a name stand beside its word") {
    CHECK(terms_of("C++, C# and F#.") == List{"c", "c++", "c", "c#", "f", "f#"});
    CHECK(terms_of("Notepad++") == List{"notepad", "notepad++"});
    CHECK(terms_of("a .NET program, ASP.NET") == List{".net", "net", "program", "asp", "net"});
    CHECK(terms_of(".gitignore *.txt") == List{".gitignore", "gitignor", ".txt", "txt"});
    // No names: sums, headings, dots of sentences, numbers and hosts.
    for (const char* text : {"c+d", "a+++b", "c#d", "c##", "x+", "# title", "+1", "++"}) {
        for (const std::string& term : terms_of(text)) CHECK(term.find_first_of("+#") == std::string::npos);
    }
    for (const char* text : {"end. Then", "end.Then", "wait...what", "a .5 share", "(see above).Then", "librag.example.org"}) {
        for (const std::string& term : terms_of(text)) CHECK(term.front() != '.');
    }
    CHECK(terms_by({"auto", 2}, "C++ .NET") == List{"c", "net"});
}

TEST_CASE("codes are found with and without the signs between their parts") {
    CHECK(terms_of("AB-123/4.5") == List{"ab", "123", "4.5", "ab1234.5"});
    CHECK(terms_of("IL-6") == List{"il", "6", "il6"});
    CHECK(terms_of("IL\u20116") == List{"il", "6", "il6"});
    CHECK(terms_of("IL6") == List{"il6"});
    CHECK(terms_of("AB_123") == List{"ab", "123", "ab123"});
    CHECK(terms_of("well-known 10-20 and/or 2020-01-15 a - 1 b--2") ==
          List{"well", "known", "10", "20", "2020", "01", "15", "1", "b", "2"});
    CHECK(terms_of("\u4e2dA-1") == List{"\u4e2d", "1", "a1"});
    std::vector<Analyzer::Term> terms;
    Analyzer().analyze("the IL-6 level", terms);
    REQUIRE(terms.size() == 4);
    CHECK(terms[2].text == "il6");
    CHECK(terms[2].start == 4);
    CHECK(terms[2].end == 8);
    CHECK(terms[2].position == terms[1].position);
    const std::string chain = "x-1" + std::string(100, 'y') + "-z";
    for (const std::string& term : terms_of(chain)) CHECK(term.size() < 110);
    CHECK(terms_by({"auto", 2}, "IL-6") == List{"il", "6"});
}

TEST_CASE("a text of megabytes has the terms of its lines, and an analysis inside another disturbs neither") {
    const std::vector<std::string> pieces{"word",         "Words",      " ",   "\n", ".",  "-",      "7",      "\u00e9",
                                          "\u4e2d\u6587", "\U0001F600", "C++", ",",  "'s", "\u0301", "\u3002", "running"};
    std::mt19937 random(12);
    std::string text;
    std::vector<std::string> expected;
    while (text.size() < 2'000'000) {
        std::string line;
        for (std::size_t i = random() % 30; i > 0; --i) line += pieces[random() % pieces.size()];
        line += "a\n";
        const auto terms = terms_of("x " + line);  // ASCII at both ends: nothing joins two lines
        expected.insert(expected.end(), terms.begin(), terms.end());
        text += "x " + line;
    }
    CHECK(terms_of(text) == expected);

    class Nested final : public TermSink {
      public:
        void term(std::string_view term, const TermPlace& place) override {
            terms.push_back(place.part ? "part:" + std::string(term) : std::string(term));
            if (terms.size() % 5000 == 0) CHECK(terms_of("the cats are running C++") == List{"cat", "run", "c", "c++"});
        }
        List terms;
    };
    Nested nested;
    Analyzer().analyze(text, nested);
    CHECK(nested.terms == expected);
}

TEST_CASE("a word with a digit keeps its end, so that a code is the same joined and in parts") {
    CHECK(terms_of("AB-12S") == List{"ab", "12s", "ab12s"});
    CHECK(terms_of("AB12S") == List{"ab12s"});
    CHECK(terms_of("XEA-5ING xea5ing") == List{"xea", "5ing", "xea5ing", "xea5ing"});
    CHECK(terms_of("the iPhone5s, cats", "english") == List{"iphone5s", "cat"});
    CHECK(terms_of("H\u00e4user5en", "german") == List{"h\u00e4user5en"});
    CHECK(terms_by({"auto", 3}, "AB12S AB-12S") == List{"ab12", "ab", "12s", "ab12s"});  // as in files of rules 3
}

TEST_CASE("dashes join the parts of a code as hyphens do") {
    for (const char* dash : {"\u2010", "\u2011", "\u2012", "\u2013", "\u2212", "\ufe63", "\uff0d"}) {
        CAPTURE(dash);
        CHECK(terms_of(std::string("AB") + dash + "12") == List{"ab", "12", "ab12"});
        CHECK(terms_of(std::string("1990") + dash + "1995 Paris" + dash + "London").size() == 4);
        CHECK(terms_of(std::string("AB ") + dash + " 12") == List{"ab", "12"});
    }
    CHECK(terms_of("AB\u201412") == List{"ab", "12"});  // an em dash parts sentences
    CHECK(terms_by({"auto", 3}, "AB\u201312") == List{"ab", "12"});
}

TEST_CASE("a code in full width is the code, in English and in Chinese") {
    const std::string wide_ab = "\uff21\uff22", wide_12 = "\uff11\uff12", wide_dash = "\uff0d";
    for (const std::string& letters : {std::string("AB"), wide_ab, std::string("A\uff42")}) {
        for (const std::string& digits : {std::string("12"), wide_12, std::string("\uff112")}) {
            for (const std::string& sign : {std::string("-"), wide_dash, std::string("/"), std::string("\uff0f"),
                                            std::string("_"), std::string("\uff3f"), std::string("\u2013")}) {
                const std::string code = letters + sign + digits;
                CAPTURE(code);
                CHECK(terms_of(code) == List{"ab", "12", "ab12"});
                CHECK(terms_of("the " + code + " mill") == List{"ab", "12", "ab12", "mill"});
                CHECK(terms_of("\u6cb3" + code + "\u6cb3") == List{"\u6cb3", "ab", "12", "ab12", "\u6cb3"});
            }
            CHECK(terms_of(letters + digits) == List{"ab12"});
        }
    }
    std::vector<Analyzer::Term> terms;
    const std::string text = "\u578b\u53f7" + wide_ab + wide_dash + wide_12 + "\u7684";
    Analyzer().analyze(text, terms);
    const auto code = std::find_if(terms.begin(), terms.end(), [](const Analyzer::Term& term) { return term.joined; });
    REQUIRE(code != terms.end());
    CHECK(text.substr(code->start, code->end - code->start) == wide_ab + wide_dash + wide_12);
    CHECK(code->position == (code - 1)->position);
    // With a point, in capitals or not, and as long as a narrow one may be.
    CHECK(terms_of("\uff21\uff0d\uff11\uff0e\uff15") == List{"1.5", "a1.5"});
    CHECK(terms_of("\uff5a\uff0d\uff19").back() == "z9");
    for (const std::size_t count : {62U, 63U}) {
        std::string wide, narrow;
        for (std::size_t i = 0; i < count; ++i) wide += "\uff38", narrow += "x";
        CHECK(terms_of(wide + wide_dash + "\uff11") == terms_of(narrow + "-1"));
        CHECK(terms_of(narrow + "-1").size() == (count == 62 ? 3U : 2U));
    }
    // No codes: words, numbers, half-width Kana, letters that are not ASCII's, and signs of other kinds.
    for (const char* none : {"\uff21\uff22\uff0d\uff23", "\uff11\uff0d\uff12", "\uff76\uff0d\uff11", "\u00c9\uff22\uff0d\uff11",
                             "\uff21\u3001\uff11", "\uff21\u3000\uff11", "\uff21\u2014\uff11"}) {
        CAPTURE(none);
        Analyzer().analyze(none, terms);
        CHECK(std::none_of(terms.begin(), terms.end(), [](const Analyzer::Term& term) { return term.joined; }));
    }
    CHECK(terms_by({"auto", 4}, wide_ab + wide_dash + wide_12) == List{"ab", "12"});  // as in files of rules 4
    CHECK(terms_by({"auto", 4}, "AB\uff0d12") == List{"ab", "12", "ab12"});
}

TEST_CASE("a name with signs keeps them before a number") {
    CHECK(terms_of("C++17") == List{"c", "c++", "c++17", "17"});
    CHECK(terms_of("C++0x, c++2a!") == List{"c", "c++", "c++0x", "0x", "c", "c++", "c++2a", "2a"});
    CHECK(terms_of("C#12") == List{"c", "c#", "c#12", "12"});
    CHECK(terms_of("C++-17") == List{"c", "c++", "17"});
    for (const char* text : {"item#5", "a1++5", "+17", "++17", "#5", "1++5", "c+++5", "c##5", "\u00e9c++5", "c+17"}) {
        CAPTURE(text);
        for (const std::string& term : terms_of(text)) CHECK(term.find_first_of("+#") == std::string::npos);
    }
    CHECK(terms_of(std::string(100, 'x') + "++17").size() == 3);  // no name is so long: the word, with its signs, and the number
    std::vector<Analyzer::Term> terms;
    Analyzer().analyze("in C++17.", terms);
    REQUIRE(terms.size() == 4);
    CHECK(terms[2].start == 3);
    CHECK(terms[2].end == 8);
    CHECK(terms[2].position == terms[3].position);
    CHECK(terms[1].position == terms[0].position);
    CHECK(terms_by({"auto", 3}, "C++17") == List{"c", "17"});
}

TEST_CASE("hostile text: any bytes, long words; the memo changes no result") {
    std::mt19937 random(7);
    const Analyzer analyzer;
    std::vector<Analyzer::Term> terms;
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        const std::size_t size = random() % 40;
        for (std::size_t i = 0; i < size; ++i)
            text += static_cast<char>(random() % 2 == 0 ? random() : " aZ.'_9+#-/"[random() % 11]);
        analyzer.analyze(text, terms);
        for (const auto& term : terms) {
            REQUIRE(!term.text.empty());
            REQUIRE(term.text.size() <= 128);
            REQUIRE(term.start < term.end);
            REQUIRE(term.end <= text.size());
        }
        const std::vector<Analyzer::Term> first = terms;
        analyzer.analyze(text, terms);
        REQUIRE(first.size() == terms.size());
        for (std::size_t i = 0; i < first.size(); ++i) REQUIRE(first[i].text == terms[i].text);
    }
    const std::string word(100000, 'a');
    analyzer.analyze(word, terms);
    REQUIRE(terms.size() == 1);
    CHECK(terms[0].text == std::string(128, 'a'));
}

TEST_CASE("threads and languages do not disturb each other") {
    std::vector<std::thread> threads;
    std::vector<int> wrong(4, 0);
    for (std::size_t t = 0; t < wrong.size(); ++t) {
        threads.emplace_back([t, &wrong] {
            for (int i = 0; i < 300; ++i) {
                wrong[t] += terms_of("running H\u00e4user", "auto") != List{"run", "hauser"};
                wrong[t] += terms_of("\u4e2d\u6587", "german") != List{"\u4e2d\u6587", "part:\u4e2d", "part:\u6587"};
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrong == std::vector<int>(4, 0));
}
