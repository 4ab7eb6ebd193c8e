#include "tokenizer/models/unigram.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/error.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kKeptSteps = 1U << 16;

Trie make_trie(const std::vector<UnigramPiece>& pieces) {
    std::vector<std::pair<std::string_view, std::int32_t>> keys;
    keys.reserve(pieces.size());
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {  // of equal texts the last counts
        if (!piece->text.empty()) keys.emplace_back(piece->text, piece->id);
    }
    return Trie(keys);
}

// Bytes of the character that begins with `lead`, in well-formed UTF-8.
std::uint32_t character_length(char lead) {
    const auto ones = static_cast<std::uint32_t>(std::countl_one(static_cast<unsigned char>(lead)));
    return std::max(ones, 1U);
}

// U+0800 to U+FFFF.
bool leads_three(char lead) {
    return (static_cast<unsigned char>(lead) & 0xF0U) == 0xE0U;
}

}  // namespace

Unigram::Unigram(Vocabulary vocabulary, std::size_t count, const std::vector<UnigramPiece>& pieces, UnigramOptions options)
    : vocabulary_(std::move(vocabulary)),
      count_(count),
      options_(options),
      unk_(options.unk_id.value_or(-1)),
      trie_(make_trie(pieces)),
      scores_(static_cast<std::size_t>(vocabulary_.id_limit())) {
    for (const UnigramPiece& piece : pieces) scores_.at(static_cast<std::size_t>(piece.id)) = piece.score;
    for (const UnigramPiece& piece : pieces) {
        if (!piece.text.empty()) begins_token_[static_cast<unsigned char>(piece.text[0])] = true;
    }
    vocabulary_.for_each([&](std::string_view token, std::int32_t) {
        if (!token.empty()) begins_text_[static_cast<unsigned char>(token[0])] = true;
    });
    for (unsigned byte = 0; byte < byte_ids_.size(); ++byte) {
        byte_ids_[byte] = options_.byte_fallback ? vocabulary_.find_id(fmt::format("<0x{:02X}>", byte)) : -1;
    }
}

template <typename Score>
void Unigram::find_path(std::string_view piece, std::vector<Step>& steps) const {
    const auto size = static_cast<std::uint32_t>(piece.size());
    // Steps behind `made` are as they were for another text: a run of unknown characters leaves them out.
    if (steps.size() <= piece.size()) steps.resize(piece.size() + 1);
    steps[0] = {0, kNowhere, -1};
    std::uint32_t made = 0;
    std::uint32_t reached = 0;  // the furthest end of a token so far
    for (std::uint32_t at = 0; at < size;) {
        if (reached <= at && unk_ >= 0 && !begins_token_[static_cast<unsigned char>(piece[at])]) {
            double score = steps[at].score;
            const std::uint32_t begin = at;
            const auto begins_none = [&] { return at < size && !begins_token_[static_cast<unsigned char>(piece[at])]; };
            do {
                // A length that is known by a branch, not from the byte, lets the processor look at the next character meanwhile.
                while (begins_none() && leads_three(piece[at])) {
                    score = static_cast<Score>(options_.unk_score + score);
                    at += kHanBytes;
                }
                if (!begins_none()) break;
                score = static_cast<Score>(options_.unk_score + score);
                at = std::min(size, at + character_length(piece[at]));
            } while (begins_none());
            at = std::min(size, at);
            steps[at] = {score, begin, unk_};
            made = at;
            continue;
        }
        const double so_far = steps[at].score;
        const auto improve = [&](std::uint32_t end, double sum, std::int32_t id) {
            const double score = static_cast<Score>(sum);
            while (made < end) steps[++made] = {0, kNowhere, -1};
            Step& step = steps[end];
            if (step.start != kNowhere && !(score > step.score)) return false;
            step = {score, at, id};
            return true;
        };
        const std::uint32_t next = std::min(size, at + character_length(piece[at]));
        bool covered = false;
        Trie::Node node = Trie::kRoot;
        for (std::uint32_t end = at; end < size;) {
            node = trie_.step(node, static_cast<unsigned char>(piece[end++]));
            if (node == Trie::kNone) break;
            const std::int32_t id = trie_.value(node);
            if (id < 0) continue;
            improve(end, scores_[static_cast<std::size_t>(id)] + so_far, id);
            reached = std::max(reached, end);
            covered = covered || end == next;
        }
        if (!covered && improve(next, options_.unk_score + so_far, unk_) && unk_ < 0) {
            fail(Code::kInvalidArgument, "{} is not in the vocabulary, and there is no unknown token",
                 quote(piece.substr(at, next - at)));
        }
        at = next;
    }
}

