#include "tokenizer/loading/sentencepiece_stages.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/models/trie.hpp"

namespace rag::core {
namespace {

constexpr const char* kMeta = "\xe2\x96\x81";  // U+2581
constexpr std::size_t kMaxReplaced = 1000;     // control pieces: each is a step of the decoder

bool decodes_otherwise(const SentencePiece& piece) {
    return piece.type == SentencePiece::kControl || piece.type == SentencePiece::kUnknown;
}

// A piece of `keys` in `text`, which is not such a piece itself.
std::optional<std::string_view> find_inside(const Trie& keys, std::string_view text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        Trie::Node node = Trie::kRoot;
        for (std::size_t end = at; end < text.size();) {
            node = keys.step(node, static_cast<unsigned char>(text[end++]));
            if (node == Trie::kNone) break;
            if (keys.value(node) >= 0 && end - at < text.size()) return text.substr(at, end - at);
        }
    }
    return std::nullopt;
}

// A control piece is taken out of a token's text when it is decoded (sentencepiece_stages), so it must be in no other piece; and
// the model of tokenizer.json looks each character up in all of the vocabulary.
std::string clash_of_pieces(const SentencePieceFile& file) {
    std::vector<std::pair<std::string_view, std::int32_t>> keys;
    for (const SentencePiece& piece : file.pieces) {
        if (piece.type == SentencePiece::kNormal) continue;
        if (count_code_points(piece.text) == 1) return fmt::format("that the piece {} is not found in text", quote(piece.text));
        if (decodes_otherwise(piece)) keys.emplace_back(piece.text, 0);
    }
    if (keys.size() > kMaxReplaced) return fmt::format("what {} control pieces decode to", keys.size());
    const Trie replaced(keys);
    for (const SentencePiece& piece : file.pieces) {
        const auto inside = find_inside(replaced, piece.text);
        if (inside) return fmt::format("what {} decodes to, since {} contains it", quote(*inside), quote(piece.text));
    }
    return {};
}

Json replace(const std::string& what, const std::string& with) {
    return {{"type", "Replace"}, {"pattern", {{"String", what}}}, {"content", with}};
}

}  // namespace

std::string unsayable_part(const SentencePieceFile& file) {
    if (file.model_type != SentencePieceFile::kBpe) return "that a Unigram model adds scores up in single precision";
    if (!file.precompiled_charsmap.empty()) return "that a character map replaces the longest match";
    if (file.remove_extra_whitespaces) return "that white space is made one and removed at both ends, with the offsets of that";
    if (!file.escape_whitespaces) return "that spaces stay spaces";
    if (!file.byte_fallback) return "how unknown characters read and decode";
    for (const SentencePiece& piece : file.pieces) {
        if (piece.type == SentencePiece::kUserDefined || piece.type == SentencePiece::kUnused) {
            return fmt::format("that the piece {} is {}", quote(piece.text),
                               piece.type == SentencePiece::kUnused ? "unused" : "defined by the user");
        }
    }
    return clash_of_pieces(file);
}

Json sentencepiece_stages(const SentencePieceFile& file) {
    Json normalizers = Json::array();
    Json decoders = Json::array();
    for (const SentencePiece& piece : file.pieces) {
        if (!decodes_otherwise(piece)) continue;
        decoders.push_back(replace(piece.text, piece.type == SentencePiece::kUnknown ? file.unk_surface : ""));
    }
    decoders.push_back(replace(kMeta, " "));
    decoders.push_back({{"type", "ByteFallback"}});
    decoders.push_back({{"type", "Fuse"}});
    if (file.add_dummy_prefix) {
        normalizers.push_back({{"type", "Prepend"}, {"prepend", kMeta}});
        decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    }
    normalizers.push_back(replace(" ", kMeta));
    return {{"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
            {"pre_tokenizer", nullptr},
            {"post_processor", nullptr},
            {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}}};
}

}  // namespace rag::core
