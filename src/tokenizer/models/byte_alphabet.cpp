#include "tokenizer/models/byte_alphabet.hpp"

#include <array>
#include <cstdint>

#include "core/utf8.hpp"

namespace rag::core {
namespace {

// Bytes that are printable in Latin-1 stand for themselves, the others for U+0100 and on, in order.
struct Alphabet {
    std::array<char32_t, 256> character{};
    std::array<std::int16_t, 0x144> byte{};

    constexpr Alphabet() {
        byte.fill(-1);
        char32_t next = 0x100;
        for (unsigned b = 0; b < 256; ++b) {
            const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            character[b] = printable ? b : next++;
            byte[character[b]] = static_cast<std::int16_t>(b);
        }
    }
};
constexpr Alphabet kAlphabet;

}  // namespace

char32_t alphabet_character(unsigned char byte) noexcept {
    return kAlphabet.character[byte];
}

bool append_bytes(std::string& out, std::string_view token) {
    const std::size_t before = out.size();
    for (std::size_t at = 0; at < token.size(); ++at) {  // the alphabet ends at U+0143, so a character has one byte or two
        std::size_t value = static_cast<unsigned char>(token[at]);
        if (value >= 0x80) {
            const bool two = value >= 0xC2 && value < 0xE0 && at + 1 < token.size() && (token[at + 1] & 0xC0) == 0x80;
            value = two ? ((value & 0x1F) << 6) | (static_cast<unsigned char>(token[++at]) & 0x3F) : kAlphabet.byte.size();
        }
        if (value >= kAlphabet.byte.size() || kAlphabet.byte[value] < 0) {
            out.resize(before);
            return false;
        }
        out += static_cast<char>(kAlphabet.byte[value]);
    }
    return true;
}

std::optional<std::string> alphabet_to_bytes(std::string_view token) {
    std::string out;
    out.reserve(token.size());
    return append_bytes(out, token) ? std::optional<std::string>(std::move(out)) : std::nullopt;
}

void append_alphabet(std::string& out, std::string_view bytes) {
    for (const char byte : bytes) append_utf8(out, alphabet_character(static_cast<unsigned char>(byte)));
}

}  // namespace rag::core
