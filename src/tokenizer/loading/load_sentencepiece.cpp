// Makes a tokenizer from a SentencePiece model: it does what SentencePiece's own program does. A file by itself adds no special
// tokens, as that program; in a folder tokenizer_config.json may name a class that adds some.
#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "formats/sentencepiece_file.hpp"
#include "tokenizer/decoders/sentence_piece.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/loading/named.hpp"
#include "tokenizer/loading/sentencepiece_stages.hpp"
#include "tokenizer/loading/stage_fields.hpp"
#include "tokenizer/models/sentence_piece_bpe.hpp"
#include "tokenizer/models/unigram.hpp"
#include "tokenizer/normalizers/sentence_piece.hpp"
#include "tokenizer/post_processors/template_processing.hpp"

namespace rag::core {
namespace {

bool is_found_in_text(const SentencePiece& piece) {
    return piece.type == SentencePiece::kNormal || piece.type == SentencePiece::kUserDefined ||
           piece.type == SentencePiece::kUnused;
}

class Loader {
  public:
    explicit Loader(const SentencePieceFile& file) : file_(file) {}

    TokenizerParts load() {
        refuse_unsupported();
        Vocabulary vocabulary = read_pieces();
        parts_.normalizer = make_normalizer();
        parts_.decoder = make_decoder();
        if (file_.model_type == SentencePieceFile::kBpe) {
            parts_.model = make_bpe(std::move(vocabulary));
        } else {
            parts_.model = make_unigram(std::move(vocabulary));
        }
        parts_.unsayable = unsayable_part(file_);
        if (parts_.unsayable.empty()) parts_.stages_json = sentencepiece_stages(file_).dump();
        return std::move(parts_);
    }

  private:
    void refuse_unsupported() const {
        if (file_.model_type != SentencePieceFile::kUnigram && file_.model_type != SentencePieceFile::kBpe) {
            fail(Code::kUnsupported, "a SentencePiece model of the type {}; unigram and bpe are supported",
                 file_.model_type == SentencePieceFile::kWord ? "word" : "char");
        }
        if (file_.treat_whitespace_as_suffix) fail(Code::kUnsupported, "a SentencePiece model with treat_whitespace_as_suffix");
        if (file_.has_denormalizer) fail(Code::kUnsupported, "a SentencePiece model with a denormalizer");
    }

    Vocabulary read_pieces() {
        Vocabulary vocabulary;
        vocabulary.reserve(file_.pieces.size());
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < file_.pieces.size(); ++i) {
            const SentencePiece& piece = file_.pieces[i];
            if (vocabulary.find(piece.text)) fail(Code::kCorrupt, "the piece {} is there twice", quote(piece.text));
            vocabulary.add(piece.text, static_cast<std::int64_t>(i));
            if (piece.type == SentencePiece::kUnknown) {
                if (unk_ >= 0) fail(Code::kCorrupt, "the pieces {} and {} are both the unknown one", unk_, i);
                unk_ = static_cast<std::int32_t>(i);
            }
            if (piece.type == SentencePiece::kByte) ++bytes;
            if (piece.type == SentencePiece::kControl || piece.type == SentencePiece::kUnknown) name_special(piece.text);
        }
        if (unk_ < 0) fail(Code::kCorrupt, "none of {} pieces is the unknown one", file_.pieces.size());
        if (file_.byte_fallback ? bytes != 256 : bytes != 0) {
            fail(Code::kCorrupt, "{} pieces are bytes, and byte_fallback is {}", bytes, file_.byte_fallback);
        }
        for (unsigned byte = 0; file_.byte_fallback && byte < 256; ++byte) {
            const auto id = vocabulary.find(fmt::format("<0x{:02X}>", byte));
            if (!id || file_.pieces[static_cast<std::size_t>(*id)].type != SentencePiece::kByte) {
                fail(Code::kCorrupt, "no piece for the byte {}", byte);
            }
        }
        return vocabulary;
    }

