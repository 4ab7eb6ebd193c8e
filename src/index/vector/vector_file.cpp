#include "index/vector/vector_file.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/byte_reader.hpp"
#include "core/checksum.hpp"
#include "index/vector/calibrate.hpp"
#include "index/vector/kernels.hpp"
#include "index/vector/merge_policy.hpp"

namespace rag::core {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian and used as mapped");

constexpr std::array<char, 8> kMagic{'R', 'A', 'G', 'V', 'E', 'C', 0, 0};
constexpr std::array<char, 8> kEndMagic{'R', 'A', 'G', 'V', 'E', 'N', 'D', 0};
constexpr std::size_t kBlock = 1U << 20;
constexpr std::size_t kAlign = 64;

struct Header {
    std::array<char, 8> magic;
    std::uint32_t version;
    std::uint32_t header_bytes;
    std::uint32_t dimension;
    std::uint32_t metric;
    std::uint32_t type;
    std::uint32_t m;
    std::uint32_t ef_construction;
    std::uint32_t block_bytes;
    std::uint64_t seed;
    std::uint64_t sequence;
    std::uint64_t segments;
    std::uint64_t live;
    std::array<std::uint64_t, 7> reserved;
};
static_assert(sizeof(Header) == 128);

struct SegmentHeader {
    std::uint64_t rows;
    std::uint64_t dead;
    std::uint32_t sealed;
    std::uint32_t entry;
    std::uint32_t top_level;
    std::uint32_t has_codes;
    std::uint64_t upper_lists;
    std::uint64_t stragglers;
    std::uint32_t beam;       // of Graph; 0 in files from before it was measured
    std::uint32_t beam_rows;  // the same
    std::uint64_t reserved;
};
static_assert(sizeof(SegmentHeader) == 64);

struct Footer {
    std::uint64_t body_bytes;
    std::uint64_t checksum;
    std::array<char, 8> magic;
    std::uint64_t reserved;
};
static_assert(sizeof(Footer) == 32);

std::uint64_t block_checksum(std::span<const std::byte> body, std::size_t block) {
    const std::size_t begin = block * kBlock;
    return checksum64(body.subspan(begin, std::min(kBlock, body.size() - begin)), block);
}

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return std::as_bytes(std::span<const T, 1>(&value, 1));
}

std::vector<std::byte> file_end(std::span<const std::uint64_t> checksums, std::uint64_t body_bytes) {
    const auto sums = std::as_bytes(checksums);
    const Footer footer{body_bytes, checksum64(sums, body_bytes), kEndMagic, 0};
    std::vector<std::byte> out(sums.begin(), sums.end());
    const auto last = bytes_of(footer);
    out.insert(out.end(), last.begin(), last.end());
    return out;
}

/// Passes bytes on and sums them by block.
class Writer {
  public:
    explicit Writer(const ByteSink& sink) : sink_(sink) { block_.reserve(kBlock); }
    void write(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const std::size_t part = std::min(bytes.size(), kBlock - block_.size());
            block_.insert(block_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
            bytes = bytes.subspan(part);
            size_ += part;
            if (block_.size() == kBlock) flush();
        }
    }
    template <typename T>
    void array(const T* values, std::size_t count) {
        write(std::as_bytes(std::span<const T>(values, count)));
        static constexpr std::array<std::byte, kAlign> kZeros{};
        write(std::span(kZeros).first((kAlign - size_ % kAlign) % kAlign));
    }
    void finish() {
        if (!block_.empty()) flush();
        sink_(file_end(checksums_, size_));
    }

  private:
    void flush() {
        checksums_.push_back(checksum64(block_, checksums_.size()));
        sink_(block_);
        block_.clear();
    }
    const ByteSink& sink_;
    std::vector<std::byte> block_;
    std::vector<std::uint64_t> checksums_;
    std::uint64_t size_ = 0;
};

/// Whether a segment is written without its graph and its dead rows: a piece of the tail; a graph that is mostly dead, whose few
/// rows will soon have another one; and in an index with upkeep of its own all that together is no more than a tail.
bool leaves_out_dead(const FrozenSegment& frozen, const VectorIndexOptions& options, std::size_t all_live) {
    if (!frozen.segment.graph || (options.background && all_live <= options.tail_limit)) return true;
    return frozen.rows - frozen.dead_count <= options.tail_limit && mostly_dead(frozen.rows, frozen.dead_count);
}

