// Patterns of tokenizer files: what is translated for PCRE2, what is refused, and that no pattern runs for ever.
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "tokenizer/regex.hpp"
#include "tokenizer/regex_pattern.hpp"

namespace {

using rag::core::Regex;
using rag::core::Span;

std::vector<Span> find_all(const std::string& pattern, const std::string& text) {
    std::vector<Span> found;
    Regex(pattern).find_all(text, {0, static_cast<std::uint32_t>(text.size())}, found);
    return found;
}

std::string pcre2_pattern(const std::string& pattern) {
    std::vector<rag::core::ClassCheck> checks;
    return rag::core::pcre2_pattern(pattern, checks);
}

}  // namespace

TEST_CASE("patterns of Oniguruma are rewritten for PCRE2") {
    CHECK(pcre2_pattern("a(?m:.)b") == "a(?s:.)b");
    CHECK(pcre2_pattern(R"(\u4e00)") == R"(\x{4e00})");
    CHECK(pcre2_pattern(R"([\h])") == "[0-9a-fA-F]");
    CHECK(pcre2_pattern("a{1,3}+") == "(?:a{1,3})+");
    CHECK(pcre2_pattern("a{2}?") == "(?:a{2})?");
    CHECK(pcre2_pattern("a{,3}b++") == "a{0,3}b++");
    CHECK(pcre2_pattern("a(?i)b|c") == "a(?i:b|c)");
    CHECK(pcre2_pattern("(a(?i)b)c") == "(a(?i:b))c");
    CHECK(pcre2_pattern("[a[bc]]") == "[abc]");
    CHECK(pcre2_pattern("[^a[bc]]") == "[^abc]");
    CHECK(pcre2_pattern("[ab&&[^a]]") == "(?:(?=[ab])[^a])");
    CHECK(pcre2_pattern("[a[^b]]") == "(?>[a]|[^b])");
    CHECK(pcre2_pattern("[-a-c-]") == R"([\-a-c\-])");
    CHECK(pcre2_pattern("a{x}") == R"(a\{x\})");
    CHECK(pcre2_pattern("a(?#b)c") == "ac");
    CHECK(pcre2_pattern(R"(\x{e9}[\x{e9}])") == R"(\x{e9}[\x{e9}])");
}

TEST_CASE("extended patterns leave spaces and comments out") {
    CHECK(pcre2_pattern("(?x) a b # c\n d") == "(?:abd)");
    CHECK(pcre2_pattern("(?x:a b)c d") == R"((?:ab)c\ d)");
    CHECK(pcre2_pattern("(?x) a + ?") == "(?:a*)");
    CHECK(pcre2_pattern("(?x)[a b]\\ #") == R"((?:[a\ b]\ ))");
    CHECK(pcre2_pattern("(?x)(?-x: a) b") == R"((?:(?-:\ a)b))");
    CHECK(pcre2_pattern("(?xi)A b") == "(?i:Ab)");
    CHECK(find_all("(?x)a#b\r c", "abac").size() == 2);  // a comment ends at a line feed only
}

