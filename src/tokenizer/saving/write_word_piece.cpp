// WordPiece: its three settings and the vocabulary.
#include "tokenizer/saving/write_model.hpp"

namespace rag::core {

void write_word_piece(const WordPiece& model, JsonText& out) {
    const WordPieceOptions& options = model.options();
    out.open('{').key("type").text("WordPiece").key("unk_token").text(options.unk_token);
    out.key("continuing_subword_prefix").text(options.continuing_subword_prefix);
    out.key("max_input_chars_per_word").integer(static_cast<std::int64_t>(options.max_input_chars_per_word));
    write_vocabulary(model.vocabulary(), out.key("vocab"));
    out.close('}');
}

}  // namespace rag::core
