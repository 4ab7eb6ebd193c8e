// Saving and loading of Bm25Index. One file, little-endian, written atomically and mapped on load:
//
//   0   magic "RAGBM25\n", u32 format version, u32 0
//   64  segments and the tombstone bits of each, every one on a multiple of 64 bytes
//   d   directory: u64 sequence, f64 k1, f64 b, f64 delta, f64 k3, f64 title weight, u32 variant, u32 positions, u32 rules of the
//       analyzer, texts (u32 size, bytes) language and analyzer version, u32 segments, for each u64 offset, u64 size, u64 offset
//       of the tombstone bits or 0, u64 offset and u64 size of the positions or 0; u64 block size, the checksum of each block of
//       [0, d)
//   end u64 d, u64 size of the directory, u64 checksum of the directory, magic "RAGBM25E"
//
// Version 1 has no delta, k3, title weight, variant, positions and rules: it is read as what it was written for, Lucene's
// variant, counts of the query as they are, rules 1 of the analyzer, and goes on so. Everything is checked before any of it is
// used; a damaged block is named by number and bytes.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "core/atomic_file.hpp"
#include "core/byte_reader.hpp"
#include "core/checksum.hpp"
#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "index/bm25/bm25_index.hpp"

namespace rag::core {
namespace {

constexpr std::string_view kMagic = "RAGBM25\n";
constexpr std::string_view kEndMagic = "RAGBM25E";
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHeadSize = 16;
constexpr std::size_t kEndSize = 32;
constexpr std::size_t kBlockSize = std::size_t{1} << 20;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

/// Writes to a file and sums each block on the way.
class SummedFile {
  public:
    explicit SummedFile(const std::filesystem::path& path) : file_(path) { block_.reserve(kBlockSize); }

    void write(std::span<const std::byte> bytes) {
        file_.write(bytes);
        while (!bytes.empty()) {
            const std::size_t part = std::min(bytes.size(), kBlockSize - block_.size());
            block_.insert(block_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
            bytes = bytes.subspan(part);
            if (block_.size() == kBlockSize) close_block();
        }
    }
    std::uint64_t align() {
        constexpr std::array<std::byte, kAlignment> kZeros{};
        write(std::span(kZeros).first((kAlignment - file_.offset() % kAlignment) % kAlignment));
        return file_.offset();
    }
    const std::vector<std::uint64_t>& finish_blocks() {
        if (!block_.empty()) close_block();
        return sums_;
    }
    AtomicFile& file() noexcept { return file_; }

  private:
    void close_block() {
        sums_.push_back(checksum64(block_));
        block_.clear();
    }

    AtomicFile file_;
    std::vector<std::byte> block_;
    std::vector<std::uint64_t> sums_;
};

class Writer {
  public:
    template <typename T>
    void put(const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        const auto bytes = std::as_bytes(std::span<const T, 1>(&value, 1));
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    }
    void put_text(std::string_view text) {
        put(static_cast<std::uint32_t>(text.size()));
        const auto bytes = bytes_of(text);
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    }
    std::span<const std::byte> bytes() const noexcept { return bytes_; }

