// Evaluation: plain lists in, plain numbers out. python/librag/_evaluate.py gives these functions their face.
#include "common.hpp"

namespace rag::python {
namespace {

using Strings = std::vector<std::string>;

/// ((query, document, score) of the run, (query, document, relevance) of the judgments) -> (queries, means, values
/// [metrics][queries])
py::tuple retrieval(const std::vector<std::tuple<std::string, std::string, double>>& run,
                    const std::vector<std::tuple<std::string, std::string, std::int32_t>>& judgments, const Strings& metrics) {
    std::vector<RankedDocument> ranked;
    std::vector<Judgment> judged;
    for (const auto& [query, document, score] : run) ranked.push_back({query, document, score});
    for (const auto& [query, document, relevance] : judgments) judged.push_back({query, document, relevance});
    RetrievalReport report;
    {
        const GilRelease release;
        report = evaluate_retrieval(ranked, judged, metrics);
    }
    return py::make_tuple(report.queries, report.means, report.values);
}

py::tuple compare(const std::vector<double>& a, const std::vector<double>& b, std::uint64_t trials, std::uint64_t seed) {
    Significance found;
    {
        const GilRelease release;
        found = significance(a, b, trials, seed);
    }
    return py::make_tuple(found.difference, found.p_value);
}

py::tuple text(const std::string& answer, const Strings& references) {
    const TextScores scores = evaluate_text(answer, references);
    return py::make_tuple(scores.exact_match, scores.token_f1, scores.rouge1, scores.rouge2, scores.rouge_l);
}

py::tuple labels(const std::vector<std::uint32_t>& truth, const std::vector<std::uint32_t>& predicted, std::uint32_t count) {
    const LabelReport report = evaluate_labels(truth, predicted, count);
    return py::make_tuple(report.accuracy, report.macro_f1, report.confusion);
}

}  // namespace

void bind_evaluate(py::module_& module) {
    module.def("evaluate_retrieval", &retrieval, py::arg("run"), py::arg("judgments"), py::arg("metrics"));
    module.def("significance", &compare, py::arg("a"), py::arg("b"), py::arg("trials"), py::arg("seed"));
    module.def("evaluate_text", &text, py::arg("answer"), py::arg("references"));
    module.def("evaluate_labels", &labels, py::arg("truth"), py::arg("predicted"), py::arg("labels"));
}

}  // namespace rag::python
