#include "tokenizer/normalizers/nmt.hpp"

namespace rag::core {
namespace {

bool is_removed(char32_t c) {
    return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
}

bool becomes_space(char32_t c) {
    switch (c) {
        case 0x09:
        case 0x0A:
        case 0x0C:
        case 0x0D:
        case 0x1680:
        case 0x2028:
        case 0x2029:
        case 0x2581:
        case 0xFEFF:
        case 0xFFFD:
            return true;
        default:
            return c >= 0x200B && c <= 0x200F;
    }
}

}  // namespace

void Nmt::normalize_run(CharText& text) const {
    text.filter([](char32_t c) { return !is_removed(c); });
    for (char32_t& value : text.values) {
        if (becomes_space(value)) value = U' ';
    }
}

void Nmt::map_ascii(AsciiMap& map) const {
    for (std::int16_t& entry : map) {
        if (entry == kDropped) continue;
        const auto value = static_cast<char32_t>(entry);
        if (is_removed(value)) {
            entry = kDropped;
        } else if (becomes_space(value)) {
            entry = ' ';
        }
    }
}

}  // namespace rag::core
