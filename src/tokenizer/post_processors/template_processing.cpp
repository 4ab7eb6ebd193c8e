#include "tokenizer/post_processors/template_processing.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace rag::core {

std::size_t TemplateProcessing::added_tokens(bool pair) const {
    std::size_t count = 0;
    for (const TemplatePiece& piece : pair ? pair_ : single_) count += piece.ids.size();
    return count;
}

void TemplateProcessing::process(std::vector<EncodedPart>& parts, bool add_special_tokens, const TokenText&) const {
    if (parts.empty() || parts.size() > 2) {
        fail(Code::kUnsupported, "TemplateProcessing behind another post-processor that adds tokens ({} parts)", parts.size());
    }
    std::vector<EncodedPart> out;
    for (const TemplatePiece& piece : parts.size() == 2 ? pair_ : single_) {
        if (piece.sequence >= 0) {
            EncodedPart part = parts.at(static_cast<std::size_t>(piece.sequence));
            std::fill(part.encoding.type_ids.begin(), part.encoding.type_ids.end(), piece.type_id);
            out.push_back(std::move(part));
        } else if (add_special_tokens) {
            EncodedPart part;
            for (std::size_t i = 0; i < piece.ids.size(); ++i) {
                part.encoding.texts.emplace_back(i, piece.tokens[i]);
                part.encoding.push_special(piece.ids[i], piece.type_id);
            }
            out.push_back(std::move(part));
        }
    }
    parts = std::move(out);
}

}  // namespace rag::core
