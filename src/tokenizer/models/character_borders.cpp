#include "tokenizer/models/character_borders.hpp"

#include "core/utf8.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kThreeByteLimit = 0x10000;  // code points that three bytes can say

std::uint32_t byte_of(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}
bool leads_three(std::uint32_t byte) {
    return byte >= 0xE0 && byte < 0xF0;
}

}  // namespace

CharacterBorders::CharacterBorders(bool bytes, std::size_t merges) : bytes_(bytes), pairs_(merges) {
    if (!bytes_) return;
    for (Bits* set : {&open_behind_, &open_before_}) set->assign(kThreeByteLimit / 64, 0);
    opened_.assign(2 * kTwoBytes / 64, 0);
}

CharacterBorders::End CharacterBorders::part_of(std::string_view bytes) {
    return kPart | (bytes.size() == 1 ? byte_of(bytes, 0) : kTwoBytes | (byte_of(bytes, 0) << 8) | byte_of(bytes, 1));
}

CharacterBorders::End CharacterBorders::end_of(std::string_view token) const {
    const std::size_t size = token.size();
    if (!bytes_) return decode_utf8(token, character_before(token, static_cast<std::uint32_t>(size))).value;
    std::size_t behind = 0;  // bytes behind the lead byte
    while (behind < size && behind < 3 && is_continuation(token[size - 1 - behind])) ++behind;
    if (behind == size) return behind < 3 ? part_of(token) : kNone;
    if (behind != 2 || !leads_three(byte_of(token, size - 3))) return kNone;
    return code_point_at(token, size - 3).value;
}

CharacterBorders::End CharacterBorders::begin_of(std::string_view token) const {
    if (!bytes_) return decode_utf8(token, 0).value;
    if (!leads_three(byte_of(token, 0))) return kNone;
    if (token.size() < 3) return part_of(token);
    if (!is_continuation(token[1]) || !is_continuation(token[2])) return kNone;  // in no text
    return code_point_at(token, 0).value;
}

void CharacterBorders::add(End left, End right) {
    if (left == kNone || right == kNone) return;
    const bool left_whole = (left & kPart) == 0;
    const bool right_whole = (right & kPart) == 0;
    if (left_whole && right_whole) {
        pairs_.set(hash(left, right));
    } else if (left_whole) {
        set(open_behind_, left);
    } else if (right_whole) {
        set(open_before_, right);
    } else {
        open_all_that_end_in(left & ~kPart);
    }
}

// At most 16 characters end in two given bytes, 1024 in one; each part is looked at once.
void CharacterBorders::open_all_that_end_in(End part) {
    if (bit(opened_, part)) return;
    set(opened_, part);
    const bool two = (part & kTwoBytes) != 0;
    const std::uint32_t known = two ? ((part >> 8 & 0x3F) << 6) | (part & 0x3F) : part & 0x3F;
    for (std::size_t value = known; value < kThreeByteLimit; value += two ? 1U << 12 : 1U << 6) set(open_behind_, value);
}

}  // namespace rag::core
