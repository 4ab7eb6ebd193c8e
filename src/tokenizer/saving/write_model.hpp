// The model of a tokenizer.json, written from the model in memory. Private to saving/. All throw kUnsupported, naming what the
// file cannot say.
#pragma once

#include "tokenizer/models/bpe.hpp"
#include "tokenizer/models/model.hpp"
#include "tokenizer/models/sentence_piece_bpe.hpp"
#include "tokenizer/models/unigram.hpp"
#include "tokenizer/models/word_level.hpp"
#include "tokenizer/models/word_piece.hpp"
#include "tokenizer/saving/json_text.hpp"

namespace rag::core {

/// The object after "model":.
void write_model(const TokenModel& model, JsonText& out);

void write_bpe(const Bpe& model, JsonText& out);
void write_sentence_piece_bpe(const SentencePieceBpe& model, JsonText& out);
void write_unigram(const Unigram& model, JsonText& out);
void write_word_level(const WordLevel& model, JsonText& out);
void write_word_piece(const WordPiece& model, JsonText& out);

/// {"token": id, ...} in the order of the ids.
void write_vocabulary(const Vocabulary& vocabulary, JsonText& out);

}  // namespace rag::core
