// BM25Index against a naive model of BM25, through random sequences of everything that can be done to it.
#include <algorithm>
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
#include "test_files.hpp"

using namespace rag::core;

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

/// BM25 as the formula says, in double, over whole texts.
class Model {
  public:
    std::map<std::int64_t, std::vector<std::string>> documents;
    double k1 = 1.2;
    double b = 0.75;

    static std::vector<std::string> terms_of(std::string_view text) {
        static const Analyzer analyzer;
        std::vector<Analyzer::Term> terms;
        analyzer.analyze(text, terms);
        std::vector<std::string> out;
        for (auto& term : terms) out.push_back(std::move(term.text));
        return out;
    }
    std::map<std::int64_t, double> scores(std::string_view query) const {
        double total = 0;
        for (const auto& [id, terms] : documents) total += static_cast<double>(terms.size());
        const auto n = static_cast<double>(documents.size());
        std::map<std::int64_t, double> out;
        for (const std::string& term : terms_of(query)) {
            double df = 0;
            for (const auto& [id, terms] : documents) df += std::count(terms.begin(), terms.end(), term) > 0;
            for (const auto& [id, terms] : documents) {
                const auto tf = static_cast<double>(std::count(terms.begin(), terms.end(), term));
                if (tf == 0) continue;
                const double norm = k1 * (1 - b + b * static_cast<double>(terms.size()) / (total / n));
                out[id] += std::log(1 + (n - df + 0.5) / (df + 0.5)) * tf / (tf + norm);
            }
        }
        return out;
    }
};

std::string random_text(std::mt19937& random, std::size_t longest) {
    // Words with Zipf-like frequencies, English and Chinese.
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
        } else {
            text += fmt::format("t{} ", rank);
        }
    }
    return text;
}

/// Everything that can be asked must agree with the model.
void check(const Bm25Index& index, const Model& model, std::mt19937& random) {
    REQUIRE(index.size() == model.documents.size());
    std::vector<std::int64_t> ids;
    for (const auto& [id, terms] : model.documents) ids.push_back(id);
    REQUIRE(index.ids() == ids);
    for (int round = 0; round < 4; ++round) {
        const std::string query = random_text(random, 8);
        const std::size_t k = random() % 30;
        const Bm25Filter odd = [](std::int64_t id) { return id % 2 != 0; };
        const auto expected = model.scores(query);
        for (const Bm25Filter* filter : {static_cast<const Bm25Filter*>(nullptr), &odd}) {
            const Hits hits = index.search(query, k, filter);
            REQUIRE(hits == index.search_exhaustive(query, k, filter));
            std::size_t matching = 0;
            for (const auto& [id, score] : expected) matching += filter == nullptr || odd(id);
            REQUIRE(hits.size() == std::min(k, matching));
            for (std::size_t i = 0; i < hits.size(); ++i) {
                REQUIRE(expected.contains(hits[i].id));
                REQUIRE(hits[i].score == Approx(expected.at(hits[i].id)).epsilon(1e-5));
                if (i > 0) REQUIRE((hits[i - 1].score > hits[i].score || hits[i - 1].id < hits[i].id));
            }
        }
        std::vector<std::int64_t> asked{-5, 1000000};
        for (std::size_t i = 0; i < 5 && !ids.empty(); ++i) asked.push_back(ids[random() % ids.size()]);
        const auto scores = index.score(query, asked);
        for (std::size_t i = 0; i < asked.size(); ++i) {
            const auto found = expected.find(asked[i]);
            REQUIRE(scores[i] == Approx(found == expected.end() ? 0.0 : found->second).epsilon(1e-5));
        }
        for (const Bm25Hit& hit : index.search(query, 3)) {
            const auto explanation = index.explain(query, hit.id);
            REQUIRE(explanation.score == hit.score);
            float sum = 0;
            for (const auto& term : explanation.terms) sum += term.score;
            REQUIRE(sum == hit.score);
        }
    }
    std::string why;
    INFO(why);
    REQUIRE(index.verify(why));
}

}  // namespace

TEST_CASE("random histories agree with a naive BM25") {
    const rag::test::TemporaryFolder folder;
    for (unsigned seed = 1; seed <= 12; ++seed) {
        std::mt19937 random(seed);
        auto index = std::make_unique<Bm25Index>();
        Model model;
        for (int step = 0; step < 60; ++step) {
            switch (random() % 8) {
                case 0:
                case 1:
                case 2: {
                    std::vector<std::pair<std::int64_t, std::string>> rows;
                    std::set<std::int64_t> used;
                    for (std::size_t i = random() % (seed % 3 == 0 ? 200 : 8); i-- > 0;) {
                        const auto id = static_cast<std::int64_t>(random() % 5000) - 100;
                        if (model.documents.contains(id) || !used.insert(id).second) continue;
                        rows.emplace_back(id, random_text(random, 40));
                    }
                    add(*index, rows);
                    for (const auto& [id, text] : rows) model.documents[id] = Model::terms_of(text);
                    break;
                }
                case 3:
                case 4: {
                    std::vector<std::int64_t> gone;
                    std::size_t expected = 0;
                    for (std::size_t i = random() % (1 + model.documents.size() / 4 + 1); i-- > 0 && !model.documents.empty();) {
                        const auto at =
                            std::next(model.documents.begin(), static_cast<std::ptrdiff_t>(random() % model.documents.size()));
                        gone.push_back(at->first);
                        gone.push_back(at->first);
                        model.documents.erase(at);
                        ++expected;
                    }
                    gone.push_back(999999);
                    REQUIRE(index->remove(gone) == expected);
                    break;
                }
                case 5:
                    index->seal();
                    break;
                case 6:
                    index->compact();
                    break;
                case 7:
                    index->save(folder.path() / "index", static_cast<std::uint64_t>(step));
                    index = Bm25Index::load(folder.path() / "index");
                    REQUIRE(index->stats().sequence == static_cast<std::uint64_t>(step));
                    break;
            }
            if (step % 6 == 5) check(*index, model, random);
        }
        check(*index, model, random);
        std::vector<std::int64_t> all = index->ids();
        CHECK(index->remove(all) == all.size());
        model.documents.clear();
        check(*index, model, random);
        CHECK(index->stats().bytes == 0);
    }
}

TEST_CASE("pruned search equals exhaustive search on a larger collection") {
    std::mt19937 random(99);
    Bm25Index index;
    std::vector<std::pair<std::int64_t, std::string>> rows;
    for (std::int64_t id = 0; id < 30000; ++id) rows.emplace_back(id * 3 % 30001, random_text(random, 30));
    add(index, rows);
    std::vector<std::int64_t> gone;
    for (std::int64_t id = 0; id < 3000; ++id) gone.push_back(id * 7);
    index.remove(gone);
    // The average length changes, and with it the bounds that segments keep.
    rows.clear();
    for (std::int64_t id = 40000; id < 44000; ++id) rows.emplace_back(id, random_text(random, 200));
    add(index, rows);
    for (int round = 0; round < 300; ++round) {
        const std::string query = random_text(random, 10);
        const std::size_t k = std::vector<std::size_t>{1, 10, 100}[random() % 3];
        INFO(query);
        REQUIRE(index.search(query, k) == index.search_exhaustive(query, k));
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
    Bm25Filter throwing = [](std::int64_t) -> bool { throw std::runtime_error("from the filter"); };
    CHECK_THROWS_WITH(index.search("one two", 5, &throwing), "from the filter");
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
