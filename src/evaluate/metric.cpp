#include "evaluate/metric.hpp"

#include <array>
#include <charconv>
#include <utility>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr std::array<std::pair<std::string_view, RetrievalMeasure>, 6> kMeasures = {{
    {"ndcg", RetrievalMeasure::kNdcg},
    {"recall", RetrievalMeasure::kRecall},
    {"precision", RetrievalMeasure::kPrecision},
    {"map", RetrievalMeasure::kMap},
    {"mrr", RetrievalMeasure::kMrr},
    {"hit", RetrievalMeasure::kHit},
}};

std::size_t depth_of(std::string_view name, std::string_view digits) {
    std::size_t depth = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), depth);
    if (error != std::errc() || end != digits.data() + digits.size() || depth == 0)
        fail(Code::kInvalidArgument, "metric {}: after @ stands {}, it must be a whole number from 1", quote(name),
             quote(digits));
    return depth;
}

}  // namespace

RetrievalMetric parse_metric(std::string_view name) {
    const std::size_t at = name.find('@');
    const std::string_view base = name.substr(0, at);
    for (const auto& [known, measure] : kMeasures) {
        if (known != base) continue;
        RetrievalMetric metric{measure, 0};
        if (at != std::string_view::npos) metric.depth = depth_of(name, name.substr(at + 1));
        if (measure == RetrievalMeasure::kPrecision && metric.depth == 0)
            fail(Code::kInvalidArgument, "metric \"precision\" needs a depth, such as precision@10");
        return metric;
    }
    fail(Code::kInvalidArgument,
         "there is no metric {}: ndcg, recall, precision, map, mrr and hit, with @k or without, such as ndcg@10", quote(name));
}

}  // namespace rag::core
