// The decoder of a tokenizer.json; an unknown one is refused by name.
#include "tokenizer/decoders/bpe.hpp"
#include "tokenizer/decoders/byte_fallback.hpp"
#include "tokenizer/decoders/byte_level.hpp"
#include "tokenizer/decoders/ctc.hpp"
#include "tokenizer/decoders/fuse.hpp"
#include "tokenizer/decoders/metaspace.hpp"
#include "tokenizer/decoders/replace.hpp"
#include "tokenizer/decoders/sequence.hpp"
#include "tokenizer/decoders/strip.hpp"
#include "tokenizer/decoders/word_piece.hpp"
#include "tokenizer/loading/stages.hpp"

namespace rag::core {
namespace {

std::unique_ptr<TokenDecoder> read(const Json& json, const std::string& where, int depth) {
    const StageFields fields(json, where);
    const std::string type = fields.type();
    if (type == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
    if (type == "WordPiece") {
        return std::make_unique<WordPieceDecoder>(fields.text("prefix", "##"), fields.boolean("cleanup", true));
    }
    if (type == "Metaspace") {
        MetaspaceFields read = read_metaspace_fields(fields);
        return std::make_unique<MetaspaceDecoder>(std::move(read.replacement), read.scheme != PrependScheme::kNever);
    }
    if (type == "BPEDecoder") return std::make_unique<BpeDecoder>(fields.text("suffix", "</w>"));
    if (type == "ByteFallback") return std::make_unique<ByteFallbackDecoder>();
    if (type == "Fuse") return std::make_unique<FuseDecoder>();
    if (type == "Strip") {
        constexpr std::int64_t kMost = 1 << 20;  // as many are held back
        return std::make_unique<StripDecoder>(read_character(fields, "content"),
                                              static_cast<std::size_t>(fields.integer("start", 0, 0, kMost)),
                                              static_cast<std::size_t>(fields.integer("stop", 0, 0, kMost)));
    }
    if (type == "Replace") {
        return std::make_unique<ReplaceDecoder>(read_pattern(fields),
                                                checked_text(fields.required("content"), fields.inside("content")));
    }
    if (type == "CTC") {
        return std::make_unique<CtcDecoder>(fields.text("pad_token", "<pad>"), fields.text("word_delimiter_token", "|"),
                                            fields.boolean("cleanup", true));
    }
    if (type == "Sequence") return std::make_unique<DecoderSequence>(read_stages<TokenDecoder>(fields, "decoders", depth, read));
    refuse_stage(fields);
}

}  // namespace

std::unique_ptr<TokenDecoder> read_decoder(const Json& json, const std::string& where) {
    return read(json, where, 0);
}

}  // namespace rag::core
