// A query and a document as the token ids that a language model reads when it is a reranker (Qwen3-Reranker,
// https://arxiv.org/abs/2506.05176): rendered by the folder's chat template, whose roles are "query", "document" and, for an
// instruction, "system"; or, where a Qwen3 folder has the template of a chat, in the words of the published model card. What is
// too long loses its last tokens before those that the template puts behind it. Control tokens in the texts are broken by a
// space. Thread rule: immutable, any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/text_tokens.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {

enum class RerankForm : std::uint32_t {
    kFlat,        // messages whose content is a text
    kStructured,  // messages whose content is a list of parts, as templates of models that see pictures want it
    kQwen3Card
};

struct RerankStyle {
    RerankForm form = RerankForm::kFlat;
    bool add_generation_prompt = false;
};

/// The form in which the tokenizer's template shows both texts of a pair; kQwen3Card if it does not and `qwen3`. Throws
/// kUnsupported naming `source` otherwise.
RerankStyle find_rerank_style(const Tokenizer& tokenizer, bool add_generation_prompt, bool qwen3, const std::string& source);

class RerankPrompt {
  public:
    /// `tokens`: knows the limit. `control`: the tokenizer's control_texts(). Both outlive the prompt. `instruction`: the system
    /// message; empty: the template's own. Throws what the template throws; kInvalidArgument when instruction and template alone
    /// are longer than the limit.
    RerankPrompt(const TextTokens& tokens, const std::vector<std::string>& control, const RerankStyle& style,
                 std::string instruction);

    /// Replaces `ids`.
    void encode(std::string_view query, std::string_view document, std::vector<std::int32_t>& ids) const;

  private:
    std::string render(std::string_view query, std::string_view document) const;

    const TextTokens& tokens_;
    RerankStyle style_;
    std::string instruction_;
    const std::vector<std::string>& control_;
    std::vector<std::int32_t> suffix_;  // what the template puts behind every document
};

}  // namespace rag::core
