// Predicted labels against true ones. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rag::core {

struct LabelReport {
    double accuracy = 0;
    double macro_f1 = 0;                   // mean F1 over the labels that were true or predicted at least once
    std::vector<std::uint64_t> confusion;  // [labels, labels]: row true, column predicted
};

/// Labels are numbers below `labels`. kInvalidArgument: lengths that differ, no item, a label outside, more than 4,096 labels.
LabelReport evaluate_labels(std::span<const std::uint32_t> truth, std::span<const std::uint32_t> predicted, std::uint32_t labels);

}  // namespace rag::core
