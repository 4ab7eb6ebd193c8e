// Words and sentences: the fast paths equal ICU alone, offsets lie on code points, English and Chinese come out as people read
// them.
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "core/utf8.hpp"
#include "text/sentences.hpp"
#include "text/words.hpp"

using namespace rag::core;

namespace {

std::vector<std::string> words_of(std::string_view text) {
    std::vector<Word> words;
    segment_words(text, words);
    std::vector<std::string> out;
    for (const Word& word : words) out.emplace_back(text.substr(word.start, word.end - word.start));
    return out;
}

std::vector<std::string> sentences_of(std::string_view text) {
    std::vector<std::string> out;
    for (const Range& range : split_sentences(text)) out.emplace_back(text.substr(range.start, range.end - range.start));
    return out;
}

bool same(const std::vector<Word>& a, const std::vector<Word>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i].start != b[i].start || a[i].end != b[i].end || a[i].kind != b[i].kind || a[i].joined != b[i].joined ||
            a[i].ascii != b[i].ascii) {
            return false;
        }
    }
    return true;
}

/// Compares both ways of cutting `count` random texts made of `pieces`.
void compare_random(const std::vector<std::string>& pieces, std::size_t count, std::size_t longest, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<Word> fast;
    std::vector<Word> slow;
    for (std::size_t round = 0; round < count; ++round) {
        std::string text;
        const std::size_t size = random() % longest;
        for (std::size_t i = 0; i < size; ++i) text += pieces[random() % pieces.size()];
        segment_words(text, fast);
        segment_words_reference(text, slow);
        INFO("text: " << text);
        REQUIRE(same(fast, slow));
    }
}

}  // namespace

TEST_CASE("ASCII words equal ICU's on every string of the characters that matter") {
    std::vector<std::string> pieces;
    for (const char c : std::string("aZ09_.,;:'\"- \n\t\r@/")) pieces.emplace_back(1, c);
    compare_random(pieces, 60000, 12, 1);
    pieces.clear();
    for (int c = 0; c < 128; ++c) pieces.emplace_back(1, static_cast<char>(c));
    compare_random(pieces, 20000, 30, 2);
}

TEST_CASE("mixed text is cut as ICU cuts it") {
    const std::vector<std::string> pieces{"a",      "B",          "7",      " ",      " ",      "\n",     ".",      ",",
                                          "'",      "_",          "\u2019", "\u00e9", "\u0301", "\u200d", "\u4e2d", "\u6587",
                                          "\u3002", "\uff0c",     "\u30ab", "\u3072", "\u0e01", "\u0e32", "\ud55c", "\U0001F600",
                                          "\u00ad", "\u05d0",     "\"",     "\u0416", "\ufeff", "\uff21", "\uff10", "\u2024",
                                          "\u00b7", "\U00020000", "word",   "3.5"};
    compare_random(pieces, 40000, 16, 3);
}

TEST_CASE("pictures stand among the words where they are asked for, the same by both ways") {
    const std::vector<std::string> pieces{"a",          " ",      ".",      "7",      "\u4e2d",     "\u00e9",
                                          "\U0001F600", "\u2764", "\ufe0f", "\u200d", "\U0001F3FD", "\U0001F1E9",
                                          "\U0001F1EA", "\u2713", "\u00a9", "\u2642", "\u3002",     "\U000E0067"};
    std::mt19937 random(11);
    std::vector<Word> words, fast, slow;
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        for (std::size_t i = random() % 14; i > 0; --i) text += pieces[random() % pieces.size()];
        segment_words(text, fast, CjkWords::kDictionary, Pictures::kKept);
        segment_words_reference(text, slow, Pictures::kKept);
        INFO(text);
        REQUIRE(same(fast, slow));
        std::erase_if(fast, [](const Word& word) { return word.kind == Word::kPicture; });
        segment_words(text, words);
        REQUIRE(same(fast, words));
    }
}

