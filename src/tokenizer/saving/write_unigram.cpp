// Unigram: tokens with their scores, whose place in the list is their id.
#include <cstddef>

#include "core/error.hpp"
#include "tokenizer/loading/score_text.hpp"
#include "tokenizer/saving/write_model.hpp"

namespace rag::core {

void write_unigram(const Unigram& model, JsonText& out) {
    const UnigramOptions& options = model.options();
    if (options.sentence_piece) {
        fail(Code::kUnsupported,
             "tokenizer.json cannot say that a Unigram model computes as SentencePiece does, in single precision");
    }
    out.open('{').key("type").text("Unigram").key("unk_id");
    options.unk_id ? out.integer(*options.unk_id) : out.null();
    out.key("byte_fallback").boolean(options.byte_fallback).key("vocab").open('[');
    for (std::int32_t id = 0; id < static_cast<std::int32_t>(model.size()); ++id) {
        const auto token = model.id_to_token(id);
        if (!token) fail(Code::kUnsupported, "no token has the id {} of {}: tokenizer.json lists all", id, model.size());
        const auto written = score_for_serde_json(model.score(id));
        if (!written)
            fail(Code::kUnsupported, "the score {} of token {} has no text that Hugging Face reads as it", model.score(id), id);
        out.open('[').text(*token).number(*written).close(']');
    }
    out.close(']').close('}');
}

}  // namespace rag::core
