#include "tokenizer/place_map.hpp"

#include <algorithm>

namespace rag::core {

std::size_t PlaceMap::search(std::uint32_t at) const noexcept {
    const auto behind = std::upper_bound(segments_.begin(), segments_.end(), at,
                                         [](std::uint32_t wanted, const Segment& segment) { return wanted < segment.at; });
    return static_cast<std::size_t>(behind - segments_.begin()) - 1;  // the first segment begins at 0
}

void PlaceMap::add_part(std::uint32_t at, const PlaceMap& other, std::uint32_t from, std::uint32_t to, std::size_t& cursor) {
    if (from == to) return;
    cursor = other.find(from, cursor);
    for (std::uint32_t position = from;;) {
        const Segment& segment = other.segments_[cursor];
        if (segment.place.end == kLinear) {
            add_linear(at + (position - from), segment.place.start + (position - segment.at));
        } else {
            add(at + (position - from), segment.place);
        }
        if (cursor + 1 == other.segments_.size() || other.segments_[cursor + 1].at >= to) return;
        position = other.segments_[++cursor].at;
    }
}

}  // namespace rag::core
