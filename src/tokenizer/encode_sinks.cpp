#include "tokenizer/encode_sinks.hpp"

namespace rag::core {

void EncodingSink::tokens(const std::vector<ModelToken>& list, const std::vector<Span>& pieces, const NormalizedText& text) {
    begin(list.size());
    const std::size_t first = out_.size();
    out_.ids.resize(first + list.size(), 0);
    out_.offsets.resize(first + list.size(), {0, 0});
    out_.words.resize(first + list.size(), 0);
    std::int32_t* id = out_.ids.data() + first;
    std::int32_t* word = out_.words.data() + first;
    std::pair<std::uint32_t, std::uint32_t>* offset = out_.offsets.data() + first;
    // Empty pieces are no words.
    std::size_t piece = 0;
    const auto next_piece = [&] { words_ += pieces[piece].start != pieces[piece].end, ++piece; };
    const auto push_all = [&](auto origin) {
        for (const ModelToken& token : list) {
            while (token.span.start >= pieces[piece].end && piece + 1 < pieces.size()) next_piece();
            const Alignment place = origin(token.span);
            *id++ = token.id;
            *word++ = words_;
            *offset++ = {place.start, place.end};
        }
    };
    if (text.is_moved()) {
        push_all([&](Span span) { return text.moved(span); });
    } else {
        push_all([&](Span span) { return text.origin(span); });
    }
    while (piece < pieces.size()) next_piece();
    if (rules_.read_as_text >= 0 || !rules_.renamed.empty()) add_texts(list, first, text.text());
}

void EncodingSink::add_texts(const std::vector<ModelToken>& list, std::size_t first, std::string_view text) {
    std::size_t count = 0, bytes = 0;
    for (const auto& [id, span] : list) {
        if (id != rules_.read_as_text) continue;
        ++count;
        bytes += span.end - span.start;
    }
    out_.texts.reserve(count, bytes);
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto& [id, span] = list[i];
        if (id == rules_.read_as_text) {
            out_.texts.emplace_back(first + i, text.substr(span.start, span.end - span.start));
        } else if (!rules_.renamed.empty()) {
            if (const auto at = rules_.renamed.find(id); at != rules_.renamed.end())
                out_.texts.emplace_back(first + i, at->second);
        }
    }
}

}  // namespace rag::core
