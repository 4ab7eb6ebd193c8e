// Fields that stages of several kinds have in common.
#include "core/utf8.hpp"
#include "tokenizer/loading/stages.hpp"

namespace rag::core {

Regex read_pattern(const StageFields& fields) {
    const StageFields pattern = fields.object("pattern");
    const auto expression = pattern.optional_text("Regex");
    const auto literal = pattern.optional_text("String");
    if (expression.has_value() == literal.has_value()) fields.wrong("pattern", "either a Regex or a String");
    return expression ? Regex(*expression) : Regex::literal(*literal);
}

std::string read_character(const StageFields& fields, const char* key) {
    const std::string& text = checked_text(fields.required(key), fields.inside(key));
    const Utf8Step step = decode_utf8(text, 0);
    if (!step.valid || step.length != text.size() || text.empty()) fields.wrong(key, "one character");
    return text;
}

MetaspaceFields read_metaspace_fields(const StageFields& fields) {
    MetaspaceFields out{read_character(fields, "replacement"), PrependScheme::kAlways};
    const std::string scheme = fields.text("prepend_scheme", "always");
    if (scheme == "first") {
        out.scheme = PrependScheme::kFirst;
    } else if (scheme == "never") {
        out.scheme = PrependScheme::kNever;
    } else if (scheme != "always") {
        fields.wrong("prepend_scheme", "always, first or never");
    }
    // Old files have this field alone, and Hugging Face refuses what contradicts the scheme.
    if (!fields.boolean("add_prefix_space", true) && out.scheme != PrependScheme::kNever) {
        fields.wrong("add_prefix_space", "true, or prepend_scheme never");
    }
    return out;
}

}  // namespace rag::core