/// The live rows, as a piece of a tail.
void write_live_rows(const FrozenSegment& frozen, Writer& out) {
    const Rows& rows = *frozen.segment.rows;
    SegmentHeader header{};
    header.rows = frozen.rows - frozen.dead_count;
    std::vector<std::int64_t> ids;
    std::vector<float> lengths;
    ids.reserve(header.rows);
    lengths.reserve(header.rows);
    for (std::size_t row = 0; row < frozen.rows; ++row) {
        if (!frozen.alive(row)) continue;
        ids.push_back(rows.id(row));
        lengths.push_back(rows.length(row));
    }
    out.array(&header, 1);
    out.array(ids.data(), ids.size());
    out.array(lengths.data(), lengths.size());
    const std::vector<std::uint64_t> none_dead((ids.size() + 63) / 64);
    out.array(none_dead.data(), none_dead.size());
    // A row fills cache lines, so nothing has to be put behind the last.
    for (std::size_t row = 0; row < frozen.rows; ++row) {
        if (frozen.alive(row)) out.array(rows.vector(row), rows.stride());
    }
}

void write_segment(const FrozenSegment& frozen, Writer& out) {
    const VectorSegment& segment = frozen.segment;
    const Rows& rows = *segment.rows;
    const Graph* graph = segment.graph.get();
    const std::size_t count = frozen.rows;
    SegmentHeader header{};
    header.rows = count;
    header.dead = frozen.dead_count;
    if (graph != nullptr) {
        header.sealed = 1;
        header.entry = graph->entry;
        header.top_level = graph->top_level;
        header.upper_lists = graph->upper.size() / graph->m;
        header.stragglers = graph->stragglers.size();
        header.beam = graph->beam;
        header.beam_rows = graph->beam_rows;
    }
    const BoundedCodes* own_codes = graph != nullptr && !segment.codes ? rows.codes() : nullptr;
    header.has_codes = segment.codes || own_codes != nullptr ? 1 : 0;
    out.array(&header, 1);

    std::vector<std::int64_t> ids(count);
    std::vector<float> lengths(count);
    for (std::size_t row = 0; row < count; ++row) {
        ids[row] = rows.id(row);
        lengths[row] = rows.length(row);
    }
    out.array(ids.data(), count);
    out.array(lengths.data(), count);
    out.array(frozen.dead.data(), frozen.dead.size());
    out.array(rows.vectors(), count * rows.stride());
    if (segment.codes) {
        out.array(segment.codes->metas().data(), count);
        out.array(segment.codes->data(), count * segment.codes->stride());
    }
    if (own_codes != nullptr) {
        out.array(own_codes->metas().data(), count);
        out.array(own_codes->data(), count * own_codes->stride());
    }
    if (graph == nullptr) return;
    out.array(graph->levels.data(), count);
    out.array(graph->level0, count * 2 * graph->m);
    out.array(graph->upper.data(), graph->upper.size());
    out.array(graph->stragglers.data(), graph->stragglers.size());
}

/// The part of the file before the checksums, after every block agreed with its own.
std::span<const std::byte> checked_body(std::span<const std::byte> bytes, const std::string& name) {
    if (bytes.size() < sizeof(Header) + sizeof(Footer)) {
        fail(Code::kCorrupt, "{}: {} bytes are no vector index, which has at least {}", name, bytes.size(),
             sizeof(Header) + sizeof(Footer));
    }
    Footer footer;
    std::memcpy(&footer, bytes.data() + bytes.size() - sizeof(Footer), sizeof(Footer));
    const std::uint64_t before = bytes.size() - sizeof(Footer);
    const std::uint64_t blocks = (footer.body_bytes / kBlock) + (footer.body_bytes % kBlock != 0 ? 1 : 0);
    if (footer.magic != kEndMagic || footer.body_bytes > before ||
        (before - footer.body_bytes) / sizeof(std::uint64_t) != blocks ||
        (before - footer.body_bytes) % sizeof(std::uint64_t) != 0) {
        fail(Code::kCorrupt, "{}: the end of the file is damaged or missing ({} bytes)", name, bytes.size());
    }
    const auto body = bytes.first(static_cast<std::size_t>(footer.body_bytes));
    const auto sums = bytes.subspan(body.size(), static_cast<std::size_t>(blocks) * sizeof(std::uint64_t));
    if (checksum64(sums, footer.body_bytes) != footer.checksum)
        fail(Code::kCorrupt, "{}: the list of checksums is damaged", name);
    for (std::size_t block = 0; block < blocks; ++block) {
        std::uint64_t expected;
        std::memcpy(&expected, sums.data() + block * sizeof(expected), sizeof(expected));
        const std::uint64_t actual = block_checksum(body, block);
        if (actual == expected) continue;
        fail(Code::kCorrupt, "{}: block {} of {} (from byte {}) has checksum {:016x}, expected {:016x}", name, block, blocks,
             block * kBlock, actual, expected);
    }
    return body;
}

