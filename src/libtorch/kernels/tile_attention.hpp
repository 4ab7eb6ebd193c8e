// Attention by tiles (tiles.hpp), blocked over keys with an online softmax as attention.hpp has it, which is its slow twin
// and describes a head for both: queries, keys, values and probabilities in bfloat16, sums and softmax in float32, ten times the
// arithmetic of vectors. For the precisions that round their activations anyway. A head's keys and values are first laid out as
// tiles, then its blocks of queries are computed in any order. Thread rule: pure functions.
#pragma once

#include "libtorch/kernels/attention.hpp"
#include "libtorch/kernels/tiles.hpp"

namespace rag::core::libtorch::kernels {

/// Query rows (positions * group) of a block.
inline constexpr std::int64_t kTileBlockRows = 32;
/// Keys that are laid out together.
inline constexpr std::int64_t kTileKeys = 32;

/// Whether tiles compute this head: whole rows of tiles, no bias, and keys that lose nothing worth telling in bfloat16. Does not
/// ask whether there are tiles.
bool fits_tiles(const AttentionHead& head);
/// Bytes, aligned to 64, of all keys and values of a head as tiles.
std::size_t packed_keys_bytes(std::int64_t key_count, std::int64_t head_dim);
/// Lays out keys and values first .. first + count (multiples of kTileKeys; what is behind the last key becomes 0).
void pack_keys(const AttentionHead& head, std::int64_t first, std::int64_t count, std::byte* packed);
/// Bytes of scratch memory, aligned to 64, that attend_tiles needs.
std::size_t tile_scratch(std::int64_t head_dim);
/// Computes rows block * kTileBlockRows and on. `packed` holds every key that they see. Only where tiles_available().
void attend_tiles(const AttentionHead& head, const std::byte* packed, std::int64_t block, std::byte* scratch);

}  // namespace rag::core::libtorch::kernels
