// BM25Index against a naive model of BM25, through random sequences of everything that can be done to it.
#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "index/bm25/bm25_index.hpp"
#include "naive_bm25.hpp"
#include "test_files.hpp"

using namespace rag::core;
using rag::test::NaiveBm25;

namespace {

using Hits = std::vector<Bm25Hit>;

void add(Bm25Index& index, const std::vector<std::pair<std::int64_t, std::string>>& rows) {
    std::vector<std::int64_t> ids;
    std::vector<std::string_view> texts;
    for (const auto& [id, text] : rows) {
        ids.push_back(id);
        texts.push_back(text);
    }
    index.add(ids, texts);
}

std::string random_code(std::mt19937& random) {
    constexpr std::array<const char*, 5> kSigns{"-", "_", "/", "", " "};
    return fmt::format("c{}{}", kSigns.at(random() % kSigns.size()), random() % 25);
}

std::string random_text(std::mt19937& random, std::size_t longest) {
    // Words with Zipf-like frequencies, English and Chinese, and codes in every spelling.
    std::string text;
    const std::size_t size = random() % (longest + 1);
    for (std::size_t i = 0; i < size; ++i) {
        const auto rank = static_cast<unsigned>(std::exp(std::uniform_real_distribution<>(0, 6)(random)));
        if (random() % 5 == 0) {
            text += "\u4e2d";
            text += static_cast<char>(0xE4);
            text += static_cast<char>(0xB8);
            text += static_cast<char>(0x80 + rank % 64);
            text += "\uff0c";
        } else if (random() % 8 == 0) {
            text += random_code(random) + " ";
        } else {
            text += fmt::format("t{} ", rank);
        }
    }
    return text;
}

/// A query of the language from the same words.
std::string random_language_query(std::mt19937& random, bool phrases, int depth = 0) {
    std::string out;
    const std::size_t clauses = 1 + random() % 3;
    for (std::size_t i = 0; i < clauses; ++i) {
        std::string word = random_text(random, 1);
        while (!word.empty() && word.back() == ' ') word.pop_back();
        if (word.empty()) word = "the";
        switch (random() % 11) {
            case 0:
                word += depth < 2 ? " AND (" + random_language_query(random, phrases, depth + 1) + ")" : " OR t2";
                break;
            case 1:
                word = "+" + word;
                break;
            case 2:
                word += " -" + fmt::format("t{}", random() % 9);
                break;
            case 3:
                word = fmt::format("t{}{}* OR {}", 1 + random() % 3, random() % 10, word);
                break;
            case 4:
                word = phrases ? fmt::format("\"t{} t{}\"", 1 + random() % 3, 1 + random() % 3) : "(" + word + " OR t1)";
                break;
            case 5:
                word += fmt::format(" AND NOT t{}", random() % 20);
                break;
            case 6:
                word += " -" + random_code(random);
                break;
            case 7:
                word = fmt::format("c-{}* OR {}", random() % 3, word);
                break;
            case 8:
                word = "\"c-" + std::to_string(random() % 9) + "\"";
                break;
            default:
                break;
        }
        out += word + " ";
    }
    return out;
}

/// What search() gave against the model's scores.
void check_hits(const Hits& hits, std::size_t k, const std::map<std::int64_t, double>& expected, const IdSet* filter) {
    std::size_t matching = 0;
    for (const auto& [id, score] : expected) matching += filter == nullptr || filter->contains(id);
    REQUIRE(hits.size() == std::min(k, matching));
    for (std::size_t i = 0; i < hits.size(); ++i) {
        REQUIRE(expected.contains(hits[i].id));
        REQUIRE(hits[i].score == Approx(expected.at(hits[i].id)).epsilon(1e-5));
        if (i > 0) REQUIRE((hits[i - 1].score > hits[i].score || hits[i - 1].id < hits[i].id));
    }
}

void check_explanations(const Bm25Index& index, const std::string& query, Bm25Syntax syntax) {
    for (const Bm25Hit& hit : index.search(query, 3, nullptr, syntax)) {
        const auto explanation = index.explain(query, hit.id, syntax);
        REQUIRE(explanation.matches);
        REQUIRE(explanation.score == hit.score);
        float sum = 0;
        for (const auto& term : explanation.terms) sum += term.score;
        REQUIRE(sum == hit.score);
    }
}

/// Everything that can be asked must agree with the model.
void check(const Bm25Index& index, const NaiveBm25& model, std::mt19937& random) {
    REQUIRE(index.size() == model.documents.size());
    std::vector<std::int64_t> ids;
    for (const auto& [id, document] : model.documents) ids.push_back(id);
    REQUIRE(index.ids() == ids);
    std::erase_if(ids, [](std::int64_t id) { return id % 2 == 0; });
    const IdSet odd(ids);
    for (int round = 0; round < 6; ++round) {
        const bool language = round % 2 == 1;
        const Bm25Syntax syntax = language ? Bm25Syntax::kLanguage : Bm25Syntax::kPlain;
        const std::string query = language ? random_language_query(random, index.options().positions) : random_text(random, 8);
        INFO(query);
        const auto expected = language ? model.language_scores(query) : model.scores(query);
        const std::size_t k = random() % 30;
        for (const IdSet* filter : {static_cast<const IdSet*>(nullptr), &odd}) {
            const Hits hits = index.search(query, k, filter, syntax);
            REQUIRE(hits == index.search_exhaustive(query, k, filter, syntax));
            check_hits(hits, k, expected, filter);
        }
        std::vector<std::int64_t> asked{-5, 1000000};
        for (std::size_t i = 0; i < 5 && !ids.empty(); ++i) asked.push_back(ids[random() % ids.size()]);
        const auto scores = index.score(query, asked, syntax);
        for (std::size_t i = 0; i < asked.size(); ++i) {
            const auto found = expected.find(asked[i]);
            REQUIRE(scores[i] == Approx(found == expected.end() ? 0.0 : found->second).epsilon(1e-5));
        }
        check_explanations(index, query, syntax);
    }
    std::string why;
    INFO(why);
    REQUIRE(index.verify(why));
}

/// Options of every kind, one set a seed.
Bm25Options random_options(unsigned seed) {
    Bm25Options options;
    options.variant = static_cast<Bm25Variant>(seed % 4);
    options.title_weight = std::vector<double>{2, 1, 0.5, 1.25, 0}[seed % 5];
    options.positions = seed % 2 == 1;
    options.k3 = std::vector<double>{1, std::numeric_limits<double>::infinity(), 0}[seed % 3];
    if (seed % 7 == 3) options.k1 = 0;
    if (seed % 7 == 5) options.b = 1;
    return options;
}

/// One history: documents come, are replaced, go; the index is sealed, compacted, saved and loaded.
class History {
  public:
    explicit History(unsigned seed)
        : random_(seed),
          most_(seed % 3 == 0 ? 200 : 8),
          index_(std::make_unique<Bm25Index>(random_options(seed))),
          model_(random_options(seed)) {}

