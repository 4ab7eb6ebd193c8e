// WordLevel: the vocabulary and its unknown token.
#include "tokenizer/saving/write_model.hpp"

namespace rag::core {

void write_word_level(const WordLevel& model, JsonText& out) {
    out.open('{').key("type").text("WordLevel");
    write_vocabulary(model.vocabulary(), out.key("vocab"));
    out.key("unk_token").text(model.unk_token()).close('}');
}

}  // namespace rag::core
