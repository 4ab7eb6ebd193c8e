// Patterns of tokenizer files, which are written in Oniguruma's dialect (Ruby syntax), as PCRE2 is to see them: the same matches,
// with the classes of Hugging Face's Unicode version. Pure function.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// A negated class with a negated class in it.
struct InvertedClass {
    std::string inside;  // what is negated: as PCRE2's expression of one character
    std::size_t offset;  // of the class's end in the pattern
};

/// Throws kUnsupported, with the pattern, the feature and its offset, for what has no exact equal. `inverted` gets the classes
/// whose inside has to match something outside ASCII: where it does not, Oniguruma takes some for their complement there, and
/// others not.
std::string pcre2_pattern(std::string_view pattern, std::vector<InvertedClass>& inverted);

}  // namespace rag::core
