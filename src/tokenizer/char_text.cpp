#include "tokenizer/char_text.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace rag::core {

void CharText::transform(std::span<const Change> list) {
    old_places_.swap(places);
    values.clear();
    places.clear();
    std::size_t consumed = 0;  // old characters
    for (const Change& change : list) {
        Alignment place = consumed == 0 ? before_ : old_places_[std::min(consumed, old_places_.size()) - 1];
        if (change.change <= 0 && consumed < old_places_.size()) {
            place = old_places_[consumed];
            consumed += 1 + static_cast<std::size_t>(-change.change);
        }
        push(change.value, place);
    }
}

}  // namespace rag::core
