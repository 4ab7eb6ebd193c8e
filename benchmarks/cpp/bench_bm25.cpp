// Quality and speed of BM25 on the retrieval sets of RAG_SHARED_DATA: nDCG@10, documents/s (one thread, one add call), queries/s
// (one thread, k = 10). One line a set, tab-separated, for benchmarks/python/bench_bm25.py, which runs a peer beside it.
//
//     RAG_SHARED_DATA=... bench_bm25 [folder of one set]
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/error.hpp"
#include "index/bm25/bm25_index.hpp"

namespace {

using rag::core::Bm25Hit;
using rag::core::Bm25Index;

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// All lines of a file; gzip or plain.
std::vector<std::string> read_lines(const std::filesystem::path& path) {
    gzFile file = gzopen(path.c_str(), "rb");
    if (file == nullptr) rag::core::fail(rag::core::Code::kNotFound, "cannot open {}", path.string());
    std::string all;
    std::vector<char> buffer(1u << 20);
    for (int got = 0; (got = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;) {
        all.append(buffer.data(), static_cast<std::size_t>(got));
    }
    gzclose(file);
    std::vector<std::string> lines;
    std::istringstream stream(all);
    for (std::string line; std::getline(stream, line);) {
        if (!line.empty()) lines.push_back(line);
    }
    return lines;
}

struct Set {
    std::vector<std::int64_t> ids;
    std::vector<std::string> texts;
    std::vector<std::string> queries;                                 // those with judgments
    std::vector<std::unordered_map<std::int64_t, double>> judgments;  // of the queries
};

Set read_set(const std::filesystem::path& folder, const std::string& qrels) {
    Set set;
    std::unordered_map<std::string, std::int64_t> numbers;
    for (const std::string& line : read_lines(folder / "corpus.jsonl.gz")) {
        const auto row = nlohmann::json::parse(line);
        const auto number = static_cast<std::int64_t>(set.ids.size());
        numbers[row.at("id").get<std::string>()] = number;
        set.ids.push_back(number);
        set.texts.push_back(row.value("title", std::string()) + " " + row.at("text").get<std::string>());
    }
    std::unordered_map<std::string, std::unordered_map<std::int64_t, double>> judged;
    const auto lines = read_lines(folder / qrels);
    for (std::size_t i = 1; i < lines.size(); ++i) {
        std::istringstream row(lines[i]);
        std::string query;
        std::string document;
        double value = 0;
        row >> query >> document >> value;
        if (value > 0) judged[query][numbers.at(document)] = value;
    }
    for (const std::string& line : read_lines(folder / "queries.jsonl")) {
        const auto row = nlohmann::json::parse(line);
        const auto found = judged.find(row.at("id").get<std::string>());
        if (found == judged.end()) continue;
        set.queries.push_back(row.at("text").get<std::string>());
        set.judgments.push_back(found->second);
    }
    return set;
}

double ndcg_at_10(const std::vector<Bm25Hit>& hits, const std::unordered_map<std::int64_t, double>& judged) {
    double gain = 0;
    for (std::size_t i = 0; i < hits.size() && i < 10; ++i) {
        const auto found = judged.find(hits[i].id);
        if (found != judged.end()) gain += found->second / std::log2(static_cast<double>(i) + 2);
    }
    std::vector<double> best;
    for (const auto& [id, value] : judged) best.push_back(value);
    std::sort(best.rbegin(), best.rend());
    double ideal = 0;
    for (std::size_t i = 0; i < best.size() && i < 10; ++i) ideal += best[i] / std::log2(static_cast<double>(i) + 2);
    return ideal > 0 ? gain / ideal : 0;
}

void run(const std::filesystem::path& folder, const std::string& qrels) {
    const Set set = read_set(folder, qrels);
    const std::vector<std::string_view> texts(set.texts.begin(), set.texts.end());
    double add_seconds = std::numeric_limits<double>::max();
    double query_seconds = std::numeric_limits<double>::max();
    double quality = 0;
    std::uint64_t bytes = 0;
    for (int round = 0; round < 3; ++round) {
        Bm25Index index;
        const auto start = std::chrono::steady_clock::now();
        index.add(set.ids, texts);
        add_seconds = std::min(add_seconds, seconds_since(start));
        std::vector<std::vector<Bm25Hit>> results(set.queries.size());
        const auto begin = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < set.queries.size(); ++i) results[i] = index.search(set.queries[i], 10);
        query_seconds = std::min(query_seconds, seconds_since(begin));
        quality = 0;
        for (std::size_t i = 0; i < results.size(); ++i) quality += ndcg_at_10(results[i], set.judgments[i]);
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
