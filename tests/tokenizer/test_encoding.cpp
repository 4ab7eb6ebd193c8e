// What lies around the stages: windows and their combinations against the definition, offsets of replaced text against a slow
// twin, batches that fail, JSON that is written. The comparison with Hugging Face is tests/python/test_tokenizer_api.py.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "goldens.hpp"
#include "tokenizer/batch.hpp"
#include "tokenizer/limits.hpp"
#include "tokenizer/overflow.hpp"
#include "tokenizer/saving/json_text.hpp"
#include "tokenizer/source_text.hpp"
#include "tokenizer/tokenizer.hpp"

using namespace rag::core;

namespace {

// Hugging Face's Encoding.merge_with() on lists of window numbers, as it is written there: every part is an encoding with windows
// that overflow, and parts are merged one after the other.
struct Merged {
    std::vector<std::uint32_t> windows;
    std::vector<Merged> overflowing;
};

void merge(Merged& self, const Merged& other) {
    std::vector<Merged> overflowing;
    for (const Merged& mine : self.overflowing) {
        Merged one = mine;
        merge(one, other);
        overflowing.push_back(one);
        for (const Merged& theirs : other.overflowing) {
            Merged both = mine;
            merge(both, theirs);
            overflowing.push_back(both);
        }
    }
    for (const Merged& theirs : other.overflowing) {
        Merged both = self;
        merge(both, theirs);
        overflowing.push_back(both);
    }
    self.windows.insert(self.windows.end(), other.windows.begin(), other.windows.end());
    self.overflowing = overflowing;
}

bool same(const WindowChoice& ours, const Merged& book) {
    if (ours.windows != book.windows || ours.overflowing.size() != book.overflowing.size()) return false;
    for (std::size_t i = 0; i < ours.overflowing.size(); ++i) {
        if (!same(ours.overflowing[i], book.overflowing[i])) return false;
    }
    return true;
}

std::string random_bytes(std::mt19937& random, unsigned most_parts) {
    static const std::vector<std::string> kParts = {"a",    "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80", "\xff",    "\x80",
                                                    "\xc3", "\xe4\xb8", "\xf0\x9f\x98", "\xed\xa0\x80",     "\xc0\xaf"};
    std::string out;
    for (std::size_t count = random() % most_parts; count > 0; --count) out += kParts[random() % kParts.size()];
    return out;
}

}  // namespace

TEST_CASE("columns of an encoding are what vectors would be, in the encoding's block and out of it") {
    std::mt19937 random(9);
    std::vector<Encoding> encodings(3);
    std::vector<std::vector<std::int32_t>> books(3);
    const auto check = [&] {
        for (std::size_t i = 0; i < encodings.size(); ++i) {
            REQUIRE(encodings[i].ids == books[i]);
            REQUIRE(encodings[i].words.size() == books[i].size());
            for (std::size_t k = 0; k < books[i].size(); ++k) {
                REQUIRE(encodings[i].offsets[k].second == static_cast<std::uint32_t>(books[i][k]));
                REQUIRE(encodings[i].sequence_ids[k] == books[i][k] % 2);
            }
        }
    };
    const auto push = [&](std::size_t to) {
        const auto id = static_cast<std::int32_t>(random() % 1000);
        encodings[to].push(id, {0, static_cast<std::uint32_t>(id)}, 0, id % 2);
        books[to].push_back(id);
    };
    for (int round = 0; round < 3000; ++round) {
        const std::size_t to = random() % 3, from = random() % 3;
        switch (random() % 8) {
            case 0:
                encodings[to].reserve(random() % 50);
                break;
            case 1:
                encodings[to] = encodings[from];
                books[to] = books[from];
                break;
            case 2:
                encodings[to].swap(encodings[from]);
                books[to].swap(books[from]);
                break;
            case 3:
                if (to == from || books[to].size() > 500) break;
                encodings[to].append(encodings[from]);
                books[to].insert(books[to].end(), books[from].begin(), books[from].end());
                break;
            case 4: {
                const std::size_t first = books[from].empty() ? 0 : random() % books[from].size();
                const std::size_t count = (books[from].size() - first) / 2;
                Encoding part = encodings[from].slice(first, count);
                encodings[to] = std::move(part);
                books[to] = std::vector<std::int32_t>(books[from].begin() + static_cast<std::ptrdiff_t>(first),
                                                      books[from].begin() + static_cast<std::ptrdiff_t>(first + count));
                break;
            }
            case 5: {
                const std::size_t count = random() % 3;
                encodings[to].drop_front(count);
                const std::size_t gone = std::min(count, books[to].size());
                books[to].erase(books[to].begin(), books[to].begin() + static_cast<std::ptrdiff_t>(gone));
                break;
            }
            default:
                push(to);
                push(from);
        }
        check();
    }
}

