// Tokenizer::to_json, save and configuration_json. The stages but the model are written as they were read (loading/build_stages);
// the model, the added tokens, truncation and padding from memory.
#include <algorithm>
#include <map>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "tokenizer/loading/named.hpp"
#include "tokenizer/saving/write_model.hpp"
#include "tokenizer/tokenizer_state.hpp"

namespace rag::core {
namespace {

void write_truncation(const std::optional<Truncation>& truncation, JsonText& out) {
    if (!truncation) return static_cast<void>(out.null());
    static constexpr const char* kNames[] = {"LongestFirst", "OnlyFirst", "OnlySecond"};
    out.open('{').key("direction").text(truncation->keep_last ? "Left" : "Right");
    out.key("max_length").integer(static_cast<std::int64_t>(truncation->max_length));
    out.key("strategy").text(kNames[static_cast<std::size_t>(truncation->strategy)]);
    out.key("stride").integer(static_cast<std::int64_t>(truncation->stride)).close('}');
}

void write_padding(const std::optional<Padding>& padding, JsonText& out) {
    if (!padding) return static_cast<void>(out.null());
    out.open('{').key("strategy");
    if (padding->fixed_length) {
        out.open('{').key("Fixed").integer(static_cast<std::int64_t>(*padding->fixed_length)).close('}');
    } else {
        out.text("BatchLongest");
    }
    out.key("direction").text(padding->left ? "Left" : "Right").key("pad_to_multiple_of");
    padding->multiple_of > 0 ? out.integer(static_cast<std::int64_t>(padding->multiple_of)) : out.null();
    out.key("pad_id").integer(padding->id).key("pad_type_id").integer(padding->type_id);
    out.key("pad_token").text(padding->token).close('}');
}

// In the order of their ids, as Hugging Face writes them; of two with one content the later counts.
void write_added_tokens(const std::vector<AddedToken>& tokens, JsonText& out) {
    std::map<std::pair<std::int32_t, std::string_view>, const AddedToken*> sorted;
    for (const AddedToken& token : tokens) sorted[{token.id, token.content}] = &token;
    out.open('[');
    for (const auto& [key, token] : sorted) {
        out.open('{').key("id").integer(token->id).key("content").text(token->content);
        out.key("single_word").boolean(token->single_word).key("lstrip").boolean(token->lstrip);
        out.key("rstrip").boolean(token->rstrip).key("normalized").boolean(token->normalized);
        out.key("special").boolean(token->special).close('}');
    }
    out.close(']');
}

}  // namespace

std::string Tokenizer::to_json() const {
    const TokenizerParts& parts = state_->parts;
    return make_named(parts.name, [&] {
        if (parts.stages_json.size() < 2) {
            fail(Code::kUnsupported, "tokenizer.json cannot say {}; keep the file itself", parts.unsayable);
        }
        JsonText out;
        out.open('{').key("version").text("1.0");
        write_truncation(parts.truncation, out.key("truncation"));
        write_padding(parts.padding, out.key("padding"));
        write_added_tokens(state_->added.tokens(), out.key("added_tokens"));
        out.members(std::string_view(parts.stages_json).substr(1, parts.stages_json.size() - 2));
        write_model(*parts.model, out.key("model"));
        return out.close('}').take();
    });
}

std::string Tokenizer::configuration_json() const {
    JsonText out;
    out.open('{');
    for (const auto& [name, token] : state_->parts.special_tokens) out.key(name).text(token);
    const auto templates = state_->chat_templates.sources();
    if (templates.size() == 1 && templates.begin()->first == "default") {
        out.key("chat_template").text(templates.begin()->second);
    } else if (!templates.empty()) {
        out.key("chat_template").open('[');
        for (const auto& [name, text] : templates) {
            out.open('{').key("name").text(name).key("template").text(text).close('}');
        }
        out.close(']');
    }
    return out.close('}').take();
}

void Tokenizer::save(const std::filesystem::path& path) const {
    const std::string json = to_json();
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(json)));
    file.commit();
}

}  // namespace rag::core
