// Quality and speed of BM25 on the retrieval sets of RAG_SHARED_DATA: nDCG@10, documents/s (one thread, one add call), queries/s
// (one thread, k = 10), both by processor time, the best of three rounds. One line a set, tab-separated. benchmarks/bench_bm25.py
// runs the peers beside it.
//
//     RAG_SHARED_DATA=... bench_bm25 [folder of one set [name of its judgments]]
//     RAG_SHARED_DATA=... bench_bm25 --han        terms of Chinese: bigrams, bigrams and characters, ICU words, words and bigrams
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <limits>
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
    if (!first.empty() && first != "--han") {
        run(first, argc > 2 ? argv[2] : "qrels.tsv");
        return 0;
    }
    if (root == nullptr) fail(Code::kNotFound, "RAG_SHARED_DATA names no folder");
    const std::filesystem::path data(root);
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
