// The model of a tokenizer.json: vocabulary and merges, every id checked.
#include "tokenizer/loading/stages.hpp"
#include "tokenizer/loading/tokenizer_json.hpp"
#include "tokenizer/models/bpe.hpp"
#include "tokenizer/models/word_piece.hpp"

namespace rag::core {
namespace {

// The model of a file: its small fields, and the file for what is large.
struct ModelFields : StageFields {
    ModelFields(const TokenizerJson& from, const StageFields& all) : StageFields(all.object("model")), file(from) {}
    const TokenizerJson& file;
};

Vocabulary read_vocabulary(const ModelFields& fields) {
    if (!fields.file.has_tokens()) fields.wrong("vocab", "an object of tokens and ids");
    Vocabulary vocabulary;
    vocabulary.reserve(fields.file.token_count());
    fields.file.each_token([&](std::string_view token, std::int64_t id) { vocabulary.add(token, id); });
    return vocabulary;
}

// Views into the file.
MergeList read_merges(const ModelFields& fields) {
    if (!fields.file.has_merges()) fields.wrong("merges", "an array");
    MergeList merges;
    merges.reserve(fields.file.merge_count());
    fields.file.each_merge([&](std::string_view left, std::string_view right) { merges.emplace_back(left, right); });
    return merges;
}

std::unique_ptr<TokenModel> read_bpe(const ModelFields& fields, bool bytes) {
    if (const Json* dropout = fields.find("dropout");
        dropout != nullptr && (!dropout->is_number() || dropout->get<double>() != 0)) {
        fail(Code::kUnsupported, "{}: dropout, which makes ids a matter of chance", fields.where());
    }
    BpeOptions options;
    options.unk_token = fields.optional_text("unk_token");
    options.continuing_subword_prefix = fields.text("continuing_subword_prefix", "");
    options.end_of_word_suffix = fields.text("end_of_word_suffix", "");
    options.fuse_unk = fields.boolean("fuse_unk", false);
    options.byte_fallback = fields.boolean("byte_fallback", false);
    options.ignore_merges = fields.boolean("ignore_merges", false);
    options.bytes = bytes;
    return std::make_unique<Bpe>(read_vocabulary(fields), read_merges(fields), std::move(options));
}

std::unique_ptr<TokenModel> read_word_piece(const ModelFields& fields, bool bytes) {
    if (bytes) fail(Code::kUnsupported, "{}: WordPiece behind ByteLevel", fields.where());
    WordPieceOptions options;
    options.unk_token = fields.text("unk_token", options.unk_token);
    options.continuing_subword_prefix = fields.text("continuing_subword_prefix", options.continuing_subword_prefix);
    options.max_input_chars_per_word = static_cast<std::size_t>(
        fields.integer("max_input_chars_per_word", static_cast<std::int64_t>(options.max_input_chars_per_word), 0, 1 << 30));
    return std::make_unique<WordPiece>(read_vocabulary(fields), std::move(options));
}

}  // namespace

std::unique_ptr<TokenModel> read_model(const TokenizerJson& file, bool bytes) {
    const ModelFields fields(file, {file.rest(), file.name()});
    std::string type = fields.type();
    if (type.empty()) {  // old files: told apart by their fields, as Hugging Face does
        if (file.has_merges() || fields.find("merges") != nullptr) {
            type = "BPE";
        } else if (fields.find("max_input_chars_per_word") != nullptr) {
            type = "WordPiece";
        } else {
            type = fields.find("unk_id") != nullptr ? "Unigram" : "WordLevel";
        }
    }
    if (type == "BPE") return read_bpe(fields, bytes);
    if (type == "WordPiece") return read_word_piece(fields, bytes);
    fail(Code::kUnsupported, "{}: a model of type {} is not supported", fields.where(), quote(type));
}

}  // namespace rag::core