void Unigram::append_unknown_reversed(std::string_view unknown, Span span, std::vector<ModelToken>& out) const {
    const bool may_be_token = begins_text_[static_cast<unsigned char>(unknown[0])] && unknown.size() <= vocabulary_.longest();
    if (!options_.sentence_piece && may_be_token) {
        if (const std::int32_t id = vocabulary_.find_id(unknown); id >= 0) {
            out.push_back({id, span});
            return;
        }
    }
    const auto token_of = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
    if (options_.byte_fallback && std::all_of(unknown.begin(), unknown.end(), [&](char byte) { return token_of(byte) >= 0; })) {
        for (auto byte = unknown.rbegin(); byte != unknown.rend(); ++byte) out.push_back({token_of(*byte), span});
        return;
    }
    out.push_back({unk_, span});
}

void Unigram::append_path(std::string_view piece, std::uint32_t offset, const std::vector<Step>& steps,
                          std::vector<ModelToken>& out) const {
    const auto first = static_cast<std::ptrdiff_t>(out.size());
    for (auto end = static_cast<std::uint32_t>(piece.size()); end > 0;) {
        const std::int32_t id = steps[end].id;
        std::uint32_t start = steps[end].start;
        if (id != unk_) {
            out.push_back({id, {offset + start, offset + end}});
        } else {
            while (start > 0 && steps[start].id == unk_) start = steps[start].start;
            append_unknown_reversed(piece.substr(start, end - start), {offset + start, offset + end}, out);
        }
        end = start;
    }
    std::reverse(out.begin() + first, out.end());
}

bool Unigram::recall(std::string_view piece, std::uint32_t offset, std::vector<ModelToken>& out) const {
    PieceCache::Tokens known;
    const std::size_t count = cache_->find(piece, known);
    std::uint32_t begin = offset;
    for (const Symbol& token : std::span(known).first(count)) {
        out.push_back({token.id, {begin, offset + token.end}});
        begin = offset + token.end;
    }
    return count > 0;
}

// Only tokens that lie one after the other: the bytes of an unknown character all have its place.
void Unigram::remember(std::string_view piece, std::uint32_t offset, std::span<const ModelToken> tokens) const {
    if (tokens.size() > PieceCache::kMaxTokens) return;
    PieceCache::Tokens symbols;
    std::uint32_t end = offset;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i].span.start != end) return;
        end = tokens[i].span.end;
        symbols[i] = {tokens[i].id, end - offset};
    }
    cache_->put(piece, std::span(symbols).first(tokens.size()));
}

void Unigram::tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const {
    thread_local std::vector<Step> steps;
    for (const Span& span : pieces) {
        if (span.start == span.end) continue;
        const std::string_view piece = text.substr(span.start, span.end - span.start);
        if (recall(piece, span.start, out)) continue;
        const std::size_t before = out.size();
        if (options_.sentence_piece) {
            find_path<float>(piece, steps);
        } else {
            find_path<double>(piece, steps);
        }
        append_path(piece, span.start, steps, out);
        remember(piece, span.start, std::span(out).subspan(before));
    }
    if (steps.capacity() > kKeptSteps) std::vector<Step>().swap(steps);
}

}  // namespace rag::core
