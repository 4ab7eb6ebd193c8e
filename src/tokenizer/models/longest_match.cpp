#include "tokenizer/models/longest_match.hpp"

#include "core/error.hpp"
#include "tokenizer/models/byte_alphabet.hpp"

namespace rag::core {

LongestMatch::LongestMatch(const std::vector<std::pair<std::string, std::int64_t>>& tokens) {
    std::vector<std::pair<std::string_view, std::int32_t>> keys;
    keys.reserve(tokens.size());
    vocabulary_.reserve(tokens.size());
    for (const auto& [bytes, id] : tokens) {
        std::string written;
        append_alphabet(written, bytes);
        if (bytes.empty() || vocabulary_.find(written) ||
            (id < kMaxTokenId && vocabulary_.token(static_cast<std::int32_t>(id)))) {
            fail(Code::kCorrupt, "token {} with id {} is empty, or the token or the id is there already", quote(written), id);
        }
        vocabulary_.add(written, id);
        keys.emplace_back(bytes, static_cast<std::int32_t>(id));
    }
    trie_ = Trie(keys);
    for (unsigned byte = 0; byte < 256; ++byte) {
        const Trie::Node node = trie_.step(Trie::kRoot, static_cast<unsigned char>(byte));
        if (node == Trie::kNone || trie_.value(node) < 0) fail(Code::kCorrupt, "no token for the byte {}", byte);
    }
}

void LongestMatch::tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const {
    for (const Span& piece : pieces) {
        for (std::uint32_t at = piece.start; at < piece.end;) {
            ModelToken longest{-1, {at, at}};
            Trie::Node node = Trie::kRoot;
            for (std::uint32_t end = at; end < piece.end;) {
                node = trie_.step(node, static_cast<unsigned char>(text[end++]));
                if (node == Trie::kNone) break;
                if (const std::int32_t id = trie_.value(node); id >= 0) longest = {id, {at, end}};
            }
            out.push_back(longest);
            at = longest.span.end;  // a byte at least: each is a token
        }
    }
}

}  // namespace rag::core