  private:
    std::vector<std::byte> bytes_;
};

struct SegmentEntry {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t tombstones = 0;
    std::uint64_t positions = 0;
    std::uint64_t position_bytes = 0;
};

struct Directory {
    std::uint64_t sequence = 0;
    Bm25Options options;
    std::uint32_t rules = 1;  // of the analyzer
    std::string analyzer;
    std::vector<SegmentEntry> segments;
};

/// The directory's bytes and the version of the format, after magic, version, sizes and its checksum were found right.
std::span<const std::byte> find_directory(std::span<const std::byte> file, const std::string& name, std::uint32_t& version) {
    ByteReader head(file, name);
    if (file.size() < kHeadSize || head.take_text(kMagic.size()) != kMagic) fail(Code::kCorrupt, "{} is no BM25 index", name);
    version = head.read<std::uint32_t>();
    if (version > kBm25FormatVersion) {
        fail(Code::kVersion, "{} has BM25 format {}, this library reads up to {}", name, version, kBm25FormatVersion);
    }
    if (version == 0) fail(Code::kCorrupt, "{}: BM25 format 0 does not exist", name);
    if (file.size() < kHeadSize + kEndSize) fail(Code::kCorrupt, "{}: cut off after {} bytes", name, file.size());
    ByteReader end(file.last(kEndSize), name);
    const auto offset = end.read<std::uint64_t>();
    const auto size = end.read<std::uint64_t>();
    const auto sum = end.read<std::uint64_t>();
    if (end.take_text(kEndMagic.size()) != kEndMagic) {
        fail(Code::kCorrupt, "{}: cut off or overwritten: the end mark is missing after {} bytes", name, file.size());
    }
    const std::uint64_t body = file.size() - kEndSize;
    if (offset < kHeadSize || offset > body || size != body - offset) {
        fail(Code::kCorrupt, "{}: a directory of {} bytes at {} does not end at {}", name, size, offset, body);
    }
    const auto directory = file.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
    if (checksum64(directory) != sum) {
        fail(Code::kCorrupt, "{}: the directory (bytes {} to {}) does not match its checksum", name, offset, body);
    }
    return directory;
}

/// The checksums come last in the directory; each block is compared with its own.
void check_blocks(ByteReader& reader, std::span<const std::byte> blocks) {
    const auto block_size = reader.read<std::uint64_t>();
    if (block_size == 0) fail(Code::kCorrupt, "{}: checksums of blocks of 0 bytes", reader.name());
    std::size_t number = 0;
    for (std::size_t at = 0; at < blocks.size(); ++number) {
        const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(block_size, blocks.size() - at));
        if (checksum64(blocks.subspan(at, part)) != reader.read<std::uint64_t>()) {
            fail(Code::kCorrupt, "{}: block {} (bytes {} to {}) does not match its checksum", reader.name(), number, at,
                 at + part);
        }
        at += part;
    }
    if (reader.remaining() != 0)
        fail(Code::kCorrupt, "{}: {} bytes after the directory's end", reader.name(), reader.remaining());
}

void read_new_options(ByteReader& reader, Directory& directory) {
    directory.options.delta = reader.read<double>();
    directory.options.k3 = reader.read<double>();
    directory.options.title_weight = reader.read<double>();
    directory.options.variant = static_cast<Bm25Variant>(reader.read<std::uint32_t>());
    directory.options.positions = reader.read<std::uint32_t>() != 0;
    directory.rules = reader.read<std::uint32_t>();
}

Directory read_directory(ByteReader& reader, std::uint32_t version) {
    Directory directory;
    directory.sequence = reader.read<std::uint64_t>();
    directory.options.k1 = reader.read<double>();
    directory.options.b = reader.read<double>();
    if (version == 1) {
        directory.options.k3 = std::numeric_limits<double>::infinity();
        directory.options.title_weight = 1;
    } else {
        read_new_options(reader, directory);
    }
    directory.options.language = reader.take_text(reader.read<std::uint32_t>());
    directory.analyzer = reader.take_text(reader.read<std::uint32_t>());
    const auto count = reader.read<std::uint32_t>();
    for (std::uint32_t i = 0; i < count; ++i) {
        SegmentEntry entry{reader.read<std::uint64_t>(), reader.read<std::uint64_t>(), reader.read<std::uint64_t>()};
        if (version > 1) {
            entry.positions = reader.read<std::uint64_t>();
            entry.position_bytes = reader.read<std::uint64_t>();
        }
        directory.segments.push_back(entry);
    }
    return directory;
}

std::span<const std::byte> part_of(std::span<const std::byte> blocks, std::uint64_t offset, std::uint64_t size,
                                   const std::string& name) {
    if (offset % kAlignment != 0 || offset > blocks.size() || size > blocks.size() - offset) {
        fail(Code::kCorrupt, "{}: {} bytes at {} do not lie within {}", name, size, offset, blocks.size());
    }
    return blocks.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
}

SegmentState read_segment(std::span<const std::byte> blocks, const SegmentEntry& entry, const std::shared_ptr<const void>& owner,
                          const std::string& name) {
    const auto positions = part_of(blocks, entry.positions, entry.position_bytes, name);
    SegmentState state{Segment::open(part_of(blocks, entry.offset, entry.size, name), owner, name, positions), nullptr};
    if (entry.tombstones == 0) return state;
    const std::uint32_t documents = state.segment->documents();
    ByteReader reader(part_of(blocks, entry.tombstones, (std::uint64_t{documents} + 63) / 64 * 8, name), name);
    std::vector<std::uint32_t> removed;
    for (std::uint32_t doc = 0; doc < documents; doc += 64) {
        const auto bits = reader.read<std::uint64_t>();
        for (std::uint32_t i = 0; i < 64; ++i) {
            if (((bits >> i) & 1U) == 0) continue;
            if (doc + i >= documents) fail(Code::kCorrupt, "{}: document {} of {} is removed", name, doc + i, documents);
            removed.push_back(doc + i);
        }
    }
    if (!removed.empty()) state.removed = Tombstones::with(*state.segment, nullptr, removed);
    return state;
}

}  // namespace

void Bm25Index::save(const std::filesystem::path& file, std::uint64_t sequence, const Progress& progress) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    SummedFile out(file);
    std::uint64_t all = 0;
    std::uint64_t done = 0;
    for (const SegmentState& state : now->segments) {
        all += state.segment->block().size() + state.segment->positions().block().size();
    }
    const auto write = [&](std::span<const std::byte> bytes) {
        constexpr std::size_t kBytesPerReport = std::size_t{1} << 18;
        for (; !bytes.empty(); bytes = bytes.subspan(std::min(kBytesPerReport, bytes.size()))) {
            report(progress, done, all);
            const auto part = bytes.first(std::min(kBytesPerReport, bytes.size()));
            out.write(part);
            done += part.size();
        }
    };
    out.write(bytes_of(kMagic));
    const std::array<std::uint32_t, 2> version{kBm25FormatVersion, 0};
    out.write(std::as_bytes(std::span(version)));
    Writer directory;
    directory.put(sequence);
    directory.put(options_.k1);
    directory.put(options_.b);
    directory.put(options_.delta);
    directory.put(options_.k3);
    directory.put(options_.title_weight);
    directory.put(static_cast<std::uint32_t>(options_.variant));
    directory.put(static_cast<std::uint32_t>(options_.positions));
    directory.put(static_cast<std::uint32_t>(analyzer_.options().rules));
    directory.put_text(options_.language);
    directory.put_text(analyzer_.version());
    directory.put(static_cast<std::uint32_t>(now->segments.size()));
    for (const SegmentState& state : now->segments) {
        SegmentEntry entry;
        entry.offset = out.align();
        entry.size = state.segment->block().size();
        write(state.segment->block());
        if (state.removed) {
            entry.tombstones = out.align();
            out.write(std::as_bytes(state.removed->bits()));
        }
        if (state.segment->positions().exist()) {
            entry.positions = out.align();
            entry.position_bytes = state.segment->positions().block().size();
            write(state.segment->positions().block());
        }
        directory.put(entry);
    }
    out.align();
    directory.put(std::uint64_t{kBlockSize});
    for (const std::uint64_t sum : out.finish_blocks()) directory.put(sum);
    AtomicFile& end = out.file();
    const std::uint64_t offset = end.offset();
    end.write(directory.bytes());
    end.write_value(offset);
    end.write_value(std::uint64_t{directory.bytes().size()});
    end.write_value(checksum64(directory.bytes()));
    end.write(bytes_of(kEndMagic));
    end.commit();
}

