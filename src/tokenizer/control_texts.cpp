#include "tokenizer/control_texts.hpp"

#include "core/utf8.hpp"
#include "tokenizer/added_tokens.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {

std::vector<std::string> control_texts(const Tokenizer& tokenizer) {
    std::vector<std::string> out;
    for (std::int32_t id = 0; id < tokenizer.id_limit(); ++id) {
        if (tokenizer.is_special(id)) out.push_back(tokenizer.id_to_token(id));
    }
    for (const AddedToken& token : tokenizer.added_tokens()) {
        if (!token.special && token.content.starts_with("<|") && token.content.ends_with("|>")) out.push_back(token.content);
    }
    return out;
}

std::string defuse(std::string_view text, const std::vector<std::string>& control_texts) {
    std::string out(text);
    for (const std::string& control : control_texts) {
        if (control.size() < 2) continue;
        const std::size_t first = decode_utf8(control, 0).length;
        for (std::size_t at = out.find(control); at != std::string::npos; at = out.find(control, at + 1))
            out.insert(at + first, " ");
    }
    return out;
}

}  // namespace rag::core
