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

std::optional<std::string> alphabet_to_bytes(std::string_view token) {
    std::string out;
    out.reserve(token.size());
    for (std::size_t at = 0; at < token.size();) {
        const Utf8Step step = decode_utf8(token, at);
        if (!step.valid || step.value >= kAlphabet.byte.size() || kAlphabet.byte[step.value] < 0) return std::nullopt;
        out += static_cast<char>(kAlphabet.byte[step.value]);
        at += step.length;
    }
    return out;
}

void append_alphabet(std::string& out, std::string_view bytes) {
    for (const char byte : bytes) append_utf8(out, alphabet_character(static_cast<unsigned char>(byte)));
}

}  // namespace rag::core
