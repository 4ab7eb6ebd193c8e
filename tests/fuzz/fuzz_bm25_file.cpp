// Fuzzes the reader of BM25 index files: the bytes as a whole file, and, so that no checksum stands in the way, as the block of
// one segment. What is accepted must be searchable, removable and mergeable without touching memory it does not own.
// link: rag_index_bm25 rag_core
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "index/bm25/bm25_index.hpp"
#include "index/bm25/segment_merge.hpp"

namespace {

using namespace rag::core;

constexpr std::string_view kQuery = "the foxes and a dog \xE9\xAB\x98\xE8\xA1\x80\xE5\x8E\x8B w1 w2 w3";

void use_file(const std::shared_ptr<std::vector<std::byte>>& bytes) {
    std::unique_ptr<Bm25Index> index;
    try {
        index = Bm25Index::parse(*bytes, bytes, "fuzz");
    } catch (const Error&) {
        return;  // refused by name: all that is asked
    }
    static_cast<void>(index->search(kQuery, 3));
    std::string why;
    static_cast<void>(index->verify(why));
    const auto ids = index->ids();
    const std::size_t size = index->size();
    try {
        index->remove(ids);
        if (index->size() != 0) std::abort();
    } catch (const Error& error) {
        if (error.code() != Code::kCorrupt || index->size() != size) std::abort();
    }
}

void use_segment(const std::shared_ptr<std::vector<std::byte>>& bytes) {
    Snapshot snapshot;
    try {
        snapshot.segments.push_back({Segment::open(*bytes, bytes, "fuzz"), nullptr});
    } catch (const Error&) {
        return;
    }
    snapshot.settle();
    const Segment& segment = *snapshot.segments[0].segment;
    const Bm25Query query = make_query(Analyzer(), snapshot, kQuery, 1.2, 0.75);
    static_cast<void>(search_snapshot(snapshot, query, 3, nullptr));
    static_cast<void>(search_snapshot_exhaustive(snapshot, query, 3, nullptr));
    std::string why;
    static_cast<void>(segment.verify(1.2, 0.75, why));
    const std::vector<std::uint32_t> first{0};
    try {
        snapshot.segments[0].removed = Tombstones::with(segment, nullptr, first);
    } catch (const Error&) {
        return;  // a forged list of terms
    }
    const SegmentParts parts = merge_segments(snapshot.segments);
    if (parts.ids.size() + 1 != segment.documents()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto* begin = reinterpret_cast<const std::byte*>(data);
    const auto bytes = std::make_shared<std::vector<std::byte>>(begin, begin + size);
    use_file(bytes);
    use_segment(bytes);
    return 0;
}
