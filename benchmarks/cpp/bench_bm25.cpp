// Quality and speed of BM25 on the retrieval sets of RAG_SHARED_DATA: nDCG@10, documents/s (one thread, one add call), queries/s
// (one thread, k = 10), both by processor time, the best of three rounds. One line a set, tab-separated, for
// benchmarks/python/bench_bm25.py, which runs a peer beside it.
//
//     RAG_SHARED_DATA=... bench_bm25 [folder of one set [name of its judgments]]
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
#include "retrieval_set.hpp"

namespace {

using rag::bench::RetrievalSet;
using rag::core::Bm25Hit;
using rag::core::Bm25Index;

/// Processor time of this process, so that a busy machine does not change the figures of one thread.
double cpu_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void run(const std::filesystem::path& folder, const std::string& qrels) {
    const RetrievalSet set = rag::bench::read_retrieval_set(folder, qrels);
    const std::vector<std::string_view> texts(set.texts.begin(), set.texts.end());
    double add_seconds = std::numeric_limits<double>::max();
    double query_seconds = std::numeric_limits<double>::max();
    double quality = 0;
    std::uint64_t bytes = 0;
    for (int round = 0; round < 3; ++round) {
        Bm25Index index;
        const double start = cpu_seconds();
        index.add(set.ids, texts);
        add_seconds = std::min(add_seconds, cpu_seconds() - start);
        std::vector<std::vector<Bm25Hit>> results(set.queries.size());
        const double begin = cpu_seconds();
        for (std::size_t i = 0; i < set.queries.size(); ++i) results[i] = index.search(set.queries[i], 10);
        query_seconds = std::min(query_seconds, cpu_seconds() - begin);
        quality = 0;
        for (std::size_t i = 0; i < results.size(); ++i) quality += rag::bench::ndcg_at_10(results[i], set.judgments[i]);
        bytes = index.stats().bytes;
    }
    fmt::print("{}\t{}\t{} documents\t{} queries\tndcg@10 {:.4f}\t{:.0f} documents/s\t{:.0f} queries/s\t{:.1f} MB\n",
               folder.filename().string(), qrels, set.ids.size(), set.queries.size(),
               quality / static_cast<double>(set.queries.size()), static_cast<double>(set.ids.size()) / add_seconds,
               static_cast<double>(set.queries.size()) / query_seconds, static_cast<double>(bytes) / 1e6);
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc > 1) {
        run(argv[1], argc > 2 ? argv[2] : "qrels.tsv");
        return 0;
    }
    const char* root = std::getenv("RAG_SHARED_DATA");
    if (root == nullptr) rag::core::fail(rag::core::Code::kNotFound, "RAG_SHARED_DATA names no folder");
    const std::filesystem::path data(root);
    run(data / "en_retrieval_scifact", "qrels_train.tsv");
    for (const char* set :
         {"en_retrieval_scifact", "en_retrieval_cranfield", "en_retrieval_vaswani", "zh_faq_medical", "zh_qa_cmrc2018"}) {
        run(data / set, "qrels.tsv");
    }
    return 0;
} catch (const std::exception& error) {
    fmt::print(stderr, "bench_bm25: {}\n", error.what());
    return 1;
}
