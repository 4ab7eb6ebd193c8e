// Fuzzes the reader of BM25 index files: the bytes as a whole file, and, so that no checksum stands in the way, as the block of
// one segment and as the positions of one. What is accepted must be searchable, removable and mergeable without touching memory
// that it does not own.
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
    try {
        static_cast<void>(index->search("\"quick fox\" OR do* -w3", 3, nullptr, Bm25Syntax::kLanguage));
    } catch (const Error& error) {
        if (error.code() != Code::kCorrupt && error.code() != Code::kInvalidArgument) std::abort();
    }
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
    const Bm25Query query = make_query(Analyzer(), snapshot, kQuery, Bm25Parameters());
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

/// The bytes as what a segment of three documents knows of positions.
void use_positions(const std::shared_ptr<std::vector<std::byte>>& bytes) {
    static const std::vector<std::byte> block = [] {
        const Analyzer analyzer;
        SegmentBuilder builder(analyzer, {});
        for (std::int64_t id = 0; id < 3; ++id) builder.add(id, "", "the quick fox and a dog");
        return write_segment(builder.finish(), 1.2, 0.75);
    }();
    try {
        const auto segment = Segment::open(block, nullptr, "fuzz", *bytes);
        if (!segment->positions().exist()) return;
        const Progress no_progress;
        PhraseFinder finder(*segment, {{0, 0}, {1, 1}}, no_progress);
        for (std::uint32_t doc = 0; doc < segment->documents(); ++doc) static_cast<void>(finder.matches(doc));
    } catch (const Error& error) {
        if (error.code() != Code::kCorrupt) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto* begin = reinterpret_cast<const std::byte*>(data);
    const auto bytes = std::make_shared<std::vector<std::byte>>(begin, begin + size);
    use_file(bytes);
    use_segment(bytes);
    use_positions(bytes);
    return 0;
}