    void run() {
        for (int step = 0; step < 60; ++step) {
            const std::size_t kind = random_() % 10;
            if (kind < 3) put(false);
            if (kind == 3 || kind == 4) put(true);
            if (kind == 5 || kind == 6) remove();
            if (kind == 7) index_->seal();
            if (kind == 8) index_->compact();
            if (kind == 9) reload(step);
            if (step % 6 == 5) check(*index_, model_, random_);
        }
        const std::vector<std::int64_t> all = index_->ids();
        CHECK(index_->remove(all) == all.size());
        model_.documents.clear();
        check(*index_, model_, random_);
        CHECK(index_->stats().bytes == 0);
    }

  private:
    void put(bool replace) {
        std::vector<std::int64_t> ids;
        std::vector<std::string> titles;
        std::vector<std::string> texts;
        std::size_t expected = 0;
        for (std::size_t i = random_() % most_; i-- > 0;) {
            auto id = static_cast<std::int64_t>(random_() % 5000) - 100;
            if (replace && !model_.documents.empty() && random_() % 2 == 0) {
                id = std::next(model_.documents.begin(), static_cast<std::ptrdiff_t>(random_() % model_.documents.size()))->first;
            }
            const bool there = model_.documents.contains(id);
            if ((there && !replace) || std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
            expected += there;
            ids.push_back(id);
            titles.push_back(random_text(random_, 4));
            texts.push_back(random_text(random_, 40));
        }
        const std::vector<std::string_view> title_views(titles.begin(), titles.end());
        const std::vector<std::string_view> text_views(texts.begin(), texts.end());
        if (replace) {
            REQUIRE(index_->upsert(ids, title_views, text_views) == expected);
        } else {
            index_->add(ids, title_views, text_views);
        }
        for (std::size_t i = 0; i < ids.size(); ++i) model_.put(ids[i], titles[i], texts[i]);
    }
    void remove() {
        std::vector<std::int64_t> gone;
        std::size_t expected = 0;
        for (std::size_t i = random_() % (model_.documents.size() / 4 + 2); i-- > 0 && !model_.documents.empty();) {
            const auto at = std::next(model_.documents.begin(), static_cast<std::ptrdiff_t>(random_() % model_.documents.size()));
            gone.push_back(at->first);
            gone.push_back(at->first);
            model_.documents.erase(at);
            ++expected;
        }
        gone.push_back(999999);
        REQUIRE(index_->remove(gone) == expected);
    }
    void reload(int step) {
        index_->save(folder_.path() / "index", static_cast<std::uint64_t>(step));
        index_ = Bm25Index::load(folder_.path() / "index");
        REQUIRE(index_->stats().sequence == static_cast<std::uint64_t>(step));
    }

    const rag::test::TemporaryFolder folder_;
    std::mt19937 random_;
    std::size_t most_;
    std::unique_ptr<Bm25Index> index_;
    NaiveBm25 model_;
};

}  // namespace

TEST_CASE("random histories agree with a naive BM25, whatever the options") {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        History(seed).run();
    }
}

