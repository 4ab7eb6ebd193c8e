// Reads a retrieval set of RAG_SHARED_DATA (corpus.jsonl.gz, queries.jsonl, qrels.tsv) and judges a ranking by nDCG@10.
// For benchmarks and for the tests of their bars.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/error.hpp"

namespace rag::bench {

/// All lines of a file; gzip or plain.
inline std::vector<std::string> read_lines(const std::filesystem::path& path) {
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

/// Documents are numbered in the order of the file.
struct RetrievalSet {
    std::vector<std::int64_t> ids;
    std::vector<std::string> titles;
    std::vector<std::string> texts;
    std::vector<std::string> queries;                                 // those with judgments
    std::vector<std::unordered_map<std::int64_t, double>> judgments;  // of the queries
};

inline RetrievalSet read_retrieval_set(const std::filesystem::path& folder, const std::string& qrels) {
    RetrievalSet set;
    std::unordered_map<std::string, std::int64_t> numbers;
    for (const std::string& line : read_lines(folder / "corpus.jsonl.gz")) {
        const auto row = nlohmann::json::parse(line);
        const auto number = static_cast<std::int64_t>(set.ids.size());
        numbers[row.at("id").get<std::string>()] = number;
        set.ids.push_back(number);
        set.titles.push_back(row.value("title", std::string()));
        set.texts.push_back(row.at("text").get<std::string>());
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

/// Gains are the judgments themselves, as trec_eval's ndcg_cut. Hit: anything with an id.
template <typename Hit>
double ndcg_at_10(const std::vector<Hit>& hits, const std::unordered_map<std::int64_t, double>& judged) {
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

}  // namespace rag::bench
