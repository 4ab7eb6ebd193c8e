// The decoder of a tokenizer.json; an unknown one is refused by name.
#include "tokenizer/decoders/byte_level.hpp"
#include "tokenizer/decoders/sequence.hpp"
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
    if (type == "Sequence") return std::make_unique<DecoderSequence>(read_stages<TokenDecoder>(fields, "decoders", depth, read));
    refuse_stage(fields);
}

}  // namespace

std::unique_ptr<TokenDecoder> read_decoder(const Json& json, const std::string& where) {
    return read(json, where, 0);
}

}  // namespace rag::core
