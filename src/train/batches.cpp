#include "train/batches.hpp"

#include <algorithm>
#include <numeric>

#include "train/random.hpp"

namespace rag::core {
namespace {

/// Batches that are sorted by length together: enough for even lengths, few enough that the order stays random.
constexpr std::size_t kWindowBatches = 32;
constexpr std::size_t kUnlimitedWindow = 1024;  // examples, where their number in a batch is not limited

void cut_window(std::span<const std::uint32_t> window, std::span<const std::uint32_t> lengths, const BatchLimit& limit,
                Batches& out) {
    std::vector<std::uint32_t> batch;
    std::uint64_t tokens = 0;
    for (const std::uint32_t example : window) {
        const bool full = (limit.examples != 0 && batch.size() == limit.examples) ||
                          (limit.tokens != 0 && tokens + lengths[example] > limit.tokens);
        if (full && !batch.empty()) {
            out.push_back(std::move(batch));
            batch.clear();
            tokens = 0;
        }
        batch.push_back(example);
        tokens += lengths[example];
    }
    if (!batch.empty()) out.push_back(std::move(batch));
}

}  // namespace

Batches order_batches(std::span<const std::uint32_t> lengths, const BatchLimit& limit, std::uint64_t seed, std::uint64_t epoch) {
    std::vector<std::uint32_t> order(lengths.size());
    std::iota(order.begin(), order.end(), 0U);
    CounterRandom(seed, 2 * epoch).shuffle(std::span(order));
    const std::size_t window = limit.examples != 0 ? static_cast<std::size_t>(limit.examples) * kWindowBatches : kUnlimitedWindow;
    Batches batches;
    for (std::size_t begin = 0; begin < order.size(); begin += window) {
        const std::size_t count = std::min(window, order.size() - begin);
        const std::span<std::uint32_t> part = std::span(order).subspan(begin, count);
        std::stable_sort(part.begin(), part.end(), [&](std::uint32_t a, std::uint32_t b) { return lengths[a] < lengths[b]; });
        cut_window(part, lengths, limit, batches);
    }
    CounterRandom(seed, 2 * epoch + 1).shuffle(std::span(batches));
    return batches;
}

Batches keep_order(std::span<const std::uint32_t> lengths, const BatchLimit& limit) {
    std::vector<std::uint32_t> order(lengths.size());
    std::iota(order.begin(), order.end(), 0U);
    Batches batches;
    cut_window(order, lengths, limit, batches);
    return batches;
}

std::vector<std::span<const std::uint32_t>> cut_by_tokens(std::span<const std::uint32_t> items,
                                                          std::span<const std::uint32_t> lengths, std::uint64_t tokens) {
    std::vector<std::span<const std::uint32_t>> runs;
    std::size_t begin = 0;
    std::uint64_t filled = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > begin && filled + lengths[items[i]] > tokens) {
            runs.push_back(items.subspan(begin, i - begin));
            begin = i;
            filled = 0;
        }
        filled += lengths[items[i]];
    }
    if (begin < items.size()) runs.push_back(items.subspan(begin));
    return runs;
}

}  // namespace rag::core
