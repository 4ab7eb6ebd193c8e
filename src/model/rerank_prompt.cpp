#include "model/rerank_prompt.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "tokenizer/control_texts.hpp"

namespace rag::core {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kCardTask = "Given a web search query, retrieve relevant passages that answer the query";
constexpr std::string_view kCardBefore =
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note "
    "that "
    "the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";
constexpr std::string_view kCardBehind = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

Json message(const char* role, std::string_view text, RerankForm form) {
    if (form == RerankForm::kFlat) return {{"role", role}, {"content", text}};
    return {{"role", role}, {"content", Json::array({{{"type", "text"}, {"text", text}}})}};
}

std::string render_template(const Tokenizer& tokenizer, const RerankStyle& style, std::string_view instruction,
                            std::string_view query, std::string_view document) {
    Json messages = Json::array();
    if (!instruction.empty()) messages.push_back(message("system", instruction, style.form));
    messages.push_back(message("query", query, style.form));
    messages.push_back(message("document", document, style.form));
    return tokenizer.apply_chat_template(messages.dump(), style.add_generation_prompt);
}

/// Whether the template's output moves with both texts of a pair.
bool carries_pair(const Tokenizer& tokenizer, const RerankStyle& style) {
    try {
        const std::string base = render_template(tokenizer, style, "", "alpha", "beta");
        return base != render_template(tokenizer, style, "", "gamma", "beta") &&
               base != render_template(tokenizer, style, "", "alpha", "gamma");
    } catch (const Error&) {
        return false;  // it refuses these roles
    }
}

}  // namespace

RerankStyle find_rerank_style(const Tokenizer& tokenizer, bool add_generation_prompt, bool qwen3, const std::string& source) {
    if (!tokenizer.chat_template().empty()) {
        for (const RerankForm form : {RerankForm::kFlat, RerankForm::kStructured}) {
            const RerankStyle style{form, add_generation_prompt};
            if (carries_pair(tokenizer, style)) return style;
        }
    }
    if (!qwen3)
        fail(Code::kUnsupported, "{}: its chat template does not show the messages of a reranker, \"query\" and \"document\"",
             quote(source, 400));
    return {RerankForm::kQwen3Card, false};
}

RerankPrompt::RerankPrompt(const TextTokens& tokens, const std::vector<std::string>& control, const RerankStyle& style,
                           std::string instruction)
    : tokens_(tokens), style_(style), instruction_(std::move(instruction)), control_(control) {
    // What ends in the same tokens whatever the texts are is the template's. The texts differ in their last tokens.
    std::vector<std::int32_t> one, other;
    tokens_.tokenizer().encode_ids(render("0", "0"), false, one);
    tokens_.tokenizer().encode_ids(render("1 2 3 4", "1 2 3 4"), false, other);
    const auto ends = std::mismatch(one.rbegin(), one.rend(), other.rbegin(), other.rend());
    suffix_.assign(ends.first.base(), one.end());
    if (one.size() > tokens_.max_tokens())
        fail(Code::kInvalidArgument, "the reranker's instruction and template take {} tokens, at most {} are read", one.size(),
             tokens_.max_tokens());
}

std::string RerankPrompt::render(std::string_view query, std::string_view document) const {
    if (style_.form != RerankForm::kQwen3Card) return render_template(tokens_.tokenizer(), style_, instruction_, query, document);
    return fmt::format("{}<Instruct>: {}\n<Query>: {}\n<Document>: {}{}", kCardBefore,
                       instruction_.empty() ? kCardTask : std::string_view(instruction_), query, document, kCardBehind);
}

void RerankPrompt::encode(std::string_view query, std::string_view document, std::vector<std::int32_t>& ids) const {
    ids.clear();
    const std::string safe_query = defuse(tokens_.relevant_part(query), control_);
    const std::string safe_document = defuse(tokens_.relevant_part(document), control_);
    tokens_.tokenizer().encode_ids(render(safe_query, safe_document), false, ids);
    if (ids.size() <= tokens_.max_tokens()) return;
    ids.resize(tokens_.max_tokens() - suffix_.size());
    ids.insert(ids.end(), suffix_.begin(), suffix_.end());
}

}  // namespace rag::core
