// rag_evaluate_*: quality as numbers over C.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "arguments.hpp"
#include "evaluate/labels.hpp"
#include "evaluate/retrieval.hpp"
#include "evaluate/rouge.hpp"
#include "evaluate/significance.hpp"
#include "evaluate/text_scores.hpp"
#include "guard.hpp"

namespace core = rag::core;
using rag::capi::guard;
using rag::capi::require;
using rag::capi::require_array;

struct rag_retrieval_report {
    core::RetrievalReport report;
};

namespace {

std::vector<core::RankedDocument> run_of(const rag_text* queries, const rag_text* documents, const double* scores,
                                         std::size_t count) {
    const auto query_views = rag::capi::texts_of(queries, count, "run_queries");
    const auto document_views = rag::capi::texts_of(documents, count, "run_documents");
    require_array(scores, count, "run_scores");
    std::vector<core::RankedDocument> run(count);
    for (std::size_t i = 0; i < count; ++i) run[i] = {query_views[i], document_views[i], scores[i]};
    return run;
}

std::vector<core::Judgment> judgments_of(const rag_text* queries, const rag_text* documents, const std::int32_t* relevance,
                                         std::size_t count) {
    const auto query_views = rag::capi::texts_of(queries, count, "judged_queries");
    const auto document_views = rag::capi::texts_of(documents, count, "judged_documents");
    require_array(relevance, count, "relevance");
    std::vector<core::Judgment> judgments(count);
    for (std::size_t i = 0; i < count; ++i) judgments[i] = {query_views[i], document_views[i], relevance[i]};
    return judgments;
}

}  // namespace

rag_status rag_evaluate_retrieval(const rag_text* run_queries, const rag_text* run_documents, const double* run_scores,
                                  size_t run_count, const rag_text* judged_queries, const rag_text* judged_documents,
                                  const int32_t* relevance, size_t judged_count, const rag_text* metrics, size_t metric_count,
                                  rag_retrieval_report** report) noexcept {
    return guard([&] {
        require(report, "report") = nullptr;
        const auto run = run_of(run_queries, run_documents, run_scores, run_count);
        const auto judgments = judgments_of(judged_queries, judged_documents, relevance, judged_count);
        const auto names = rag::capi::texts_of(metrics, metric_count, "metrics");
        *report = new rag_retrieval_report{core::evaluate_retrieval(run, judgments, names)};
    });
}

size_t rag_retrieval_report_query_count(const rag_retrieval_report* report) noexcept {
    return report == nullptr ? 0 : report->report.queries.size();
}

rag_text rag_retrieval_report_query_at(const rag_retrieval_report* report, size_t index) noexcept {
    if (report == nullptr || index >= report->report.queries.size()) return {nullptr, 0};
    const std::string& query = report->report.queries[index];
    return {query.data(), query.size()};
}

rag_status rag_retrieval_report_values(const rag_retrieval_report* report, size_t metric, const double** values,
                                       double* mean) noexcept {
    return guard([&] {
        if (values != nullptr) *values = nullptr;
        if (mean != nullptr) *mean = 0;
        const core::RetrievalReport& known = require(report, "report").report;
        if (metric >= known.means.size())
            core::fail(core::Code::kInvalidArgument, "metric is {}, the report has {}", metric, known.means.size());
        if (values != nullptr) *values = known.values[metric].data();
        if (mean != nullptr) *mean = known.means[metric];
    });
}

void rag_retrieval_report_free(rag_retrieval_report* report) noexcept {
    delete report;
}

rag_status rag_evaluate_significance(const double* a, const double* b, size_t count, uint64_t trials, uint64_t seed,
                                     double* difference, double* p_value) noexcept {
    return guard([&] {
        require(difference, "difference") = 0;
        require(p_value, "p_value") = 0;
        require_array(a, count, "a");
        require_array(b, count, "b");
        const core::Significance found = core::paired_randomization({a, count}, {b, count}, trials, seed);
        *difference = found.difference;
        *p_value = found.p_value;
    });
}

rag_status rag_evaluate_text(rag_text answer, const rag_text* references, size_t count, rag_text_scores* scores) noexcept {
    return guard([&] {
        rag_text_scores best = RAG_TEXT_SCORES_INIT;
        rag::capi::write_struct(scores, best, "rag_text_scores");
        const std::string_view text = rag::capi::text_of(answer, "answer");
        const auto views = rag::capi::texts_of(references, count, "references");
        best.exact_match = core::exact_match(text, views);
        best.token_f1 = core::token_f1(text, views);
        for (const std::string_view reference : views) {
            const core::RougeScores rouge = core::rouge(text, reference);
            best.rouge1 = std::max(best.rouge1, rouge.rouge1);
            best.rouge2 = std::max(best.rouge2, rouge.rouge2);
            best.rouge_l = std::max(best.rouge_l, rouge.rouge_l);
        }
        rag::capi::write_struct(scores, best, "rag_text_scores");
    });
}

rag_status rag_evaluate_labels(const uint32_t* truth, const uint32_t* predicted, size_t count, uint32_t labels, double* accuracy,
                               double* macro_f1, uint64_t* confusion) noexcept {
    return guard([&] {
        require(accuracy, "accuracy") = 0;
        require(macro_f1, "macro_f1") = 0;
        require_array(truth, count, "truth");
        require_array(predicted, count, "predicted");
        const core::LabelReport found = core::evaluate_labels({truth, count}, {predicted, count}, labels);
        *accuracy = found.accuracy;
        *macro_f1 = found.macro_f1;
        if (confusion != nullptr) std::ranges::copy(found.confusion, confusion);
    });
}