TEST_CASE("tokens taken from the front take their texts along") {
    Encoding encoding;
    encoding.texts.emplace_back(0, "<pad>");
    encoding.push_special(7, 0);
    encoding.push(1, {0, 1}, 0, 0);
    encoding.texts.emplace_back(2, "x");
    encoding.push(2, {1, 2}, 0, 0);
    encoding.drop_front(1);
    CHECK(encoding.ids == std::vector<std::int32_t>{1, 2});
    CHECK(encoding.words.size() == 2);
    REQUIRE(encoding.texts.size() == 1);
    CHECK(encoding.texts[0] == std::pair<std::size_t, std::string_view>{1, "x"});
}

TEST_CASE("an unknown token reads as its text in a window that truncation cut off, special tokens before it or not") {
    const auto tokenizer = Tokenizer::from_json(R"({"version": "1.0", "padding": null, "normalizer": null, "pre_tokenizer": null,
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}, "decoder": null,
        "added_tokens": [{"id": 2, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                          "special": true}],
        "post_processor": {"type": "BertProcessing", "sep": ["<s>", 2], "cls": ["<s>", 2]},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0], ["<s>", 0.0]]}})",
                                                "unigram");
    EncodeOptions options;
    options.overflow = true;
    const Encoding first = tokenizer->encode({"aab"}, options);
    CHECK(tokenizer->tokens(first) == std::vector<std::string>{"<s>", "a", "a", "<s>"});
    const auto windows = tokenizer->overflowing(first);
    REQUIRE(windows.size() == 1);
    CHECK(tokenizer->tokens(windows[0].encoding) == std::vector<std::string>{"<s>", "b", "<s>"});
}

TEST_CASE("windows of several parts are combined as by the book") {
    for (const std::vector<std::size_t>& windows :
         std::vector<std::vector<std::size_t>>{{}, {0}, {3}, {0, 2, 0}, {0, 2, 0, 3, 0}, {1, 1}, {2, 0, 2}, {1, 2, 1}}) {
        Merged book;
        for (const std::size_t more : windows) {
            Merged part;
            part.windows = {0};
            for (std::size_t i = 1; i <= more; ++i) part.overflowing.push_back({{static_cast<std::uint32_t>(i)}, {}});
            merge(book, part);
        }
        CHECK(same(combine_windows(windows, 1000), book));
    }
    CHECK_THROWS_AS(combine_windows({100, 100}, 5000), Error);
}

TEST_CASE("windows cover a text and share what the stride says") {
    for (std::size_t size = 1; size < 30; ++size) {
        for (std::size_t kept = 1; kept < size; ++kept) {
            for (std::size_t stride = 0; stride < kept; ++stride) {
                for (const bool left : {false, true}) {
                    const Truncation truncation{.keep_last = left, .stride = stride};
                    const auto windows = windows_of(size, kept, truncation);
                    REQUIRE(windows.front() == first_window(size, kept, truncation));
                    REQUIRE(windows.front().first == (left ? size - kept : 0));
                    for (std::size_t i = 0; i < windows.size(); ++i) {
                        const auto [first, count] = windows[i];
                        REQUIRE((count == kept || i + 1 == windows.size()));
                        if (i == 0) continue;
                        const std::size_t shared =
                            left ? first + count - windows[i - 1].first : windows[i - 1].first + windows[i - 1].second - first;
                        REQUIRE(shared == stride);
                    }
                    REQUIRE((left ? windows.back().first == 0 : windows.back().first + windows.back().second == size));
                }
            }
        }
    }
    CHECK(windows_of(5, 0, {}) == std::vector<std::pair<std::size_t, std::size_t>>{{0, 0}, {0, 5}});
    CHECK(windows_of(5, 5, {.stride = 9}).size() == 1);
    CHECK_THROWS_AS(windows_of(5, 3, {.stride = 3}), Error);
}

