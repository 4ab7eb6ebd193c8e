#include "tokenizer/loading/merges_by_score.hpp"

#include <algorithm>
#include <cstdint>

#include "core/utf8.hpp"

namespace rag::core {
namespace {

struct Candidate {
    double score;
    std::uint32_t left_size, right_size;  // in characters
    std::int32_t left_id, right_id;
    std::string_view left, right;
};

void cut(const ScoredToken& token, const Vocabulary& vocabulary, std::vector<Candidate>& out) {
    const std::string_view text = token.text;
    if (text.size() > kMaxMergedBytes) return;
    const auto first = static_cast<std::ptrdiff_t>(out.size());
    const auto characters = static_cast<std::uint32_t>(count_code_points(text));
    std::uint32_t size = 0;
    for (std::size_t at = 0; at < text.size();) {
        at += decode_utf8(text, at).length;
        ++size;
        if (at >= text.size()) break;
        const std::string_view left = text.substr(0, at), right = text.substr(at);
        const std::int32_t left_id = vocabulary.find_id(left);
        const std::int32_t right_id = left_id < 0 ? -1 : vocabulary.find_id(right);
        if (right_id >= 0) out.push_back({token.score, size, characters - size, left_id, right_id, left, right});
    }
    std::sort(out.begin() + first, out.end(), [](const Candidate& a, const Candidate& b) {
        return a.left_id != b.left_id ? a.left_id < b.left_id : a.right_id < b.right_id;
    });
}

}  // namespace

MergeList merges_by_score(const std::vector<ScoredToken>& tokens, const Vocabulary& vocabulary) {
    std::vector<Candidate> merges;
    merges.reserve(tokens.size() * 2);
    for (const ScoredToken& token : tokens) cut(token, vocabulary, merges);
    std::stable_sort(merges.begin(), merges.end(), [](const Candidate& a, const Candidate& b) {
        if (a.score != b.score) return a.score > b.score;
        return a.left_size != b.left_size ? a.left_size > b.left_size : a.right_size > b.right_size;
    });
    MergeList out;
    out.reserve(merges.size());
    for (const Candidate& merge : merges) out.emplace_back(merge.left, merge.right);
    return out;
}

}  // namespace rag::core
