// The model of a tokenizer.json: vocabulary and merges, every id checked.
#include "tokenizer/loading/stages.hpp"
#include "tokenizer/models/bpe.hpp"
#include "tokenizer/models/word_piece.hpp"

namespace rag::core {
namespace {

Vocabulary read_vocabulary(const StageFields& fields) {
    const Json& json = fields.required("vocab");
    if (!json.is_object()) fields.wrong("vocab", "an object of tokens and ids");
    Vocabulary vocabulary;
    vocabulary.reserve(json.size());
    const std::string where = fields.inside("vocab");
    for (const auto& [token, id] : json.items()) vocabulary.add(token, checked_integer(id, 0, kMaxTokenId - 1, where));
    return vocabulary;
}

// Old files write "left right", new ones ["left", "right"]. Views into the JSON.
MergeList read_merges(const StageFields& fields) {
    MergeList merges;
    const Json& json = fields.array("merges");
    merges.reserve(json.size());
    const std::string where = fields.inside("merges");
    for (const Json& entry : json) {
        if (entry.is_array() && entry.size() == 2) {
            merges.emplace_back(checked_text(entry[0], where), checked_text(entry[1], where));
            continue;
        }
        const std::string_view line = checked_text(entry, where);
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
            fail(Code::kCorrupt, "{}: merge {} is {}, not two tokens with one space between", where, merges.size(), quote(line));
        }
        merges.emplace_back(line.substr(0, space), line.substr(space + 1));
    }
    return merges;
}

std::unique_ptr<TokenModel> read_bpe(const StageFields& fields, bool bytes) {
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

std::unique_ptr<TokenModel> read_word_piece(const StageFields& fields, bool bytes) {
    if (bytes) fail(Code::kUnsupported, "{}: WordPiece behind ByteLevel", fields.where());
    WordPieceOptions options;
    options.unk_token = fields.text("unk_token", options.unk_token);
    options.continuing_subword_prefix = fields.text("continuing_subword_prefix", options.continuing_subword_prefix);
    options.max_input_chars_per_word = static_cast<std::size_t>(
        fields.integer("max_input_chars_per_word", static_cast<std::int64_t>(options.max_input_chars_per_word), 0, 1 << 30));
    return std::make_unique<WordPiece>(read_vocabulary(fields), std::move(options));
}

}  // namespace

std::unique_ptr<TokenModel> read_model(const Json& json, bool bytes, const std::string& where) {
    const StageFields fields(json, where);
    std::string type = fields.type();
    if (type.empty()) {  // old files: told apart by their fields, as Hugging Face does
        if (fields.find("merges") != nullptr) {
            type = "BPE";
        } else if (fields.find("max_input_chars_per_word") != nullptr) {
            type = "WordPiece";
        } else {
            type = fields.find("unk_id") != nullptr ? "Unigram" : "WordLevel";
        }
    }
    if (type == "BPE") return read_bpe(fields, bytes);
    if (type == "WordPiece") return read_word_piece(fields, bytes);
    fail(Code::kUnsupported, "{}: a model of type {} is not supported", where, quote(type));
}

}  // namespace rag::core
