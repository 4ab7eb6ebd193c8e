// The scores of a Unigram model as Hugging Face tokenizers has them. Its JSON parser (serde_json) is quick rather than exact:
// digits as an integer, rounded to a double, then divided by a power of ten, rounded again. One score in four is off by a last
// bit, and where two ways to cut a text cost the same that bit decides. Pure function.
#pragma once

namespace rag::core {

/// What serde_json makes of the shortest text of `score`, which is how scores are written. Finite in, finite out.
double score_by_serde_json(double score);

}  // namespace rag::core