// Which quantifiers become one: onig_reduce_nested_quantifier(). What is matched is compared in tests/parity/random_patterns.py.
TEST_CASE("quantifiers behind quantifiers are put together") {
    CHECK(pcre2_pattern("a**b") == "a*b");
    CHECK(pcre2_pattern("a+?") == "a+?");
    CHECK(pcre2_pattern("(?:a+)?") == "a*");
    CHECK(pcre2_pattern("(?:a+)+b") == "a+b");
    CHECK(pcre2_pattern("(?:a*)??") == "(?:a+)??");
    CHECK(pcre2_pattern("(?:(?:a?)+)+") == "a*");
    CHECK(pcre2_pattern("(?:a+?)*") == "(?:a+?)*");
    CHECK(pcre2_pattern("(?:a++)+") == "(?:a++)+");
    CHECK(pcre2_pattern("(?:ab+)+") == "(?:ab+)+");
    CHECK(pcre2_pattern("(a+)+") == "(a+)+");
    CHECK(pcre2_pattern("(?:a|b+)+") == "(?:a|b+)+");
    CHECK(pcre2_pattern("a{0,}{1,}{0,1}") == "a{0,}");
    CHECK(find_all("(?:a+)+b", std::string(100'000, 'a')).empty());
}

TEST_CASE("patterns without an exact equal are refused with the feature and its place") {
    for (const char* refused : {R"(\p)",
                                R"(\p{Foo})",
                                R"(a\)",
                                R"(\u12)",
                                "(?s: a)",
                                "(?~a)",
                                "(?(1)a)",
                                "*",
                                "a|*",
                                "(a",
                                "a)",
                                "[a",
                                "[]a]",
                                "[a&&]",
                                R"([a-\d])",
                                R"(\1)",
                                R"((a)\2)",
                                R"((?:(a?)*+b|)a\1)",
                                R"(\X)",
                                R"(\G)",
                                R"(\k<a>)",
                                R"(\g<1>)",
                                R"(\x{d800})",
                                R"(\x{110000})",
                                R"(\xe4)",
                                "(?i:ss)",
                                "(?i:st)",
                                R"(\C-a)",
                                "[[:foo:]]",
                                "[[:^ascii:]]",
                                "(?i:[a[^b]])",
                                "(?<a",
                                "(?#a",
                                R"(\)",
                                "(?<n>a)(b)",
                                R"((?:a|(b\1))+)",
                                "[a-[b]]",
                                R"((?i)\u00df)",
                                R"((?i)[\u00df])",
                                R"((?i)[\)"
                                "\xc3\x9f])",
                                R"((?i)s\x73)",
                                R"((?i)\u0073s)",
                                "(?i)(?:s)s",
                                "(?i)s(?#)s",
                                "(?i)(?>s)s",
                                R"((?i)j\u030c)",
                                R"((?i)[\p{Lu}])",
                                R"((?i)[\p{lower}])",
                                R"((?i)[\p{Uppercase_Letter}])",
                                "(?i)[[:upper:]]",
                                R"((?i)[\p{Greek}])",
                                R"((?i)[\P{L}])",
                                R"((?i)[\p{^M}])"}) {
        INFO(refused);
        std::string message;
        try {
            pcre2_pattern(refused);
        } catch (const rag::core::Error& error) {
            CHECK(error.code() == rag::core::Code::kUnsupported);
            message = error.what();
        }
        CHECK(message.find("offset") != std::string::npos);
    }
}

// Oniguruma's sets are 256 bits and a list of ranges above them, and where a complement leaves the list empty, or a range begins
// at 0, it reads [^[^\d\D]] and [[^\x00-\u0105]] as something else than [^[^\w\W]] and [[^\x01-\u0105]], which are as written.
TEST_CASE("complements in complements are refused where Oniguruma may read something else") {
    for (const char* refused :
         {R"([^[^\d\D]])", R"([^[^\p{^Ll}\P{Lu}\w]])", R"([^a[^\w\W]])", R"([^[b[^\p{Lu}\P{Lu}]]])", R"([^[^\d]&&[^\D]])",
          R"([[^\x00-\u0105]])", R"([^[^\x00-\u0105]])", R"([[^[\0-\u0105]]])", R"([[^a]\x00-\u0105])"}) {
        INFO(refused);
        std::string message;
        try {
            const Regex regex{refused};
        } catch (const rag::core::Error& error) {
            CHECK(error.code() == rag::core::Code::kUnsupported);
            message = error.what();
        }
        CHECK(message.find("negated class") != std::string::npos);
        CHECK(message.find("offset") != std::string::npos);
    }
    CHECK(find_all(R"([^[^\d]])", "a1\xe4\xb8\xad") == std::vector<Span>{{1, 2}});
    CHECK(find_all(R"([^[^\u4e2d]])", "a\xe4\xb8\xad") == std::vector<Span>{{1, 4}});
    CHECK(find_all(R"([[^\d\D]b])", "ab\xe4\xb8\xad") == std::vector<Span>{{1, 2}});
    CHECK(find_all(R"([^\x00-\u0105])", "a\xe4\xb8\xad") == std::vector<Span>{{1, 4}});
    CHECK(find_all(R"([[^\x01-\u0105]])", "a\xe4\xb8\xad") == std::vector<Span>{{1, 4}});
    CHECK(find_all(R"([[^\x00-\x7f]])", "a\xe4\xb8\xad") == std::vector<Span>{{1, 4}});
}

TEST_CASE("classes are those of Hugging Face's Unicode, not of the host's PCRE2") {
    // U+180E is a space to PCRE2 and not to Oniguruma; U+31350 is a letter and Han since Unicode 15; U+1171E was once Mn.
    CHECK(find_all(R"(\s|\p{L})", "\xe1\xa0\x8e \xf0\xb1\x8d\x90") == std::vector<Span>{{3, 4}, {4, 8}});
    CHECK(find_all(R"(\p{Han})", "a\xf0\xb1\x8d\x90") == std::vector<Span>{{1, 5}});
    CHECK(find_all(R"(\p{Mn})", "\xf0\x91\x9c\x9e\xcc\x81") == std::vector<Span>{{4, 6}});
    CHECK(find_all(R"(\p{Mc})", "\xf0\x91\x9c\x9e\xcc\x81") == std::vector<Span>{{0, 4}});
    // Superscripts are word characters outside of classes only.
    CHECK(find_all(R"(\w)", "\xc2\xb2") == std::vector<Span>{{0, 2}});
    CHECK(find_all(R"([\w])", "\xc2\xb2").empty());
    CHECK(find_all(R"(\b)", "a \xe2\x85\xa7").size() == 4);  // a Roman numeral is a word
    CHECK(find_all("[[:graph:]]+", "a b\xe3\x80\x80\xc3\xa9").size() == 3);
    CHECK(find_all("[[:print:]]+", "a b\t\xc3\xa9").size() == 2);
    CHECK(find_all("[[:blank:]]+", "a \t\xe3\x80\x80\n") == std::vector<Span>{{1, 6}});
    CHECK(find_all(R"(\R{1,3}?.)", "\r\r\n") == std::vector<Span>{{0, 2}});
    CHECK(find_all("[[:ascii:]]", "a\xc3\xa9") == std::vector<Span>{{0, 1}});
}

// What Hugging Face's tokenizers gives, over all code points and these.
TEST_CASE("sets without regard to case are those of Oniguruma") {
    const auto count = [](const std::string& pattern, const std::string& text) { return find_all(pattern, text).size(); };
    const std::string letters = "aA\xc3\x9f\xce\xb1", iotas = "\xcd\x85\xce\x99\xce\xb9\xe1\xbe\xbe", micro = "\xc2\xb5";
    // Outside of classes case counts all the same.
    CHECK(count(R"((?i)\p{Lu})", letters) == 1);
    CHECK(count(R"((?i)\p{upper})", letters) == 1);
    CHECK(count(R"((?i)\p{Lowercase})", letters) == 3);
    CHECK(count(R"((?i)\P{lower})", letters) == 1);
    CHECK(count(R"((?i)\p{Greek})", iotas + micro) == 3);
    CHECK(count(R"((?i)\p{Mn})", iotas) == 1);
    // In classes it does not.
    CHECK(count(R"((?i)[^\p{L}\p{N}])", iotas) == 0);
    CHECK(count(R"((?i)[\p{M}])", iotas) == 4);
    CHECK(count(R"((?i)[a-z])", "k\xe2\x84\xaa\xc5\xbf") == 3);  // the Kelvin sign and the long s
    CHECK(count(R"((?i)'(?:[sdmt]|ll|ve|re))", "'S'LL'Ve") == 3);
    CHECK(count(R"((?i)[\d\s_])", "1 _a") == 3);
    CHECK(count(R"((?i)[\W])", "-a") == 1);
}

// Oniguruma finds all of "ssx" for (?i)[\w]x: among the letters is U+00DF, whose other case is "ss".
TEST_CASE("a class without regard to case that has letters with sequences for other cases is refused") {
    for (const char* pattern :
         {R"((?i)[\w]x)", R"((?i)[\p{L}])", R"((?i:[\s\S]))", R"((?i)[\D]+)", R"((?i)a[b[:^space:]])", R"((?i)[\P{P}])"}) {
        INFO(pattern);
        CHECK_THROWS_WITH(Regex(pattern), Catch::Contains("letters like U+00DF"));
    }
}

// The machine code that PCRE2 10.42 makes goes back into these.
TEST_CASE("nothing goes back into an atomic group") {
    for (const char* pattern : {"(?>c*|)c", "(?>[^a]+|)c", "x?(?>(?:c*|))c", "(?:c*|)*+c", "(?:c*|)++c", "(?:c*|)?+c"}) {
        INFO(pattern);
        CHECK(find_all(pattern, "cc").empty());
    }
}

// What stands before these gives back: PCRE2 10.42 takes it for what never has to.
TEST_CASE("a repetition gives back before an atomic group that may be empty") {
    for (const char* pattern : {"a*(?:bc)?+a", "a+(?:bc)?+a", "a*b++?+a", "a{0,3}(?:b)?+a", "a*(?>(?>b+)?)a", "(?>a*(?:b)?+a)"}) {
        INFO(pattern);
        CHECK(find_all(pattern, "xaa!").size() == 1);
    }
}

// Where it begins with a repeated dot, PCRE2 10.42 looks for it where lines begin only.
TEST_CASE("an atomic group that begins with a repeated dot is found inside a line") {
    for (const char* pattern : {"(?:.*?)++b", "(?>.*?)++b", "(?:.*?)?+b", "(?>.*?)b"}) {
        INFO(pattern);
        CHECK(find_all(pattern, "ab") == std::vector<Span>{{1, 2}});
    }
}

TEST_CASE("classes whose parts overlap take linear time") {
    CHECK(find_all(R"([\W\D\S]+x)", std::string(100, '-')).empty());
    CHECK(find_all(R"(([^a][\P{N}\S])+x)", std::string(60, '-')).empty());
}

TEST_CASE("an empty text to look for stands around every character") {
    std::vector<Span> found;
    Regex::literal("").find_all("a\xc3\xa9", {0, 3}, found);
    CHECK(found == std::vector<Span>{{0, 0}, {1, 1}, {3, 3}});
}

TEST_CASE("hostile patterns end in an error, and published ones take linear time") {
    const auto started = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(find_all("(a|aa)+$", std::string(200, 'a') + "b"), rag::core::Error);
    CHECK_THROWS_AS(Regex(std::string(100'000, 'a')), rag::core::Error);
    CHECK_THROWS_AS(Regex(std::string(70, '[') + "a" + std::string(70, ']')), rag::core::Error);
    const char* const o200k =
        R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
        R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|)"
        R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    for (const char* unit : {"a", "A", " ", "\n", "1", "!", "\xe4\xb8\xad", "\xcc\x81", " a", "a\n"}) {
        std::string text;
        while (text.size() < 100'000) text += unit;
        std::size_t covered = 0;
        for (const Span& match : find_all(o200k, text)) covered += match.end - match.start;
        INFO(unit);
        CHECK(covered == text.size());
    }
    CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(20));
}
