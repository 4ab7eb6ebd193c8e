#include "tokenizer/normalizers/sentence_piece.hpp"

#include <cstdint>
#include <vector>

#include "core/utf8.hpp"
#include "tokenizer/normalized_text.hpp"

namespace rag::core {
namespace {
constexpr std::string_view kMeta = "\xe2\x96\x81";  // U+2581
}

// Holds spaces back until something follows, when those at the end are to go.
class SentencePieceNormalizer::Writer {
  public:
    Writer(TextRewrite& rewrite, const SentencePieceNormalizerOptions& options)
        : rewrite_(rewrite), space_(options.escape_whitespaces ? kMeta : " "), hold_(options.remove_extra_whitespaces) {}

    void put(std::string_view text, Alignment place) {
        for (std::size_t at = 0; at < text.size();) {
            if (text[at] == ' ') {
                put_space(place);
                ++at;
            } else if (text.substr(at).starts_with(space_)) {
                put_space(place);
                at += space_.size();
            } else {
                const std::size_t length = decode_utf8(text, at).length;
                release();
                rewrite_.put(text.substr(at, length), place);
                at += length;
            }
        }
    }
    void put_space(Alignment place) {
        if (hold_) {
            held_.push_back(place);
        } else {
            rewrite_.put(space_, place);
        }
    }

  private:
    void release() {
        for (const Alignment& place : held_) rewrite_.put(space_, place);
        held_.clear();
    }

    TextRewrite& rewrite_;
    std::string_view space_;
    bool hold_;
    std::vector<Alignment> held_;
};

SentencePieceNormalizer::Prefix SentencePieceNormalizer::prefix(std::string_view text, std::uint32_t at) const {
    std::uint32_t longest = 0;
    Trie::Node node = Trie::kRoot;
    for (std::uint32_t end = at; end < text.size();) {
        node = user_defined_.step(node, static_cast<unsigned char>(text[end++]));
        if (node == Trie::kNone) break;
        if (user_defined_.value(node) >= 0) longest = end - at;
    }
    if (longest > 0) return {text.substr(at, longest), longest};
    if (map_) {
        if (const auto found = map_->find_longest(text.substr(at))) return {found->becomes, found->length};
    }
    const std::uint32_t length = decode_utf8(text, at).length;
    return {text.substr(at, length), length};
}

void SentencePieceNormalizer::normalize(NormalizedText& text) const {
    const std::string_view old = text.text();
    const auto size = static_cast<std::uint32_t>(old.size());
    TextRewrite rewrite(text);
    std::uint32_t at = 0;
    while (options_.remove_extra_whitespaces && at < size) {
        const Prefix next = prefix(old, at);
        if (next.becomes != " ") break;
        at += next.length;
    }
    Writer writer(rewrite, options_);
    if (at < size && options_.add_dummy_prefix) {
        writer.put_space(rewrite.place(at));  // as Hugging Face's Prepend and Metaspace
    }
    bool after_space = options_.remove_extra_whitespaces;
    while (at < size) {
        const Prefix next = prefix(old, at);
        const Alignment place{rewrite.place(at).start, rewrite.place(at + next.length - 1).end};
        std::string_view becomes = next.becomes;
        while (after_space && becomes.starts_with(' ')) becomes.remove_prefix(1);
        if (!becomes.empty()) {
            writer.put(becomes, place);
            after_space = options_.remove_extra_whitespaces && becomes.ends_with(' ');
        }
        at += next.length;
    }
    rewrite.skip_to(size);
    rewrite.finish();
}

}  // namespace rag::core