TEST_CASE("ill-formed bytes separate nothing else and crash nothing") {
    std::mt19937 random(4);
    std::vector<Word> words;
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        const std::size_t size = random() % 24;
        for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(random() % 3 == 0 ? random() : 'a' + random() % 26);
        for (const CjkWords mode : {CjkWords::kDictionary, CjkWords::kRuns}) {
            segment_words(text, words, mode);
            std::size_t last = 0;
            for (const Word& word : words) {
                REQUIRE(word.start >= last);
                REQUIRE(word.end > word.start);
                REQUIRE(word.end <= text.size());
                last = word.end;
            }
        }
    }
    CHECK(words_of("good \xff\xfe word") == std::vector<std::string>{"good", "word"});
}

TEST_CASE("kinds of words, and Chinese by dictionary or by runs") {
    const std::string text =
        "IL-6 levels 3.5 \u5b66\u4e60\u4e2d\u6587\u30ab\u30bf\u30ab\u30ca \ud55c\uad6d\uc5b4 "
        "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35";
    std::vector<Word> words;
    segment_words(text, words);
    std::vector<Word::Kind> kinds;
    for (const Word& word : words) kinds.push_back(word.kind);
    CHECK(kinds == std::vector<Word::Kind>{Word::kWord, Word::kNumber, Word::kWord, Word::kNumber, Word::kHan, Word::kHan,
                                           Word::kKana, Word::kHangul, Word::kSoutheastAsian});
    segment_words(text, words, CjkWords::kRuns);
    REQUIRE(words.size() == 7);
    CHECK(text.substr(words[4].start, words[4].end - words[4].start) == "\u5b66\u4e60\u4e2d\u6587\u30ab\u30bf\u30ab\u30ca");
    CHECK(count_words("Don't count, 2 words\u3002") == 4);
    CHECK(count_words("") == 0);
    CHECK(!icu_version().empty());
}

TEST_CASE("a megabyte of one line is cut in well under a second") {
    for (const std::string& piece : {std::string("word, and another; "),
                                     std::string("\u6211\u4eec\u5728\u5b66\u4e60\u4e2d\u6587\uff0c"), std::string("x")}) {
        std::string text;
        while (text.size() < (1u << 20)) text += piece;
        const auto start = std::chrono::steady_clock::now();
        std::vector<Word> words;
        segment_words(text, words);
        const auto sentences = split_sentences(text);
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        CHECK(seconds < 5);  // some 0.2 s in a release build; sanitizers are slow
        for (const Word& word : words) REQUIRE((static_cast<unsigned char>(text[word.start]) & 0xC0U) != 0x80U);
        CHECK(!sentences.empty());
    }
}

TEST_CASE("sentences of English and Chinese prose") {
    CHECK(sentences_of("Mr. Smith came. He saw 3.5 m of rope!  Why? ") ==
          std::vector<std::string>{"Mr. Smith came.", "He saw 3.5 m of rope!", "Why?"});
    CHECK(sentences_of("\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002\u4f60\u53bb\u54ea\u91cc\uff1f\u56de\u5bb6\uff01") ==
          std::vector<std::string>{"\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002", "\u4f60\u53bb\u54ea\u91cc\uff1f",
                                   "\u56de\u5bb6\uff01"});
    CHECK(sentences_of("").empty());
    CHECK(sentences_of(" \n\n \t\n").empty());
}

TEST_CASE("wrapped lines are joined, lists and headings are not") {
    const std::string wrapped = "This is a line that an editor wrapped because it was\nlong, and it goes on here. Second one.";
    CHECK(sentences_of(wrapped).size() == 2);
    CHECK(sentences_of("# Title\nText of the first paragraph").size() == 2);
    CHECK(sentences_of("Choose one of the following items, all of them good:\n- first item\n- second item").size() == 3);
    CHECK(sentences_of("first paragraph without an end\n\nsecond paragraph").size() == 2);
    CHECK(split_paragraphs("a\n\nb\r\n\r\nc\nd").size() == 3);
}
