#include "index/vector/calibrate.hpp"

#include <algorithm>
#include <array>

namespace rag::core {
namespace {

constexpr std::size_t kQueries = 64;
constexpr std::size_t kNearest = 10;
constexpr double kWanted = 0.995;   // of a sample: so that 0.99 holds of all
constexpr std::size_t kBlock = 64;  // rows that stay in the cache while all queries meet them
// A row met on a walk costs as much as so many in a scan, which reads them in order and keeps no beam: measured at 100,000 rows
// of 384, beams of 1,000 and more.
constexpr std::size_t kScanSpeedCodes = 8;
constexpr std::size_t kScanSpeedFloats = 4;
// Found nearest by codes, to be scored again: as a search does.
constexpr std::size_t kRescored = 64;

using Nearest = std::vector<GraphCandidate>;  // a heap, the farthest in front

/// Rows of the lowest layer alone, evenly over the segment. What is on upper layers is found by descending to it, not by the
/// walk.
std::vector<std::uint32_t> sample(const Graph& graph) {
    std::vector<std::uint32_t> out;
    const std::size_t rows = graph.rows();
    for (std::size_t i = 0; i < kQueries; ++i) {
        std::size_t row = i * rows / kQueries;
        while (row < rows && graph.levels[row] > 0) ++row;
        if (row < rows && (out.empty() || out.back() < row)) out.push_back(static_cast<std::uint32_t>(row));
    }
    return out;
}

/// The nearest of each, by a scan of all rows by floats.
std::vector<Nearest> nearest_of(const VectorSegment& segment, Metric metric, const std::vector<std::uint32_t>& queries,
                                const Progress& progress) {
    const Rows& rows = *segment.rows;
    std::vector<Nearest> out(queries.size());
    std::array<float, kBlock> distances;
    for (std::size_t begin = 0; begin < rows.size(); begin += kBlock) {
        if (begin % (16 * kBlock) == 0) report(progress, 0, 0);
        const std::size_t count = std::min(kBlock, rows.size() - begin);
        for (std::size_t i = 0; i < queries.size(); ++i) {
            QueryDistance(metric, rows, rows.vector(queries[i]))(nullptr, begin, count, distances.data());
            for (std::size_t at = 0; at < count; ++at) {
                const GraphCandidate candidate{distances[at], static_cast<std::uint32_t>(begin + at)};
                if (candidate.row == queries[i]) continue;
                if (out[i].size() < kNearest || candidate < out[i].front()) push_bounded(out[i], candidate, kNearest);
            }
        }
    }
    return out;
}

/// Walks of one beam over the sample.
class Trial {
  public:
    Trial(const VectorSegment& segment, Metric metric, const std::vector<std::uint32_t>& queries,
          const std::vector<Nearest>& truth)
        : segment_(segment), metric_(metric), queries_(queries), truth_(truth) {}

    void run(std::size_t beam, const Progress& progress) {
        found_ = wanted_ = met_ = 0;
        for (std::size_t i = 0; i < queries_.size(); ++i) {
            report(progress, 0, 0);
            const float* query = segment_.rows->vector(queries_[i]);
            search_graph(*segment_.graph, quick_distance(segment_, {metric_, query, 0, 0, nullptr}, scratch_), beam, scratch_,
                         queries_[i]);
            met_ += scratch_.touched.size();
            count(truth_[i], query);
        }
    }
    double recall() const { return wanted_ == 0 ? 1.0 : static_cast<double>(found_) / static_cast<double>(wanted_); }
    /// Rows that a walk met, on the average.
    std::size_t met() const { return met_ / queries_.size(); }

  private:
    void count(const Nearest& truth, const float* query) {
        scratch_.batch.clear();
        for (const GraphCandidate& candidate : scratch_.pool) {
            if (scratch_.batch.size() < kRescored) scratch_.batch.push_back(candidate.row);
        }
        wanted_ += truth.size();
        if (truth.empty()) return;
        scratch_.distances.resize(std::max(scratch_.distances.size(), scratch_.batch.size()));
        QueryDistance(metric_, *segment_.rows, query)(scratch_.batch.data(), 0, scratch_.batch.size(), scratch_.distances.data());
        std::size_t right = 0;
        // Equal distances are as good: there may be more of them than the heap holds.
        for (std::size_t i = 0; i < scratch_.batch.size(); ++i)
            right += scratch_.distances[i] <= truth.front().distance ? 1U : 0U;
        found_ += std::min(right, truth.size());
    }

    const VectorSegment& segment_;
    const Metric metric_;
    const std::vector<std::uint32_t>& queries_;
    const std::vector<Nearest>& truth_;
    Scratch scratch_;
    std::size_t found_ = 0;
    std::size_t wanted_ = 0;
    std::size_t met_ = 0;
};

}  // namespace

std::uint32_t calibrate_beam(const VectorSegment& segment, Metric metric, const Progress& progress) {
    const std::vector<std::uint32_t> queries = sample(*segment.graph);
    if (queries.empty()) return kLeastBeam;
    const std::vector<Nearest> truth = nearest_of(segment, metric, queries, progress);
    Trial trial(segment, metric, queries, truth);
    const std::size_t speed = segment.codes ? kScanSpeedCodes : kScanSpeedFloats;
    for (std::uint32_t beam = kLeastBeam;; beam += beam / 2) {
        trial.run(beam, progress);
        if (trial.recall() >= kWanted) return beam;
        if (trial.met() * speed >= segment.rows->size()) return kScanInstead;
    }
}

std::size_t needed_beam(const Graph& graph, std::size_t ef) {
    if (graph.beam <= kLeastBeam) return ef;
    return ef * graph.beam / kLeastBeam;
}

}  // namespace rag::core
