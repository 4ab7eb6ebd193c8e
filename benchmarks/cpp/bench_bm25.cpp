// Quality and speed of BM25: nDCG@10, documents/s (one thread, one add call), queries/s (one thread, k = 10), both by processor
// time, the best of three rounds. One line a set, tab-separated. benchmarks/bench_bm25.py runs the peers beside it.
//
//     bench_bm25 [FOLDER [JUDGMENTS]]     the sets of RAG_SHARED_DATA, or one
//     bench_bm25 --generated N [ROUNDS]   N texts with Zipf words; ROUNDS 0: compared with scoring every document
//     bench_bm25 --sweep                  SciFact's training claims by each option, which the defaults were chosen by
//     bench_bm25 --han                    what becomes of Chinese: bigrams, characters, ICU's words
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "index/bm25/bm25_index.hpp"
#include "index/bm25/segment_writer.hpp"
#include "retrieval_set.hpp"

namespace {

using rag::bench::RetrievalSet;
using namespace rag::core;

/// Processor time of this process, so that a busy machine does not change the figures of one thread.
double cpu_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

template <typename Results>
double mean_ndcg(const RetrievalSet& set, const Results& results) {
    double sum = 0;
    for (std::size_t i = 0; i < results.size(); ++i) sum += rag::bench::ndcg_at_10(results[i], set.judgments[i]);
    return sum / static_cast<double>(results.size());
}

void run(const std::filesystem::path& folder, const std::string& qrels) {
    const RetrievalSet set = rag::bench::read_retrieval_set(folder, qrels);
    const std::vector<std::string_view> titles(set.titles.begin(), set.titles.end());
    const std::vector<std::string_view> texts(set.texts.begin(), set.texts.end());
    double add_seconds = std::numeric_limits<double>::max();
    double query_seconds = std::numeric_limits<double>::max();
    double quality = 0;
    std::uint64_t bytes = 0;
    for (int round = 0; round < 3; ++round) {
        Bm25Index index;
        const double start = cpu_seconds();
        index.add(set.ids, titles, texts);
        add_seconds = std::min(add_seconds, cpu_seconds() - start);
        std::vector<std::vector<Bm25Hit>> results(set.queries.size());
        const double begin = cpu_seconds();
        for (std::size_t i = 0; i < set.queries.size(); ++i) results[i] = index.search(set.queries[i], 10);
        query_seconds = std::min(query_seconds, cpu_seconds() - begin);
        quality = mean_ndcg(set, results);
        bytes = index.stats().bytes;
    }
    fmt::print("{}\t{}\t{} documents\t{} queries\tndcg@10 {:.4f}\t{:.0f} documents/s\t{:.0f} queries/s\t{:.1f} MB\n",
               folder.filename().string(), qrels, set.ids.size(), set.queries.size(), quality,
               static_cast<double>(set.ids.size()) / add_seconds, static_cast<double>(set.queries.size()) / query_seconds,
               static_cast<double>(bytes) / 1e6);
}

/// What the defaults were chosen by (docs/bm25.md).
void run_sweep(const std::filesystem::path& data) {
    const RetrievalSet set = rag::bench::read_retrieval_set(data / "en_retrieval_scifact", "qrels_train.tsv");
    const std::vector<std::string_view> titles(set.titles.begin(), set.titles.end());
    const std::vector<std::string_view> texts(set.texts.begin(), set.texts.end());
    const auto print = [&](const Bm25Options& options) {
        Bm25Index index(options);
        index.add(set.ids, titles, texts);
        std::vector<std::vector<Bm25Hit>> results;
        for (const std::string& query : set.queries) results.push_back(index.search(query, 10));
        fmt::print("variant {}\tk1 {}\tb {}\tk3 {}\ttitle weight {}\tdelta {}\tndcg@10 {:.4f}\n",
                   static_cast<unsigned>(options.variant), options.k1, options.b, options.k3, options.title_weight, options.delta,
                   mean_ndcg(set, results));
    };
    const auto vary = [&](const Bm25Options& from, double Bm25Options::* what, std::initializer_list<double> values) {
        for (const double value : values) {
            Bm25Options options = from;
            options.*what = value;
            print(options);
        }
    };
    Bm25Options before;
    before.b = 0.75;
    before.k3 = std::numeric_limits<double>::infinity();
    before.title_weight = 1;
    print(before);
    const Bm25Options now;
    vary(now, &Bm25Options::k1, {0.9, 1.2, 1.5, 1.8, 2.0});
    vary(now, &Bm25Options::b, {0.3, 0.4, 0.5, 0.6, 0.75, 0.9});
    vary(now, &Bm25Options::k3, {0, 0.5, 1, 2, 8, before.k3});
    vary(now, &Bm25Options::title_weight, {1, 1.5, 2, 3, 4});
    for (const Bm25Variant variant : {Bm25Variant::kOkapi, Bm25Variant::kPlus, Bm25Variant::kL}) {
        Bm25Options options;
        options.variant = variant;
        vary(options, &Bm25Options::delta, {0.1, 0.5, 1});
    }
}

/// The defaults but for what becomes of Han; scored by the same code below the analyzer.
void run_han(const std::filesystem::path& folder, HanTerms han, const char* name) {
    const RetrievalSet set = rag::bench::read_retrieval_set(folder, "qrels.tsv");
    const Analyzer analyzer(AnalyzerOptions{"auto", 2, han});
    SegmentBuilder builder(analyzer, {2, 1, false});
    for (std::size_t i = 0; i < set.ids.size(); ++i) builder.add(set.ids[i], set.titles[i], set.texts[i]);
    const Bm25Parameters parameters;
    Snapshot snapshot;
    snapshot.segments.push_back({make_segment(builder.finish(), parameters.k1, parameters.b), nullptr});
    snapshot.settle();
    std::vector<std::vector<Bm25Hit>> results;
    for (const std::string& query : set.queries) {
        results.push_back(search_snapshot(snapshot, make_query(analyzer, snapshot, query, parameters), 10, nullptr));
    }
    fmt::print("{}\t{}\tndcg@10 {:.4f}\t{} terms\t{} postings\n", folder.filename().string(), name, mean_ndcg(set, results),
               snapshot.segments[0].segment->terms(), snapshot.segments[0].segment->postings());
}

/// Texts of some 40 words of a vocabulary of 200,000, rank r as frequent as 1 / r; queries of 2 to 6 words of one text, none of
/// them among the 100 most frequent.
struct Generated {
    std::vector<std::string> texts;
    std::vector<std::string> queries;

