// The model of a tokenizer.json: vocabulary and merges, every id checked.
#include <algorithm>
#include <limits>

#include "tokenizer/loading/score_text.hpp"
#include "tokenizer/loading/stages.hpp"
#include "tokenizer/loading/tokenizer_json.hpp"
#include "tokenizer/models/bpe.hpp"
#include "tokenizer/models/unigram.hpp"
#include "tokenizer/models/word_level.hpp"
#include "tokenizer/models/word_piece.hpp"

namespace rag::core {
namespace {

// The model of a file: its small fields, and the file for what is large.
struct ModelFields : StageFields {
    ModelFields(const TokenizerJson& from, const StageFields& all) : StageFields(all.object("model")), file(from) {}
    const TokenizerJson& file;
};

Vocabulary read_vocabulary(const ModelFields& fields) {
    if (fields.file.has_pieces()) fail(Code::kCorrupt, "{}: vocab must be an object, found an array", fields.where());
    if (!fields.file.has_tokens()) fields.wrong("vocab", "an object of tokens and ids");
    Vocabulary vocabulary;
    fields.file.add_tokens_to(vocabulary);
    return vocabulary;
}

MergeSource merges_of(const ModelFields& fields) {
    if (!fields.file.has_merges()) fields.wrong("merges", "an array");
    return {fields.file.merge_count(), [&file = fields.file](const MergeSource::Visit& visit) { file.each_merge(visit); }};
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
    if (options.byte_fallback && !(options.continuing_subword_prefix.empty() && options.end_of_word_suffix.empty())) {
        fail(Code::kUnsupported, "{}: byte_fallback together with prefixes or suffixes", fields.where());  // bytes of which text?
    }
    return std::make_unique<Bpe>(read_vocabulary(fields), merges_of(fields), std::move(options));
}

std::unique_ptr<TokenModel> read_word_piece(const ModelFields& fields) {
    WordPieceOptions options;
    options.unk_token = fields.text("unk_token", options.unk_token);
    options.continuing_subword_prefix = fields.text("continuing_subword_prefix", options.continuing_subword_prefix);
    options.max_input_chars_per_word = static_cast<std::size_t>(
        fields.integer("max_input_chars_per_word", static_cast<std::int64_t>(options.max_input_chars_per_word), 0, 1 << 30));
    return std::make_unique<WordPiece>(read_vocabulary(fields), std::move(options));
}

// "vocab": [["token", score], ...], the place in it is the id.
std::unique_ptr<TokenModel> read_unigram(const ModelFields& fields) {
    constexpr double kUnknownPenalty = 10;
    if (fields.file.has_tokens()) fail(Code::kCorrupt, "{}: vocab must be an array, found an object", fields.where());
    if (!fields.file.has_pieces()) fields.wrong("vocab", "an array");
    Vocabulary vocabulary;
    vocabulary.reserve(fields.file.piece_count());
    std::vector<UnigramPiece> pieces;
    pieces.reserve(fields.file.piece_count());
    double lowest = std::numeric_limits<double>::infinity();
    fields.file.each_piece([&](std::string_view token, double score) {
        const auto id = static_cast<std::int64_t>(pieces.size());
        vocabulary.add(token, id);
        pieces.push_back({token, static_cast<std::int32_t>(id), score_by_serde_json(score)});
        lowest = std::min(lowest, pieces.back().score);
    });
    UnigramOptions options;
    if (fields.find("unk_id") != nullptr) {
        options.unk_id = static_cast<std::int32_t>(fields.integer("unk_id", 0, 0, static_cast<std::int64_t>(pieces.size()) - 1));
    }
    options.byte_fallback = fields.boolean("byte_fallback", false);
    options.unk_score = lowest - kUnknownPenalty;
    return std::make_unique<Unigram>(std::move(vocabulary), pieces.size(), pieces, options);
}

std::string model_type(const ModelFields& fields) {
    std::string type = fields.type();
    if (!type.empty()) return type;
    // Old files: told apart by their fields, as Hugging Face does.
    if (fields.file.has_merges() || fields.find("merges") != nullptr) return "BPE";
    if (fields.find("max_input_chars_per_word") != nullptr) return "WordPiece";
    return fields.find("unk_id") != nullptr ? "Unigram" : "WordLevel";
}

}  // namespace

bool takes_bytes(const TokenizerJson& file) {
    const ModelFields fields(file, {file.rest(), file.name()});
    // byte_fallback looks at the bytes of the alphabet's characters.
    return model_type(fields) == "BPE" && !fields.boolean("byte_fallback", false);
}

std::unique_ptr<TokenModel> read_model(const TokenizerJson& file, bool bytes) {
    const ModelFields fields(file, {file.rest(), file.name()});
    const std::string type = model_type(fields);
    if (type == "BPE") return read_bpe(fields, bytes);
    if (type == "WordPiece") return read_word_piece(fields);
    if (type == "Unigram") return read_unigram(fields);
    if (type == "WordLevel") return std::make_unique<WordLevel>(read_vocabulary(fields), fields.text("unk_token", "<unk>"));
    fail(Code::kUnsupported, "{}: a model of type {} is not supported", fields.where(), quote(type));
}

}  // namespace rag::core
