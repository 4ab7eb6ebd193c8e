// rag::evaluate_retrieval, significance, evaluate_text, evaluate_labels: quality as numbers. Any thread at any time.
#pragma once

#include <rag/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rag {

/// A document that a run found for a query; higher scores are better.
struct RankedDocument {
    std::string query, document;
    double score = 0;
};
/// Relevant from 1 on.
struct Judgment {
    std::string query, document;
    std::int32_t relevance = 0;
};
struct RetrievalReport {
    std::vector<std::string> queries;         ///< judged ones
    std::vector<double> means;                ///< [metrics]
    std::vector<std::vector<double>> values;  ///< [metrics][queries]
};

/// As trec_eval; metrics such as "ndcg@10", "recall@100", "precision@5", "map", "mrr@10", "hit@1". Every judged query counts.
inline RetrievalReport evaluate_retrieval(const std::vector<RankedDocument>& run, const std::vector<Judgment>& judgments,
                                          const std::vector<std::string>& metrics) {
    std::vector<rag_text> run_queries, run_documents, judged_queries, judged_documents, names;
    std::vector<double> scores;
    std::vector<std::int32_t> relevance;
    for (const RankedDocument& row : run) {
        run_queries.push_back(detail::text(row.query));
        run_documents.push_back(detail::text(row.document));
        scores.push_back(row.score);
    }
    for (const Judgment& row : judgments) {
        judged_queries.push_back(detail::text(row.query));
        judged_documents.push_back(detail::text(row.document));
        relevance.push_back(row.relevance);
    }
    for (const std::string& name : metrics) names.push_back(detail::text(name));
    rag_retrieval_report* handle = nullptr;
    detail::check(rag_evaluate_retrieval(run_queries.data(), run_documents.data(), scores.data(), run.size(),
                                         judged_queries.data(), judged_documents.data(), relevance.data(), judgments.size(),
                                         names.data(), names.size(), &handle));
    const detail::Handle<rag_retrieval_report, rag_retrieval_report_free> owner(handle);
    RetrievalReport report;
    const std::size_t queries = rag_retrieval_report_query_count(handle);
    for (std::size_t i = 0; i < queries; ++i) report.queries.push_back(detail::copy(rag_retrieval_report_query_at(handle, i)));
    for (std::size_t metric = 0; metric < metrics.size(); ++metric) {
        const double* values = nullptr;
        double mean = 0;
        detail::check(rag_retrieval_report_values(handle, metric, &values, &mean));
        report.means.push_back(mean);
        report.values.emplace_back(values, values + queries);
    }
    return report;
}

struct Significance {
    double difference = 0;  ///< mean of b minus mean of a
    double p_value = 1;     ///< two-sided
};
/// Fisher's randomisation test over paired scores; sizes must be equal.
inline Significance significance(const std::vector<double>& a, const std::vector<double>& b, std::uint64_t trials = 100'000,
                                 std::uint64_t seed = 1) {
    if (a.size() != b.size()) {
        throw Error(RAG_INVALID_ARGUMENT, std::to_string(a.size()) + " scores stand beside " + std::to_string(b.size()) +
                                              ": both must be of the same items");
    }
    Significance result;
    detail::check(rag_evaluate_significance(a.data(), b.data(), a.size(), trials, seed, &result.difference, &result.p_value));
    return result;
}

struct TextScores {
    double exact_match = 0, token_f1 = 0, rouge1 = 0, rouge2 = 0, rouge_l = 0;
};
/// Of each score the best over the references; at least one must be given.
inline TextScores evaluate_text(std::string_view answer, const std::vector<std::string>& references) {
    std::vector<rag_text> texts;
    for (const std::string& reference : references) texts.push_back(detail::text(reference));
    rag_text_scores scores = RAG_TEXT_SCORES_INIT;
    detail::check(rag_evaluate_text(detail::text(answer), texts.data(), texts.size(), &scores));
    return {scores.exact_match, scores.token_f1, scores.rouge1, scores.rouge2, scores.rouge_l};
}

struct LabelReport {
    double accuracy = 0;
    double macro_f1 = 0;
    std::vector<std::uint64_t> confusion;  ///< [labels, labels]: row true, column predicted
};
/// Labels are numbers below `labels`; sizes must be equal.
inline LabelReport evaluate_labels(const std::vector<std::uint32_t>& truth, const std::vector<std::uint32_t>& predicted,
                                   std::uint32_t labels) {
    if (truth.size() != predicted.size()) {
        throw Error(RAG_INVALID_ARGUMENT, std::to_string(predicted.size()) + " predicted labels stand beside " +
                                              std::to_string(truth.size()) + " true ones");
    }
    LabelReport report;
    report.confusion.resize(labels <= 4096 ? std::size_t{labels} * labels : 0);  // more is refused below
    detail::check(rag_evaluate_labels(truth.data(), predicted.data(), truth.size(), labels, &report.accuracy, &report.macro_f1,
                                      report.confusion.data()));
    return report;
}

}  // namespace rag