    void name_special(const std::string& piece) {
        const std::pair<const char*, const std::string&> names[] = {{"unk_token", file_.unk_piece},
                                                                    {"bos_token", file_.bos_piece},
                                                                    {"eos_token", file_.eos_piece},
                                                                    {"pad_token", file_.pad_piece}};
        for (const auto& [name, text] : names) {
            if (piece == text) parts_.special_tokens[name] = piece;
        }
    }

    std::unique_ptr<Normalizer> make_normalizer() const {
        std::vector<std::pair<std::string_view, std::int32_t>> user_defined;
        for (const SentencePiece& piece : file_.pieces) {
            if (piece.type == SentencePiece::kUserDefined) user_defined.emplace_back(piece.text, 0);
        }
        std::optional<CharsMap> map;
        if (!file_.precompiled_charsmap.empty()) map.emplace(file_.precompiled_charsmap);
        return std::make_unique<SentencePieceNormalizer>(
            std::move(map), Trie(user_defined),
            SentencePieceNormalizerOptions{file_.add_dummy_prefix, file_.remove_extra_whitespaces, file_.escape_whitespaces});
    }

    std::unique_ptr<TokenDecoder> make_decoder() const {
        SentencePieceDecoderOptions options;
        for (const SentencePiece& piece : file_.pieces) {
            if (piece.type == SentencePiece::kControl) options.control.insert(piece.text);
        }
        options.unk_piece = file_.pieces[static_cast<std::size_t>(unk_)].text;
        options.unk_surface = file_.unk_surface;
        options.byte_fallback = file_.byte_fallback;
        options.drop_first_space = file_.add_dummy_prefix || file_.remove_extra_whitespaces;
        options.drop_first_spaces = file_.remove_extra_whitespaces;
        return std::make_unique<SentencePieceDecoder>(std::move(options));
    }

    std::unique_ptr<TokenModel> make_bpe(Vocabulary vocabulary) const {
        std::vector<ScoredPiece> pieces;
        for (std::size_t i = 0; i < file_.pieces.size(); ++i) {
            const SentencePiece& piece = file_.pieces[i];
            if (!is_found_in_text(piece)) continue;
            pieces.push_back({piece.text, static_cast<std::int32_t>(i), piece.score, piece.type == SentencePiece::kUserDefined,
                              piece.type == SentencePiece::kUnused});
        }
        return std::make_unique<SentencePieceBpe>(std::move(vocabulary), pieces, unk_, file_.byte_fallback);
    }

    // Scores are single precision there, and so are the sums. A user defined piece beats all others.
    std::unique_ptr<TokenModel> make_unigram(Vocabulary vocabulary) const {
        constexpr float kUnknownPenalty = 10;
        float lowest = std::numeric_limits<float>::max(), highest = std::numeric_limits<float>::lowest();
        for (const SentencePiece& piece : file_.pieces) {
            if (piece.type != SentencePiece::kNormal) continue;
            lowest = std::min(lowest, piece.score);
            highest = std::max(highest, piece.score);
        }
        std::vector<UnigramPiece> pieces;
        for (std::size_t i = 0; i < file_.pieces.size(); ++i) {
            const SentencePiece& piece = file_.pieces[i];
            const bool user_defined = piece.type == SentencePiece::kUserDefined;
            if (piece.type != SentencePiece::kNormal && !user_defined) continue;
            const double score = user_defined ? static_cast<double>(static_cast<float>(piece.text.size()) * highest) - 0.1
                                              : static_cast<double>(piece.score);
            pieces.push_back({piece.text, static_cast<std::int32_t>(i), score});
        }
        UnigramOptions options;
        options.unk_id = unk_;
        options.byte_fallback = file_.byte_fallback;
        options.unk_score = static_cast<double>(lowest - kUnknownPenalty);
        options.sentence_piece = true;
        return std::make_unique<Unigram>(std::move(vocabulary), file_.pieces.size(), pieces, options);
    }

