#include "tokenizer/added_tokens.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/error.hpp"
#include "tokenizer/pre_tokenizers/characters.hpp"

namespace rag::core {
namespace {

std::uint16_t properties_before(std::string_view text, std::uint32_t at) {
    std::uint32_t start = at - 1;
    while ((static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U) --start;
    return character_at(text, start).properties;
}

// Whether [start, end) stands alone: no word character touches it.
bool is_single_word(std::string_view text, Span span) {
    if (span.start > 0 && (properties_before(text, span.start) & unicode::kWord) != 0) return false;
    return span.end >= text.size() || (character_at(text, span.end).properties & unicode::kWord) == 0;
}

std::uint32_t strip_left(std::string_view text, std::uint32_t at) {
    while (at > 0 && (properties_before(text, at) & unicode::kWhite) != 0) {
        --at;
        while ((static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
    }
    return at;
}

std::uint32_t strip_right(std::string_view text, std::uint32_t at) {
    while (at < text.size()) {
        const Character character = character_at(text, at);
        if ((character.properties & unicode::kWhite) == 0) break;
        at += character.length;
    }
    return at;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const NormalizerPlan& normalizer) {
    std::unordered_map<std::string, std::size_t> places;
    for (AddedToken& token : tokens) {
        if (token.content.empty()) continue;
        const auto [at, is_new] = places.try_emplace(token.content, tokens_.size());
        if (is_new) {
            tokens_.push_back(std::move(token));
        } else {
            token.special = token.special || tokens_[at->second].special;
            tokens_[at->second] = std::move(token);
        }
    }
    std::vector<std::pair<std::string, std::int32_t>> raw, normalized;
    NormalizedText text;
    for (const bool special : {true, false}) {
        for (std::size_t i = 0; i < tokens_.size(); ++i) {
            AddedToken& token = tokens_[i];
            if (token.special != special) continue;
            if (!token.normalized) {
                token.text = token.content;
                raw.emplace_back(token.content, static_cast<std::int32_t>(i));
                continue;
            }
            text.assign(token.content, 0, static_cast<std::uint32_t>(token.content.size()), normalizer, false);
            token.text = text.text();
            if (token.text.empty() && (token.single_word || token.lstrip || token.rstrip)) {
                fail(Code::kUnsupported,
                     "the added token {}, of which the normalizer leaves nothing, with single_word or a strip",
                     quote(token.content));
            }
            normalized.emplace_back(token.text, static_cast<std::int32_t>(i));
        }
    }
    raw_.build(raw);
    normalized_.build(normalized);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
        by_content_[tokens_[i].content] = i;
        by_id_[tokens_[i].id] = i;
    }
}

void AddedTokens::Set::build(const std::vector<std::pair<std::string, std::int32_t>>& contents) {
    std::vector<std::pair<std::string_view, std::int32_t>> keys;
    for (const auto& [content, index] : contents) {
        if (content.empty()) {  // normalization has taken all of it
            cuts_everywhere = true;
            continue;
        }
        keys.emplace_back(content, index);
    }
    search = TokenSearch(keys);
}

void AddedTokens::Set::split(std::string_view text, const std::vector<AddedToken>& tokens, std::vector<TextPart>& out) const {
    const auto size = static_cast<std::uint32_t>(text.size());
    std::uint32_t done = 0;
    std::uint32_t at = 0;
    while (!search.empty() && at < size) {
        const auto [match, index] = search.next(text, at);
        if (index < 0) break;
        at = match.end;
        const AddedToken& token = tokens[static_cast<std::size_t>(index)];
        if (token.single_word && !is_single_word(text, match)) continue;
        Span span = match;
        if (token.lstrip) span.start = std::max(strip_left(text, span.start), done);
        if (token.rstrip) span.end = strip_right(text, span.end);
        if (span.start >= span.end) continue;  // white space that the token before has taken
        push_text(text, {done, span.start}, out);
        out.push_back({&token, span});
        done = span.end;
    }
    push_text(text, {done, size}, out);
}

void AddedTokens::Set::push_text(std::string_view text, Span span, std::vector<TextPart>& out) const {
    if (span.start >= span.end) return;
    if (!cuts_everywhere) {
        out.push_back({nullptr, span});
        return;
    }
    while (span.start < span.end) {
        const std::uint32_t next = span.start + code_point_at(text, span.start).length;
        out.push_back({nullptr, {span.start, next}});
        span.start = next;
    }
}

const AddedToken* AddedTokens::find(std::string_view content) const {
    const auto at = by_content_.find(content);
    return at == by_content_.end() ? nullptr : &tokens_[at->second];
}

const AddedToken* AddedTokens::find(std::int32_t id) const {
    const auto at = by_id_.find(id);
    return at == by_id_.end() ? nullptr : &tokens_[at->second];
}

bool AddedTokens::is_special(std::string_view content) const {
    const AddedToken* token = find(content);
    return token != nullptr && token->special;
}

}  // namespace rag::core
