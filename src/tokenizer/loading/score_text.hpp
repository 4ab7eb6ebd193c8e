// The scores of a Unigram model as Hugging Face tokenizers has them. Its JSON parser (serde_json) is quick rather than exact:
// digits as an integer, rounded to a double, then divided by a power of ten, rounded again. One score in four is off by a last
// bit, and where two ways to cut a text cost the same that bit decides. Pure functions.
#pragma once

#include <optional>

namespace rag::core {

/// What serde_json makes of the shortest text of `score`, which is how scores are written. Finite in, finite out.
double score_by_serde_json(double score);
/// The score whose shortest text serde_json reads as `score`; nullopt if there is none near, which no score that was read has.
std::optional<double> score_for_serde_json(double score);

}  // namespace rag::core