    const SentencePieceFile& file_;
    std::int32_t unk_ = -1;
    TokenizerParts parts_;
};

Json template_json(const std::vector<TemplatePiece>& pieces, Json& special_tokens) {
    Json out = Json::array();
    for (const TemplatePiece& piece : pieces) {
        if (piece.sequence >= 0) {
            out.push_back({{"Sequence", {{"id", piece.sequence == 0 ? "A" : "B"}, {"type_id", piece.type_id}}}});
            continue;
        }
        const std::string& token = piece.tokens[0];
        special_tokens[token] = {{"id", token}, {"ids", piece.ids}, {"tokens", piece.tokens}};
        out.push_back({{"SpecialToken", {{"id", token}, {"type_id", piece.type_id}}}});
    }
    return out;
}

// What saving/ writes of a post-processor, beside the stages that are known.
void describe_templates(const std::vector<TemplatePiece>& single, const std::vector<TemplatePiece>& pair, TokenizerParts& parts) {
    if (parts.stages_json.empty()) return;
    Json stages = Json::parse(parts.stages_json);
    Json special_tokens = Json::object();
    Json templates{{"type", "TemplateProcessing"}};
    templates["single"] = template_json(single, special_tokens);
    templates["pair"] = template_json(pair, special_tokens);
    templates["special_tokens"] = special_tokens;
    stages["post_processor"] = templates;
    parts.stages_json = stages.dump();
}

// What the class that a folder names adds to a text; a class that changes ids or is not known is refused.
void apply_class(const StageFields& config, TokenizerParts& parts) {
    std::string name = config.text("tokenizer_class", "");
    if (name.ends_with("Fast")) name.resize(name.size() - 4);
    if (!name.empty() && name != "LlamaTokenizer" && name != "T5Tokenizer") {
        fail(Code::kUnsupported,
             "{}: tokenizer_class is {}; for a SentencePiece model LlamaTokenizer and T5Tokenizer are supported", config.where(),
             quote(name));
    }
    std::vector<TemplatePiece> single, pair;
    const auto put = [&](bool wanted, const char* role, bool in_single) {
        if (!wanted) return;
        const std::string& token = parts.special_tokens[role];
        const auto id = parts.model->token_to_id(token);
        if (!id) fail(Code::kCorrupt, "{}: {} {} is not in the vocabulary", config.where(), role, quote(token));
        if (in_single) single.push_back({-1, 0, {*id}, {token}});
        pair.push_back({-1, 0, {*id}, {token}});
    };
    const bool bos = config.boolean("add_bos_token", name == "LlamaTokenizer");
    const bool eos = config.boolean("add_eos_token", name == "T5Tokenizer");
    put(bos, "bos_token", true);
    single.push_back({0, 0, {}, {}});
    pair.push_back({0, 0, {}, {}});
    put(eos, "eos_token", true);
    put(bos, "bos_token", false);
    pair.push_back({1, 0, {}, {}});
    put(eos, "eos_token", false);
    describe_templates(single, pair, parts);
    parts.post_processor = std::make_unique<TemplateProcessing>(std::move(single), std::move(pair));
    for (const auto& [role, token] : parts.special_tokens) {
        const auto same = [&](const AddedToken& other) { return other.content == token; };
        if (std::any_of(parts.added_tokens.begin(), parts.added_tokens.end(), same)) continue;
        parts.added_tokens.push_back({token, parts.model->token_to_id(token).value_or(0), false, false, false, false, true});
    }
}

}  // namespace

TokenizerParts load_sentencepiece(std::span<const std::byte> bytes, const std::string& name) {
    return make_named(name, [&] {
        const SentencePieceFile file = parse_sentencepiece(bytes, name);
        TokenizerParts parts = Loader(file).load();
        parts.name = name;
        return parts;
    });
}

TokenizerParts load_sentencepiece_folder(const std::filesystem::path& file) {
    TokenizerParts parts = load_sentencepiece(MappedFile::open(file)->bytes(), file.string());
    const std::filesystem::path path = file.parent_path() / "tokenizer_config.json";
    if (!std::filesystem::exists(path)) return parts;
    const Json json = parse_tokenizer_json(read_text_file(path), path.string());
    load_configuration(file.parent_path(), parts);
    parts.added_tokens = read_declared_tokens(file.parent_path());
    apply_class({json, path.string()}, parts);
    return parts;
}

}  // namespace rag::core
