// What every link must be, whether a caller or a file brings it. Thread rule: a plain function.
#pragma once

#include <string_view>

#include "store/view.hpp"

namespace rag::core {

/// kInvalidArgument that names the ends: a link from something to itself, a weight that is not above 0 or not finite, a type that
/// is no UTF-8 or longer than kMaxIdBytes.
void check_link(const LinkRow& link, std::string_view source, std::string_view target);

}  // namespace rag::core