    explicit Generated(std::size_t size) {
        constexpr std::size_t kWords = 200'000;
        std::mt19937_64 random(5);
        std::vector<double> steps;
        double sum = 0;
        for (std::size_t rank = 1; rank <= kWords; ++rank) steps.push_back(sum += 1.0 / static_cast<double>(rank));
        std::uniform_real_distribution<> place(0, sum);
        std::lognormal_distribution<> length(3.6, 0.5);
        for (std::size_t i = 0; i < size; ++i) {
            std::string text;
            std::string query;
            std::size_t asked = 2 + random() % 5;
            for (auto left = static_cast<int>(std::clamp(length(random), 5.0, 400.0)); left > 0; --left) {
                const auto rank =
                    static_cast<std::size_t>(std::lower_bound(steps.begin(), steps.end(), place(random)) - steps.begin());
                const std::string word = word_of(rank);
                text += word + " ";
                if (rank < 100 || asked == 0) continue;
                --asked;
                query += word + " ";
            }
            texts.push_back(std::move(text));
            if (i % std::max<std::size_t>(1, size / 300) == 0 && !query.empty()) queries.push_back(std::move(query));
        }
    }

  private:
    /// Ranks are mixed so that frequent words are spread over the dictionary.
    static std::string word_of(std::size_t rank) {
        std::string word;
        for (std::uint64_t left = (rank + 1) * 0x9E3779B97F4A7C15ULL >> 40; left > 0; left /= 75) {
            word += "bcdfghklmnprstv"[left % 15];
            word += "aeiou"[left / 15 % 5];
        }
        return word + "k";
    }
};

void run_generated(std::size_t size, int rounds) {
    const Generated set(size);
    const std::vector<std::string_view> texts(set.texts.begin(), set.texts.end());
    std::vector<std::int64_t> ids(size);
    for (std::size_t i = 0; i < size; ++i) ids[i] = static_cast<std::int64_t>(i);
    Bm25Index index;
    const double start = cpu_seconds();
    index.add(ids, texts);
    const double added = cpu_seconds();
    std::size_t found = 0;
    double seconds = std::numeric_limits<double>::max();
    for (int round = 0; round < rounds; ++round) {
        const double begin = cpu_seconds();
        for (const std::string& query : set.queries) found += index.search(query, 10).size();
        seconds = std::min(seconds, cpu_seconds() - begin);
    }
    if (rounds == 0) {
        for (const std::string& query : set.queries) {
            if (index.search(query, 10) != index.search_exhaustive(query, 10))
                fail(Code::kInternal, "{} ranks differently", query);
        }
    }
    fmt::print("generated\t{} documents\t{:.0f} documents/s\t{:.0f} queries/s\t{} found\t{} segments\t{:.1f} MB\n", size,
               static_cast<double>(size) / (added - start), rounds == 0 ? 0.0 : static_cast<double>(set.queries.size()) / seconds,
               found, index.stats().segments, static_cast<double>(index.stats().bytes) / 1e6);
}

void run_all(const std::filesystem::path& data) {
    run(data / "en_retrieval_scifact", "qrels_train.tsv");
    for (const char* set :
         {"en_retrieval_scifact", "en_retrieval_cranfield", "en_retrieval_vaswani", "zh_faq_medical", "zh_qa_cmrc2018"}) {
        run(data / set, "qrels.tsv");
    }
}

}  // namespace

int main(int argc, char** argv) try {
    const char* root = std::getenv("RAG_SHARED_DATA");
    const std::string first = argc > 1 ? argv[1] : "";
    if (first == "--generated") {
        run_generated(argc > 2 ? std::stoul(argv[2]) : 1'000'000, argc > 3 ? std::stoi(argv[3]) : 3);
        return 0;
    }
    if (!first.empty() && !first.starts_with("--")) {
        run(first, argc > 2 ? argv[2] : "qrels.tsv");
        return 0;
    }
    if (root == nullptr) fail(Code::kNotFound, "RAG_SHARED_DATA names no folder");
    const std::filesystem::path data(root);
    if (first == "--sweep") {
        run_sweep(data);
        return 0;
    }
    if (first != "--han") {
        run_all(data);
        return 0;
    }
    for (const char* set : {"zh_faq_medical", "zh_qa_cmrc2018"}) {
        run_han(data / set, HanTerms::kBigrams, "bigrams");
        run_han(data / set, HanTerms::kBigramsAndCharacters, "bigrams and characters");
        run_han(data / set, HanTerms::kWords, "ICU words");
        run_han(data / set, HanTerms::kWordsAndBigrams, "ICU words and bigrams");
    }
    return 0;
} catch (const std::exception& error) {
    fmt::print(stderr, "bench_bm25: {}\n", error.what());
    return 1;
}
