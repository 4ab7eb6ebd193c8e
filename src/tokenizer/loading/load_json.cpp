// Makes a tokenizer from a tokenizer.json: its stages by name, its added tokens, truncation and padding.
#include "core/error.hpp"
#include "tokenizer/loading/build_stages.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/loading/named.hpp"
#include "tokenizer/loading/stage_fields.hpp"
#include "tokenizer/loading/stages.hpp"
#include "tokenizer/loading/tokenizer_json.hpp"

namespace rag::core {
namespace {

constexpr std::int64_t kMaxLength = std::int64_t{1} << 53;  // "no limit" is often written as a huge number

std::vector<AddedToken> read_added_tokens(const StageFields& file) {
    std::vector<AddedToken> tokens;
    if (file.find("added_tokens") == nullptr) return tokens;
    for (const Json& json : file.array("added_tokens")) {
        const StageFields fields(json, fmt::format("{}[{}]", file.inside("added_tokens"), tokens.size()));
        AddedToken token;
        token.content = checked_text(fields.required("content"), fields.inside("content"));
        token.id = static_cast<std::int32_t>(fields.integer("id", 0, 0, kMaxTokenId - 1));
        token.single_word = fields.boolean("single_word", false);
        token.lstrip = fields.boolean("lstrip", false);
        token.rstrip = fields.boolean("rstrip", false);
        token.special = fields.boolean("special", false);
        token.normalized = fields.boolean("normalized", !token.special);
        tokens.push_back(std::move(token));
    }
    return tokens;
}

bool read_direction(const StageFields& fields) {
    const std::string direction = fields.text("direction", "Right");
    if (direction != "Left" && direction != "Right") fields.wrong("direction", "Left or Right");
    return direction == "Left";
}

Truncation read_truncation(const StageFields& fields) {
    Truncation out;
    out.max_length =
        static_cast<std::size_t>(checked_integer(fields.required("max_length"), 0, kMaxLength, fields.inside("max_length")));
    const std::string strategy = fields.text("strategy", "LongestFirst");
    if (strategy == "OnlyFirst") {
        out.strategy = TruncationStrategy::kOnlyFirst;
    } else if (strategy == "OnlySecond") {
        out.strategy = TruncationStrategy::kOnlySecond;
    } else if (strategy != "LongestFirst") {
        fields.wrong("strategy", "LongestFirst, OnlyFirst or OnlySecond");
    }
    out.keep_last = read_direction(fields);
    out.stride = static_cast<std::size_t>(fields.integer("stride", 0, 0, kMaxLength));
    return out;
}

Padding read_padding(const StageFields& fields) {
    constexpr auto kLongest = static_cast<std::int64_t>(kMaxPadding);
    Padding out;
    const Json& strategy = fields.required("strategy");
    if (strategy.is_object()) {
        const StageFields fixed(strategy, fields.inside("strategy"));
        out.fixed_length = static_cast<std::size_t>(checked_integer(fixed.required("Fixed"), 0, kLongest, fixed.inside("Fixed")));
    } else if (strategy != "BatchLongest") {
        fields.wrong("strategy", "BatchLongest or {\"Fixed\": length}");
    }
    out.multiple_of = static_cast<std::size_t>(fields.integer("pad_to_multiple_of", 0, 0, kLongest));
    out.left = read_direction(fields);
    out.id = static_cast<std::int32_t>(fields.integer("pad_id", 0, 0, kMaxTokenId - 1));
    out.type_id = static_cast<std::uint32_t>(fields.integer("pad_type_id", 0, 0, 0xFFFFFFFF));
    out.token = fields.text("pad_token", "[PAD]");
    return out;
}

TokenizerParts read_file(const std::string& text, const std::string& name) {
    const TokenizerJson json(text, name);
    const StageFields file(json.rest(), name);
    if (const std::string version = file.text("version", "1.0"); version != "1.0") {
        fail(Code::kVersion, "{}: version {} of tokenizer.json, 1.0 is known", name, quote(version));
    }
    TokenizerParts parts;
    parts.name = name;
    build_stages(file, parts, takes_bytes(json));
    const bool bytes = parts.pre_tokenizer != nullptr && parts.pre_tokenizer->makes_bytes();
    parts.model = read_model(json, bytes);
    parts.added_tokens = read_added_tokens(file);
    if (const Json* found = file.find("truncation")) parts.truncation = read_truncation({*found, file.inside("truncation")});
    if (const Json* found = file.find("padding")) parts.padding = read_padding({*found, file.inside("padding")});
    return parts;
}

}  // namespace

TokenizerParts load_json(const std::string& text, const std::string& name) {
    return make_named(name, [&] { return read_file(text, name); });
}

}  // namespace rag::core
