#include "tokenizer/pre_tokenizers/whitespace.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tokenizer/pre_tokenizers/characters.hpp"

namespace rag::core {
namespace {

// Cuts every piece where the kind of its characters changes and leaves out those of kind 0.
template <typename KindOf>
void cut_by_kind(std::string_view text, std::vector<Span>& pieces, std::vector<Span>& scratch, KindOf kind_of) {
    scratch.clear();
    for (const Span& piece : pieces) {
        std::uint32_t from = piece.start;
        unsigned last = 0;
        for (std::uint32_t at = piece.start; at < piece.end;) {
            const Character character = character_at(text, at);
            const unsigned kind = kind_of(character.properties);
            if (kind != last) {
                if (last != 0) scratch.push_back({from, at});
                from = at;
                last = kind;
            }
            at += character.length;
        }
        if (last != 0) scratch.push_back({from, piece.end});
    }
    pieces.swap(scratch);
}

}  // namespace

void Whitespace::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    cut_by_kind(text.text(), pieces, scratch, [](std::uint16_t properties) -> unsigned {
        if ((properties & unicode::kWord) != 0) return 1;
        return (properties & unicode::kWhite) != 0 ? 0 : 2;
    });
}

namespace {

using Block = unsigned char __attribute__((vector_size(16)));

template <typename Byte>
auto may_be_white_byte(Byte byte) {
    return (byte <= ' ') | (byte == 0xC2) | ((byte >= 0xE1) & (byte <= 0xE3));
}
bool may_be_white(char byte) {
    return may_be_white_byte(static_cast<unsigned char>(byte)) != 0;
}
// Whether one of the bytes of a block may be. Two more bytes are read, to tell U+3000 from Chinese punctuation.
constexpr std::size_t kMoreBytes = 2;
bool any_may_be_white(const char* bytes) {
    Block block, third;
    std::memcpy(&block, bytes, sizeof block);
    std::memcpy(&third, bytes + kMoreBytes, sizeof third);
    const auto found = may_be_white_byte(block) & ((block != 0xE3) | (third == 0x80));
    std::uint64_t halves[2];
    std::memcpy(halves, &found, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

}  // namespace

// Only characters that begin with these bytes are looked up: ASCII's, and the first bytes of all other white space (a test looks
// at all code points). No byte inside a character is one of them.
void WhitespaceSplit::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    const std::string_view all = text.text();
    scratch.clear();
    for (const Span& piece : pieces) {
        std::uint32_t from = piece.start;
        for (std::uint32_t at = piece.start;;) {
            while (at + sizeof(Block) + kMoreBytes <= piece.end && !any_may_be_white(all.data() + at)) at += sizeof(Block);
            if (at == piece.end) break;
            if (!may_be_white(all[at])) {
                do {
                    ++at;
                } while (at < piece.end && !may_be_white(all[at]));
                continue;
            }
            const Character character = character_at(all, at);
            const std::uint32_t end = at + character.length;
            if ((character.properties & unicode::kWhite) != 0) {
                if (from < at) scratch.push_back({from, at});
                from = end;
            }
            at = end;
        }
        if (from < piece.end) scratch.push_back({from, piece.end});
    }
    pieces.swap(scratch);
}

void CharDelimiterSplit::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    scratch.clear();
    for (const Span& piece : pieces) {
        const std::string_view bytes = text.text().substr(0, piece.end);
        std::uint32_t from = piece.start;
        for (;;) {
            const std::size_t found = bytes.find(delimiter_, from);
            const std::uint32_t end = found == std::string_view::npos ? piece.end : static_cast<std::uint32_t>(found);
            if (from < end) scratch.push_back({from, end});
            if (found == std::string_view::npos) break;
            from = end + static_cast<std::uint32_t>(delimiter_.size());
        }
    }
    pieces.swap(scratch);
}

}  // namespace rag::core
