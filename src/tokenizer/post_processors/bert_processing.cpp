#include "tokenizer/post_processors/bert_processing.hpp"

#include <algorithm>
#include <vector>

#include "tokenizer/post_processors/byte_level.hpp"

namespace rag::core {
namespace {

EncodedPart special(const NamedToken& token, std::uint32_t type_id) {
    EncodedPart part;
    part.encoding.texts.emplace_back(0, token.text);
    part.encoding.push_special(token.id, type_id);
    return part;
}

// Each part between two special tokens; the separator that closes a part also opens the next one when `open_all`.
void surround(std::vector<EncodedPart>& parts, const NamedToken& cls, const NamedToken& sep, bool open_all,
              std::uint32_t last_type) {
    std::vector<EncodedPart> out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::uint32_t type_id = i == 0 ? 0 : last_type;
        if (i == 0 || open_all) out.push_back(special(i == 0 ? cls : sep, type_id));
        out.push_back(std::move(parts[i]));
        out.push_back(special(sep, type_id));
    }
    parts = std::move(out);
}

}  // namespace

void BertProcessing::process(std::vector<EncodedPart>& parts, bool add_special_tokens, const TokenText&) const {
    if (add_special_tokens) surround(parts, cls_, sep_, false, 1);
}

void RobertaProcessing::process(std::vector<EncodedPart>& parts, bool add_special_tokens, const TokenText& text_of) const {
    if (trim_offsets_) {
        for (EncodedPart& part : parts) trim_offsets(part, add_prefix_space_, text_of);
    }
    for (EncodedPart& part : parts) {
        std::fill(part.encoding.type_ids.begin(), part.encoding.type_ids.end(), 0);
        if (!add_special_tokens) continue;
        for (EncodedPart& window : part.overflowing) {
            std::fill(window.encoding.type_ids.begin(), window.encoding.type_ids.end(), 0);
        }
    }
    if (add_special_tokens) surround(parts, cls_, sep_, true, 0);
}

}  // namespace rag::core
