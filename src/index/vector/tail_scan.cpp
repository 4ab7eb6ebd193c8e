#include "index/vector/tail_scan.hpp"

#include <algorithm>
#include <array>

#include "index/vector/kernels.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kBatch = 256;

/// The query's code, and how high a row's score can be at most.
class Bound {
  public:
    Bound(const SegmentQuery& query, std::size_t dimension, Scratch& scratch) : l2_(query.metric == Metric::kL2) {
        const std::size_t stride = padded_codes(dimension);
        if (scratch.query_codes.size() < stride) scratch.query_codes = AlignedArray<std::int8_t>(stride);
        const TailMeta meta = encode_tail_row(query.vector, dimension, scratch.query_codes.data());
        scale_ = meta.scale;
        length_ = meta.length;
        coded_length_ = meta.length + meta.error;
        // Besides: floats are summed in at least 16 parts, and each addition is off by 2^-24 of what it adds up.
        own_error_ = meta.error + meta.length * (1e-6F + 1e-8F * static_cast<float>(dimension));
    }
    float operator()(const TailMeta& row, std::int32_t dot) const noexcept {
        const float product = scale_ * row.scale * static_cast<float>(dot) + own_error_ * row.length + coded_length_ * row.error;
        if (!l2_) return product;
        // The squares are as inexact as their sum is large.
        const float squares = length_ * length_ + row.length * row.length;
        return 2.0F * product - squares * (1.0F - 1e-6F);
    }

  private:
    bool l2_;
    float scale_;
    float length_;
    float coded_length_;
    float own_error_;
};

}  // namespace

void scan_tail(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch, TopK& top) {
    const Rows& rows = *segment.rows;
    const TailCodes* codes = rows.codes();
    if (codes == nullptr) return scan_segment(segment, query, scratch, top);
    if (query.filter != nullptr) list_allowed(segment, *query.filter, scratch);
    const std::uint32_t* list = query.filter == nullptr ? nullptr : scratch.allowed.data();
    const std::size_t size = list == nullptr ? rows.size() : scratch.allowed.size();
    const Bound bound(query, rows.dimension(), scratch);
    std::array<std::int32_t, kBatch> dots;
    for (std::size_t begin = 0; begin < size; begin += kBatch) {
        const std::size_t count = std::min(kBatch, size - begin);
        const std::int8_t* base = list == nullptr ? codes->data() + begin * codes->stride() : codes->data();
        kernels().dot_i8_rows(scratch.query_codes.data(), base, list == nullptr ? nullptr : list + begin, count, codes->stride(),
                              dots.data());
        scratch.batch.clear();
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t row = list == nullptr ? begin + i : list[begin + i];
            if (!top.admits(bound(codes->meta(row), dots[i])) || rows.dead(row)) continue;
            scratch.batch.push_back(static_cast<std::uint32_t>(row));
        }
        offer_rows(segment, scratch.batch.data(), 0, scratch.batch.size(), query, scratch, top);
    }
}

}  // namespace rag::core