std::unique_ptr<Bm25Index> Bm25Index::load(const std::filesystem::path& file) {
    const std::shared_ptr<const MappedFile> mapped = MappedFile::open(file);
    return parse(mapped->bytes(), mapped, quote(mapped->name(), 400));
}

std::unique_ptr<Bm25Index> Bm25Index::parse(std::span<const std::byte> file, const std::shared_ptr<const void>& owner,
                                            const std::string& name) {
    std::uint32_t version = 0;
    const auto bytes = find_directory(file, name, version);
    ByteReader reader(bytes, name + ", directory");
    const Directory directory = read_directory(reader, version);
    const auto blocks = file.first(static_cast<std::size_t>(bytes.data() - file.data()));
    check_blocks(reader, blocks);
    if (directory.rules > static_cast<std::uint32_t>(AnalyzerOptions{}.rules)) {
        fail(Code::kVersion, "{} holds terms of analyzer {}, this library knows rules up to {}", name, quote(directory.analyzer),
             AnalyzerOptions{}.rules);
    }
    std::unique_ptr<Bm25Index> index;
    try {
        index.reset(new Bm25Index(directory.options, static_cast<int>(directory.rules)));
    } catch (const Error& error) {
        fail(Code::kCorrupt, "{}: impossible options: {}", name, error.what());
    }
    if (directory.analyzer != index->analyzer_.version()) {
        fail(Code::kVersion, "{} holds terms of analyzer {}, this library has {}; the index has to be built again from its texts",
             name, quote(directory.analyzer), quote(index->analyzer_.version()));
    }
    Snapshot next;
    for (std::size_t i = 0; i < directory.segments.size(); ++i) {
        const SegmentEntry& entry = directory.segments[i];
        next.segments.push_back(read_segment(blocks, entry, owner, fmt::format("{}, segment {}", name, i)));
        if (directory.options.positions != (entry.position_bytes != 0)) {
            fail(Code::kCorrupt, "{}, segment {}: {} bytes of positions, which the options contradict", name, i,
                 entry.position_bytes);
        }
    }
    index->sequence_ = directory.sequence;
    index->publish(std::move(next));
    return index;
}

}  // namespace rag::core