TEST_CASE("pruned search equals exhaustive search on a larger collection, in every variant") {
    for (unsigned variant = 0; variant < 4; ++variant) {
        std::mt19937 random(99 + variant);
        Bm25Options options;
        options.variant = static_cast<Bm25Variant>(variant);
        Bm25Index index(options);
        std::vector<std::pair<std::int64_t, std::string>> rows;
        const auto rare_word = [&random] { return fmt::format(" rare{}", random() % 3000); };
        for (std::int64_t id = 0; id < 30000; ++id) rows.emplace_back(id * 3 % 30001, random_text(random, 30) + rare_word());
        add(index, rows);
        std::vector<std::int64_t> gone;
        for (std::int64_t id = 0; id < 3000; ++id) gone.push_back(id * 7);
        index.remove(gone);
        // The average length changes, and with it the bounds that segments keep.
        rows.clear();
        for (std::int64_t id = 40000; id < 44000; ++id) rows.emplace_back(id, random_text(random, 200));
        add(index, rows);
        for (int round = 0; round < 120; ++round) {
            const bool language = round % 4 == 3;
            std::string query = language ? random_language_query(random, false) : random_text(random, 10);
            // Rare words alone go by large windows, beside a frequent one they spare its list.
            if (round % 4 == 1) query = rare_word() + rare_word() + rare_word() + rare_word();
            if (round % 8 == 2) query = random_text(random, 1) + rare_word();
            const Bm25Syntax syntax = language ? Bm25Syntax::kLanguage : Bm25Syntax::kPlain;
            const std::size_t k = std::vector<std::size_t>{1, 10, 100}[random() % 3];
            INFO(query);
            REQUIRE(index.search(query, k, nullptr, syntax) == index.search_exhaustive(query, k, nullptr, syntax));
        }
    }
}