TEST_CASE("offsets of replaced text are those of the caller's bytes, or count its characters") {
    std::mt19937 random(5);
    for (int round = 0; round < 300; ++round) {
        const std::string text = random_bytes(random, round % 30 == 0 ? 8000 : 200);  // short ones are counted, long ones indexed
        EncodeOptions options;
        options.invalid_text = InvalidText::kReplace;
        const SourceText bytes(text, options, "it");
        options.offset_unit = OffsetUnit::kCharacters;
        const SourceText characters(text, options, "it");
        REQUIRE(bytes.text() == replace_invalid_utf8(text));
        REQUIRE(characters.text() == bytes.text());
        std::size_t here = 0, number = 0;
        std::vector<std::pair<std::uint32_t, std::uint32_t>> all, all_numbers;
        for (std::size_t at = 0; at < text.size(); ++number) {
            const Utf8Step step = decode_utf8(text, at);
            const std::size_t next = here + (step.valid ? step.length : 3);
            std::vector<std::pair<std::uint32_t, std::uint32_t>> in_bytes = {
                {static_cast<std::uint32_t>(here), static_cast<std::uint32_t>(next)}};
            auto in_characters = in_bytes;
            bytes.convert(in_bytes);
            characters.convert(in_characters);
            REQUIRE(in_bytes[0] == std::pair(static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + step.length)));
            REQUIRE(in_characters[0] == std::pair(static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number + 1)));
            at += step.length;
            here = next;
            all.insert(all.end(), {{0, static_cast<std::uint32_t>(next)}, {static_cast<std::uint32_t>(next), 0}});
            const auto behind = static_cast<std::uint32_t>(number + 1);
            all_numbers.insert(all_numbers.end(), {{0, behind}, {behind, 0}});
        }
        characters.convert(all);  // from one end to the other and back
        REQUIRE(all == all_numbers);
    }
}

TEST_CASE("a batch that fails or is stopped drops the rest and leaves the tokenizer as it was") {
    BatchRunner runner;
    for (const std::size_t bytes : {std::size_t{100}, std::size_t{1} << 20}) {
        for (const std::size_t threads : {1U, 3U}) {
            std::atomic<int> begun{0};
            std::atomic<bool> failed{false};
            const BatchOptions options{.threads = threads, .progress = {}};
            CHECK_THROWS_AS(runner.run(1000, bytes, options,
                                       [&](std::size_t i) {
                                           ++begun;
                                           if (i == 5) {
                                               failed = true;
                                               fail(Code::kInvalidArgument, "the fifth");
                                           }
                                           // However slow the machine, the failure is heard before the rest is done.
                                           while (threads > 1 && i >= 500 && !failed) std::this_thread::yield();
                                           if (i >= 500) std::this_thread::sleep_for(std::chrono::milliseconds(5));
                                       }),
                            Error);
            CHECK(begun < 1000);
            std::vector<int> seen(500, 0);
            runner.run(500, bytes, options, [&](std::size_t i) { ++seen[i]; });
            CHECK(seen == std::vector<int>(500, 1));
            BatchOptions stopping = options;
            stopping.progress = [](std::uint64_t, std::uint64_t) { return false; };
            CHECK_THROWS_AS(runner.run(10, bytes, stopping, [](std::size_t) {}), Stopped);
        }
    }
}

TEST_CASE("what is written as JSON is read back as it was") {
    const std::string all = [] {
        std::string text;
        for (char32_t value = 0; value < 0x300; ++value) append_utf8(text, value);
        return text + "\xf0\x9f\x98\x80\"\\";
    }();
    JsonText out;
    out.open('{').key(all).text(all).key("list").open('[').integer(-5).number(-0.1).number(3).boolean(true).null().close(']');
    out.members(R"("more":1)").members("").key("end").open('[').close(']').close('}');
    const auto json = nlohmann::json::parse(out.take());
    CHECK(json.at(all) == all);
    CHECK(json.at("list") == nlohmann::json::array({-5, -0.1, 3.0, true, nullptr}));
    CHECK(json.at("list")[2].is_number_float());
    CHECK(json.at("more") == 1);
    std::mt19937_64 random(3);
    for (int i = 0; i < 1000; ++i) {
        const double value = std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 200) - 160);
        CHECK(nlohmann::json::parse(JsonText().number(value).take()).get<double>() == value);
    }
    CHECK_THROWS_AS(JsonText().text("\xff"), Error);
    CHECK_THROWS_AS(JsonText().number(std::numeric_limits<double>::infinity()), Error);
}

TEST_CASE("saved fixtures are the same tokenizers") {
    for (const auto& entry : std::filesystem::directory_iterator(FIXTURES)) {
        const auto rows = goldens::read_lines(entry.path());
        const auto name = entry.path().filename().string();
        const auto original = Tokenizer::from_json(rows[0].dump(), name);
        const std::string saved = original->to_json();
        const auto again = Tokenizer::from_json(saved, name);
        CHECK(again->to_json() == saved);
        for (std::size_t i = 1; i < rows.size(); ++i) {
            if (rows[i].contains("error")) continue;
            INFO(name << " row " << i << ": " << rows[i].dump());
            CHECK(goldens::compare(*again, rows[i]).empty());
        }
    }
}
