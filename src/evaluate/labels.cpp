#include "evaluate/labels.hpp"

#include <cstddef>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr std::uint32_t kMaxLabels = 4096;  // a confusion matrix of 128 MiB

double ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

LabelReport evaluate_labels(std::span<const std::uint32_t> truth, std::span<const std::uint32_t> predicted,
                            std::uint32_t labels) {
    if (truth.size() != predicted.size())
        fail(Code::kInvalidArgument, "{} predicted labels stand beside {} true ones", predicted.size(), truth.size());
    if (truth.empty()) fail(Code::kInvalidArgument, "there are no labels to compare");
    if (labels == 0 || labels > kMaxLabels) fail(Code::kInvalidArgument, "{} labels: there must be 1 to {}", labels, kMaxLabels);
    const std::size_t n = labels;
    LabelReport report;
    report.confusion.resize(n * n);
    std::uint64_t right = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
        if (truth[i] >= labels || predicted[i] >= labels)
            fail(Code::kInvalidArgument, "item {}: true label {} and predicted {} must be below {}", i, truth[i], predicted[i],
                 labels);
        ++report.confusion[truth[i] * n + predicted[i]];
        right += truth[i] == predicted[i] ? 1 : 0;
    }
    report.accuracy = ratio(right, truth.size());
    std::size_t seen = 0;
    for (std::size_t label = 0; label < n; ++label) {
        std::uint64_t is = 0, said = 0;
        for (std::size_t other = 0; other < n; ++other) {
            is += report.confusion[label * n + other];
            said += report.confusion[other * n + label];
        }
        if (is + said == 0) continue;
        report.macro_f1 += ratio(2 * report.confusion[label * n + label], is + said);
        ++seen;
    }
    report.macro_f1 /= static_cast<double>(seen);
    return report;
}

}  // namespace rag::core