TEST_CASE("small things are right") {
    Bm25Index index;
    CHECK(index.search("anything", 10).empty());
    add(index, {{7, "the quick brown fox"}, {3, "the quick brown fox"}, {5, ""}, {9, "\u9ad8\u8840\u538b\u60a3\u8005"}});
    CHECK(index.search("fox", 0).empty());
    CHECK(index.search("the", 10).empty());
    CHECK(index.search("\xff\xfe", 10).empty());
    const Hits hits = index.search("FOXES \xff", 10);
    REQUIRE(hits.size() == 2);
    CHECK(hits[0].id == 3);  // equal scores by ascending id
    CHECK(hits[0].score == hits[1].score);
    CHECK(index.search("\u9ad8\u8840\u538b", 1)[0].id == 9);
    CHECK(index.contains(5));
    CHECK_FALSE(index.contains(4));
    CHECK(index.explain("fox fox dog", 3).terms.size() == 1);
    CHECK(index.explain("fox", 9).score == 0);
    CHECK(index.explain("fox", 3).text().find("fox") != std::string::npos);
    std::string repeated;
    for (int i = 0; i < 1000; ++i) repeated += "fox ";
    add(index, {{100, repeated}});
    CHECK(index.explain("fox", 100).terms[0].frequency == 1000);
    CHECK(index.search("fox", 9) == index.search_exhaustive("fox", 9));
    std::string why;
    CHECK(index.verify(why));
}

TEST_CASE("a failed call changes nothing and says what was wrong") {
    Bm25Index index;
    add(index, {{1, "one"}, {2, "two"}});
    CHECK_THROWS_WITH(add(index, {{3, "three"}, {1, "one"}}), Catch::Contains("document 1 "));
    CHECK_THROWS_WITH(add(index, {{3, "three"}, {3, "one"}}), Catch::Contains("document 3 comes twice"));
    CHECK_THROWS_WITH(add(index, {{3, "three"}, {4, "bad \xff"}}), Catch::Contains("document 4") && Catch::Contains("offset 4"));
    const std::vector<std::int64_t> ids{8, 9};
    const std::vector<std::string_view> texts{"eight"};
    CHECK_THROWS_WITH(index.add(ids, texts), Catch::Contains("2 ids for 1 texts"));
    const std::vector<std::string_view> both{"eight", "nine"};
    CHECK_THROWS_AS(index.add(ids, both, [](std::uint64_t, std::uint64_t) { return false; }), Stopped);
    CHECK(index.ids() == std::vector<std::int64_t>{1, 2});
    CHECK(index.search("three eight", 5).empty());
    CHECK_THROWS_WITH(index.explain("one", 77), Catch::Contains("77"));
    CHECK_THROWS_AS(Bm25Index({-1, 0.75, "auto"}), Error);
    CHECK_THROWS_AS(Bm25Index({1.2, 1.5, "auto"}), Error);
    CHECK_THROWS_AS(Bm25Index({std::nan(""), 0.5, "auto"}), Error);
    CHECK_THROWS_AS(Bm25Index({1.2, 0.75, "klingon"}), Error);
    Bm25Options options;
    options.title_weight = 1.3;
    CHECK_THROWS_WITH(Bm25Index(options), Catch::Contains("1.3") && Catch::Contains("1/8"));
    options.title_weight = 1;
    options.k3 = -1;
    CHECK_THROWS_WITH(Bm25Index(options), Catch::Contains("k3 is -1"));
    options.k3 = 1;
    options.variant = static_cast<Bm25Variant>(7);
    CHECK_THROWS_WITH(Bm25Index(options), Catch::Contains("variant 7"));
    CHECK(index.search("one two", 5) == index.search_exhaustive("one two", 5));
}

