#include "tokenizer/unicode/scripts.hpp"

namespace rag::core::unicode::detail {
#include "tokenizer/unicode/scripts.inc"
}  // namespace rag::core::unicode::detail