/// Reads the arrays of segments, each behind a check that its bytes are there.
class SegmentReader {
  public:
    SegmentReader(ByteReader& in, std::uint32_t version, const VectorIndexOptions& options, std::shared_ptr<const void> owner)
        : in_(in), version_(version), options_(options), owner_(std::move(owner)) {}

    VectorSegment read(std::uint64_t number) {
        what_ = fmt::format("{}: segment {}", in_.name(), number);
        header_ = in_.read<SegmentHeader>();
        const bool coded = header_.sealed == 1 && (version_ > 1 || options_.type == VectorType::kInt8);
        if (header_.rows == 0 || header_.rows > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max()) ||
            header_.sealed > 1 || header_.has_codes != (coded ? 1 : 0)) {
            fail(Code::kCorrupt, "{} claims {} rows, sealed {}, codes {}", what_, header_.rows, header_.sealed,
                 header_.has_codes);
        }
        VectorSegment segment;
        segment.rows = read_rows();
        if (header_.has_codes == 1 && options_.type == VectorType::kInt8) {
            segment.codes = read_codes();
        } else if (header_.has_codes == 1) {
            auto metas = copy<BoundedMeta>(header_.rows);
            const auto* codes = view<std::int8_t>(header_.rows, padded_codes(options_.dimension));
            segment.rows->take_codes(BoundedCodes(options_.dimension, std::move(metas), codes, owner_));
        } else {
            segment.rows->make_codes();
        }
        if (header_.sealed == 1) segment.graph = read_graph();
        return segment;
    }

  private:
    /// [count, each] elements where they lie.
    template <typename T>
    const T* view(std::uint64_t count, std::uint64_t each = 1) {
        const auto part = in_.take(checked_multiply(checked_multiply(count, each, what_), sizeof(T), what_));
        in_.align(kAlign);
        return reinterpret_cast<const T*>(part.data());
    }
    template <typename T>
    std::vector<T> copy(std::uint64_t count, std::uint64_t each = 1) {
        const T* from = view<T>(count, each);
        return std::vector<T>(from, from + count * each);
    }
    std::shared_ptr<Rows> read_rows() {
        const std::uint64_t rows = header_.rows;
        auto ids = copy<std::int64_t>(rows);
        auto lengths = copy<float>(rows);
        const auto dead = copy<std::uint64_t>((rows + 63) / 64);
        const float* vectors = view<float>(rows, padded_floats(options_.dimension));
        if (rows % 64 != 0 && (dead.back() >> (rows % 64)) != 0)
            fail(Code::kCorrupt, "{} has tombstones beyond its {} rows", what_, rows);
        auto out = std::make_shared<Rows>(options_.dimension, std::move(ids), std::move(lengths), dead, vectors, owner_);
        if (out->dead_count() != header_.dead) {
            fail(Code::kCorrupt, "{} has {} tombstones, its header says {}", what_, out->dead_count(), header_.dead);
        }
        return out;
    }
    std::shared_ptr<const Codes> read_codes() {
        auto metas = copy<CodeMeta>(header_.rows);
        const auto* codes = view<std::int8_t>(header_.rows, padded_codes(options_.dimension));
        return std::make_shared<Codes>(options_.dimension, std::move(metas), codes, owner_);
    }
    std::shared_ptr<const Graph> read_graph() {
        auto graph = std::make_shared<Graph>();
        graph->m = options_.m;
        graph->entry = header_.entry;
        graph->top_level = header_.top_level;
        graph->beam = header_.beam;
        graph->beam_rows = header_.beam_rows;
        // Wider beams than twice the rows are never tried: a scan is cheaper by far.
        if (graph->beam != kScanInstead && graph->beam > std::max<std::uint64_t>(kLeastBeam, 2 * header_.rows))
            fail(Code::kCorrupt, "{} of {} rows claims to need a beam of {}", what_, header_.rows, graph->beam);
        graph->levels = copy<std::uint8_t>(header_.rows);
        const std::size_t lists = graph->index_upper();
        if (lists != header_.upper_lists) {
            fail(Code::kCorrupt, "{} has {} upper lists, its levels need {}", what_, header_.upper_lists, lists);
        }
        graph->level0 = view<std::uint32_t>(header_.rows, 2 * options_.m);
        graph->owner = owner_;
        graph->upper = copy<std::uint32_t>(lists, options_.m);
        graph->stragglers = copy<std::uint32_t>(header_.stragglers);
        std::string why;
        if (!graph->check(why)) fail(Code::kCorrupt, "{}: {}", what_, why);
        return graph;
    }

    ByteReader& in_;
    const std::uint32_t version_;
    const VectorIndexOptions& options_;
    std::shared_ptr<const void> owner_;
    std::string what_;
    SegmentHeader header_{};
};

