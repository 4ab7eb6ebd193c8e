// The post-processor of a tokenizer.json; an unknown one is refused by name.
#include <algorithm>

#include "core/error.hpp"
#include "tokenizer/loading/stages.hpp"
#include "tokenizer/post_processors/bert_processing.hpp"
#include "tokenizer/post_processors/byte_level.hpp"
#include "tokenizer/post_processors/sequence.hpp"
#include "tokenizer/post_processors/template_processing.hpp"

namespace rag::core {
namespace {

NamedToken read_named(const StageFields& fields, const char* key) {
    const Json& pair = fields.array(key);
    if (pair.size() != 2) fields.wrong(key, "a token and its id");
    return {checked_text(pair[0], fields.inside(key)),
            static_cast<std::int32_t>(checked_integer(pair[1], 0, kMaxTokenId - 1, fields.inside(key)))};
}

TemplatePiece read_special(const StageFields& piece, const StageFields& special_tokens) {
    TemplatePiece out;
    const std::string name = checked_text(piece.required("id"), piece.inside("id"));
    const StageFields token = special_tokens.object(name.c_str());
    for (const Json& id : token.array("ids")) {
        out.ids.push_back(static_cast<std::int32_t>(checked_integer(id, 0, kMaxTokenId - 1, token.inside("ids"))));
    }
    for (const Json& text : token.array("tokens")) out.tokens.push_back(checked_text(text, token.inside("tokens")));
    if (out.ids.size() != out.tokens.size()) {
        fail(Code::kCorrupt, "{}: {} ids and {} tokens", token.where(), out.ids.size(), out.tokens.size());
    }
    return out;
}

constexpr std::size_t kMaxTemplateTokens = std::size_t{1} << 16;  // that a template adds to a text

std::vector<TemplatePiece> read_template(const StageFields& fields, const char* key, bool pair,
                                         const StageFields& special_tokens) {
    std::vector<TemplatePiece> pieces;
    bool seen[2] = {false, false};
    std::size_t added = 0;
    for (const Json& json : fields.array(key)) {
        const StageFields entry(json, fmt::format("{}[{}]", fields.inside(key), pieces.size()));
        const bool sequence = entry.find("Sequence") != nullptr;
        const StageFields piece = entry.object(sequence ? "Sequence" : "SpecialToken");
        TemplatePiece out;
        if (sequence) {
            const std::string id = checked_text(piece.required("id"), piece.inside("id"));
            if (id != "A" && !(id == "B" && pair)) piece.wrong("id", pair ? "A or B" : "A");
            out.sequence = id == "A" ? 0 : 1;
            seen[out.sequence] = true;
        } else {
            out = read_special(piece, special_tokens);
            added += out.ids.size();
            if (added > kMaxTemplateTokens) {
                fail(Code::kUnsupported, "{} adds more than {} tokens to a text", fields.inside(key), kMaxTemplateTokens);
            }
        }
        out.type_id = static_cast<std::uint32_t>(piece.integer("type_id", 0, 0, 0xFFFFFFFF));
        pieces.push_back(std::move(out));
    }
    if (pair && (!seen[0] || !seen[1])) fields.wrong(key, "a template with both A and B");
    return pieces;
}

std::unique_ptr<PostProcessor> read(const Json& json, const std::string& where, int depth) {
    const StageFields fields(json, where);
    const std::string type = fields.type();
    if (type == "TemplateProcessing") {
        const Json empty = Json::object();
        const Json* special = fields.find("special_tokens");
        const StageFields special_tokens(special != nullptr ? *special : empty, fields.inside("special_tokens"));
        return std::make_unique<TemplateProcessing>(read_template(fields, "single", false, special_tokens),
                                                    read_template(fields, "pair", true, special_tokens));
    }
    if (type == "BertProcessing") return std::make_unique<BertProcessing>(read_named(fields, "cls"), read_named(fields, "sep"));
    if (type == "RobertaProcessing") {
        return std::make_unique<RobertaProcessing>(read_named(fields, "cls"), read_named(fields, "sep"),
                                                   fields.boolean("trim_offsets", true),
                                                   fields.boolean("add_prefix_space", true));
    }
    if (type == "ByteLevel") {
        return std::make_unique<ByteLevelProcessing>(fields.boolean("trim_offsets", true),
                                                     fields.boolean("add_prefix_space", true));
    }
    if (type == "Sequence") {
        auto stages = read_stages<PostProcessor>(fields, "processors", depth, read);
        const auto adding = std::count_if(stages.begin(), stages.end(), [](const auto& stage) {
            return stage->added_tokens(false) > 0 || stage->added_tokens(true) > 0 ||
                   dynamic_cast<const TemplateProcessing*>(stage.get()) != nullptr;
        });
        if (adding > 1) fail(Code::kUnsupported, "{}: {} post-processors that add tokens or are templates", where, adding);
        const auto wraps = std::find_if(stages.begin(), stages.end(), [](const auto& stage) {
            return dynamic_cast<const BertProcessing*>(stage.get()) != nullptr ||
                   dynamic_cast<const RobertaProcessing*>(stage.get()) != nullptr;
        });
        if (wraps != stages.end() && std::any_of(wraps + 1, stages.end(), [](const auto& stage) { return stage->trims(); })) {
            fail(Code::kUnsupported, "{}: offsets trimmed behind BertProcessing or RobertaProcessing", where);
        }
        return std::make_unique<PostProcessorSequence>(std::move(stages));
    }
    refuse_stage(fields);
}

}  // namespace

std::unique_ptr<PostProcessor> read_post_processor(const Json& json, const std::string& where) {
    return read(json, where, 0);
}

}  // namespace rag::core
