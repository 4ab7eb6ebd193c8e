// Patterns of tokenizer files, which are written in Oniguruma's dialect (Ruby syntax), as PCRE2 is to see them: the same matches,
// with the classes of Hugging Face's Unicode version. Pure function.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// A class that is supported only if something is, or is not, among its characters.
struct ClassCheck {
    enum class Kind {
        kInverted,  // a negated class with a negated class in it, by what is negated. It has to have something outside ASCII:
                    // where it does not, Oniguruma takes some for their complement there, and others not
        kCaseless,  // a class in caseless mode. It may have no character whose case folding is a sequence (U+00DF and "ss"):
                    // Oniguruma's then matches the sequence too
    };
    Kind kind;
    std::string set;     // as PCRE2's expression of one character
    std::size_t offset;  // of the class's end in the pattern
};

/// Throws kUnsupported, with the pattern, the feature and its offset, for what has no exact equal. `checks` gets the classes
/// that the caller has to look into.
std::string pcre2_pattern(std::string_view pattern, std::vector<ClassCheck>& checks);

}  // namespace rag::core
