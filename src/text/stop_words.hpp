// Stop words as they are written down; stem.hpp has what the rest of the program asks. For the files of this list only.
#pragma once

#include <span>
#include <string_view>

#include "text/stem.hpp"

namespace rag::core {

struct StopWordList {
    std::string_view names;  // of the language, as Snowball knows it, apart by a space
    std::string_view words;  // apart by a space
};

/// All but English.
std::span<const StopWordList> foreign_stop_words();

}  // namespace rag::core