VectorIndexOptions options_of(const Header& header, const std::string& name) {
    VectorIndexOptions options;
    options.dimension = header.dimension;
    options.metric = static_cast<Metric>(header.metric);
    options.type = static_cast<VectorType>(header.type);
    options.m = header.m;
    options.ef_construction = header.ef_construction;
    options.seed = header.seed;
    try {
        VectorIndex probe(options);  // checks the ranges
    } catch (const Error& error) {
        fail(Code::kCorrupt, "{}: {}", name, error.what());
    }
    return options;
}

}  // namespace

void write_vector_file(const VectorIndexOptions& options, std::uint64_t sequence, const std::vector<FrozenSegment>& segments,
                       const ByteSink& sink) {
    Header header{};
    header.magic = kMagic;
    header.version = kVectorFileVersion;
    header.header_bytes = sizeof(Header);
    header.dimension = static_cast<std::uint32_t>(options.dimension);
    header.metric = static_cast<std::uint32_t>(options.metric);
    header.type = static_cast<std::uint32_t>(options.type);
    header.m = static_cast<std::uint32_t>(options.m);
    header.ef_construction = static_cast<std::uint32_t>(options.ef_construction);
    header.block_bytes = kBlock;
    header.seed = options.seed;
    header.sequence = sequence;
    for (const FrozenSegment& segment : segments) {
        const std::size_t live = segment.rows - segment.dead_count;
        header.live += live;
        header.segments += live > 0 ? 1 : 0;
    }
    Writer out(sink);
    out.array(&header, 1);
    for (const FrozenSegment& segment : segments) {
        if (segment.rows == segment.dead_count) continue;
        if (leaves_out_dead(segment, options, header.live)) {
            write_live_rows(segment, out);
        } else {
            write_segment(segment, out);
        }
    }
    out.finish();
}

std::vector<std::byte> vector_file_end(std::span<const std::byte> body) {
    std::vector<std::uint64_t> checksums((body.size() + kBlock - 1) / kBlock);
    for (std::size_t block = 0; block < checksums.size(); ++block) checksums[block] = block_checksum(body, block);
    return file_end(checksums, body.size());
}

VectorFile read_vector_file(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& name) {
    ByteReader start(bytes, name);
    if (bytes.size() < kMagic.size() || start.take_text(kMagic.size()) != std::string_view(kMagic.data(), kMagic.size())) {
        fail(Code::kCorrupt, "{} is no vector index of librag", name);
    }
    const auto version = start.read<std::uint32_t>();
    if (version > kVectorFileVersion) {
        fail(Code::kVersion, "{} has format version {}, this librag reads up to {}", name, version, kVectorFileVersion);
    }
    if (version == 0) fail(Code::kCorrupt, "{} has format version 0", name);
    const auto body = checked_body(bytes, name);
    if (reinterpret_cast<std::uintptr_t>(body.data()) % alignof(std::uint64_t) != 0) {
        fail(Code::kInvalidArgument, "{}: the bytes are not aligned to {}", name, alignof(std::uint64_t));
    }
    ByteReader in(body, name);
    const auto header = in.read<Header>();
    if (header.header_bytes != sizeof(Header) || header.block_bytes != kBlock) {
        fail(Code::kCorrupt, "{}: a header of {} bytes and blocks of {}, expected {} and {}", name, header.header_bytes,
             header.block_bytes, sizeof(Header), kBlock);
    }
    VectorFile file;
    file.options = options_of(header, name);
    file.sequence = header.sequence;
    SegmentReader reader(in, version, file.options, std::move(owner));
    std::uint64_t live = 0;
    for (std::uint64_t number = 0; number < header.segments; ++number) {
        file.segments.push_back(reader.read(number));
        live += file.segments.back().live();
    }
    if (live != header.live || in.remaining() != 0) {
        fail(Code::kCorrupt, "{}: {} live rows and {} bytes too many, the header says {} live rows", name, live, in.remaining(),
             header.live);
    }
    return file;
}

}  // namespace rag::core
