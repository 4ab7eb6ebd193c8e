// The file of a vector index, version 2. Little-endian; every array begins at a multiple of 64 bytes, so that vectors, codes
// and the links of layer 0 are used where they are mapped; the few of upper layers are copied.
//   header, 128 bytes     magic "RAGVEC\0\0", version u32, header bytes u32, dimension, metric, type, m, ef_construction, block
//                         bytes (u32 each), seed, sequence, segments, live rows (u64 each), zeros
//   each segment          SegmentHeader (64 bytes: rows, dead u64, sealed, entry, top level, has codes u32, upper lists,
//                         unreachable rows u64, beam and its rows u32 (0 before they were measured), zeros), ids i64, lengths
//                         f32, tombstones u64 a 64 rows, vectors f32 [rows, padded]; sealed: metas (2 f32 a row for int8, 3 for
//                         float32), codes i8 [rows, padded]; levels u8, links of layer 0 u32 [rows, 2m], of the upper
//                         layers u32 [lists, m], unreachable rows u32
//   checksums             u64 for each block of the bytes so far (XXH3, seeded by the block's number)
//   footer, 32 bytes      bytes before the checksums u64, checksum of the checksums u64, magic "RAGVEND\0", zeros
// Dead rows are in it only where a graph leads over them: pieces of the tail, and graphs that are mostly dead and small enough to
// be one, are written as the rows that live. Version 1 had no codes for float32: they are made when it is read. Readers of
// version n read all older ones; newer ones are refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "index/vector/segment.hpp"
#include "index/vector/vector_index.hpp"

namespace rag::core {

constexpr std::uint32_t kVectorFileVersion = 2;

using ByteSink = std::function<void(std::span<const std::byte>)>;

void write_vector_file(const VectorIndexOptions& options, std::uint64_t sequence, const std::vector<FrozenSegment>& segments,
                       const ByteSink& sink);

/// The checksums and the footer that belong behind `body`: what makes bytes of a fuzzer pass as undamaged.
std::vector<std::byte> vector_file_end(std::span<const std::byte> body);

struct VectorFile {
    VectorIndexOptions options;
    std::uint64_t sequence = 0;
    std::vector<VectorSegment> segments;
};

/// Checks checksums, counts, ids of rows in links and options before anything is used. Vectors are not looked at: a NaN in
/// them can only spoil scores, see QueryDistance. Throws kVersion, kCorrupt.
VectorFile read_vector_file(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& name);

}  // namespace rag::core