TEST_CASE("searches see whole states while one thread writes") {
    Bm25Index index;
    add(index, {{-1, "anchor stays"}});
    std::atomic<bool> done{false};
    std::atomic<int> wrong{0};
    std::atomic<int> searches{0};
    std::vector<std::thread> readers;
    for (int t = 0; t < 3; ++t) {
        readers.emplace_back([&] {
            while (!done) {
                // Pairs are added and removed together, so a search finds an even number of them.
                const Hits hits = index.search("pair", 1000);
                wrong += hits.size() % 2 != 0;
                for (std::size_t i = 1; i < hits.size(); ++i) wrong += hits[i - 1].score < hits[i].score;
                wrong += index.search("anchor", 5).size() != 1;
                wrong += index.explain("anchor", -1).score <= 0;
                ++searches;
            }
        });
    }
    for (std::int64_t i = 0; i < 300; ++i) {
        add(index, {{2 * i, fmt::format("pair left number{}", i)}, {2 * i + 1, "pair right"}});
        if (i % 3 == 2) {
            const std::vector<std::int64_t> gone{2 * i - 2, 2 * i - 1};
            index.remove(gone);
        }
        if (i % 50 == 49) index.compact();
    }
    while (searches < 20) std::this_thread::yield();
    done = true;
    for (auto& reader : readers) reader.join();
    CHECK(wrong == 0);
    CHECK(index.size() == 1 + 600 - 200);
}

TEST_CASE("removal brings its space back") {
    std::mt19937 random(5);
    Bm25Index index;
    Bm25Index fresh;
    std::vector<std::pair<std::int64_t, std::string>> rows;
    for (std::int64_t id = 0; id < 2000; ++id) rows.emplace_back(id, random_text(random, 60));
    add(index, rows);
    for (int round = 0; round < 5; ++round) {
        std::vector<std::int64_t> gone;
        for (const auto& [id, text] : rows) gone.push_back(id);
        gone.resize(1000);
        index.remove(gone);
        add(index, {rows.begin(), rows.begin() + 1000});
    }
    index.compact();
    add(fresh, rows);
    fresh.compact();
    CHECK(index.stats().removed == 0);
    CHECK(index.stats().bytes == fresh.stats().bytes);
    CHECK(index.search("t3 t5 t9", 50) == fresh.search("t3 t5 t9", 50));
}

TEST_CASE("merging stops when the caller wants, and leaves the index as it was") {
    std::mt19937 random(6);
    Bm25Index index;
    for (std::int64_t id = 0; id < 3000; id += 1000) {
        std::vector<std::pair<std::int64_t, std::string>> rows;
        for (std::int64_t i = 0; i < 1000; ++i) rows.emplace_back(id + i, random_text(random, 30));
        add(index, rows);
    }
    const auto before = index.search("t3 t5 t9", 50);
    const std::size_t segments = index.stats().segments;
    REQUIRE(segments > 1);
    int asked = 0;
    CHECK_THROWS_AS(index.compact([&](std::uint64_t, std::uint64_t) { return ++asked < 5; }), Stopped);
    CHECK(index.stats().segments == segments);
    // The fourth segment of one size sets off a merge, within the addition: its look at the caller's wish comes after all
    // documents were counted.
    std::vector<std::int64_t> ids(1000);
    std::vector<std::string> texts(1000);
    std::vector<std::string_view> views(1000);
    for (std::size_t i = 0; i < 1000; ++i) {
        ids[i] = 5000 + static_cast<std::int64_t>(i);
        texts[i] = random_text(random, 30);
        views[i] = texts[i];
    }
    int whole = 0;
    const Progress stop_late = [&](std::uint64_t done, std::uint64_t total) { return done < total || ++whole < 3; };
    CHECK_THROWS_AS(index.add(ids, views, stop_late), Stopped);
    CHECK(index.size() == 3000);
    CHECK(index.search("t3 t5 t9", 50) == before);
    index.add(ids, views);
    CHECK(index.size() == 4000);
    CHECK(index.stats().segments == 1);
}
