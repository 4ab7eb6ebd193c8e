#include "index/vector/tail_scan.hpp"

#include <algorithm>
#include <array>

#include "index/vector/code_bound.hpp"
#include "index/vector/kernels.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kBatch = 256;

}  // namespace

void scan_tail(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch, TopK& top) {
    const Rows& rows = *segment.rows;
    const BoundedCodes* codes = rows.codes();
    if (codes == nullptr) return scan_segment(segment, query, scratch, top);
    if (query.filter != nullptr) list_allowed(segment, *query.filter, scratch);
    const std::uint32_t* list = query.filter == nullptr ? nullptr : scratch.allowed.data();
    const std::size_t size = list == nullptr ? rows.size() : scratch.allowed.size();
    const CodeBound bound(query.metric, encode_query(query.vector, rows.dimension(), scratch), rows.dimension());
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
