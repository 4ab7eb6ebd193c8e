// From the vectors of a text's tokens to one vector, by sentence-transformers' pooling modes
// (sentence_transformers/models/Pooling.py): mean, first token, maximum, sum over the square root of the length, mean weighted by
// position, last token; several modes give their vectors one after another.
// Thread rule: pure functions; any thread.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

/// rows: [tokens, columns], tokens at least 1. The first `unpooled` tokens have no part (the prompt's); where they are all there
/// are, the sums are over none and give zeros, the first and the last token stay. out: [modes * columns].
void pool_rows(std::span<const Pooling> modes, const float* rows, std::int64_t tokens, std::int64_t columns,
               std::int64_t unpooled, float* out);

}  // namespace rag::core::libtorch
