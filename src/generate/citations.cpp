#include "generate/citations.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core {

namespace {

using namespace grounding;

constexpr double kHanWeight = 0.5;  // a character is about half a word

/// End of a marker that begins at `at`, or `at`.
std::size_t marker_end(std::string_view text, std::size_t at) {
    static constexpr std::string_view kOpen[] = {"[", "\u3010", "\uff3b"};
    static constexpr std::string_view kClose[] = {"]", "\u3011", "\uff3d"};
    for (std::size_t form = 0; form < std::size(kOpen); ++form) {
        if (text.substr(at, kOpen[form].size()) != kOpen[form]) continue;
        std::size_t end = at + kOpen[form].size();
        bool digit = false;
        while (end < text.size() &&
               ((text[end] >= '0' && text[end] <= '9') || std::string_view(", -^").find(text[end]) != std::string_view::npos)) {
            digit = digit || (text[end] >= '0' && text[end] <= '9');
            ++end;
        }
        if (digit && text.substr(end, kClose[form].size()) == kClose[form]) return end + kClose[form].size();
    }
    return at;
}

/// End of "1. ", "- " and the like at the start of a line, or `at`.
std::size_t bullet_end(std::string_view text, std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9' && end - at < 3) ++end;
    if (end > at) {
        const bool closed = end + 1 < text.size() && (text[end] == '.' || text[end] == ')') && text[end + 1] == ' ';
        if (closed) return end + 1;
        return text.substr(end, 3) == "\u3001" ? end + 3 : at;
    }
    const bool dash = at + 1 < text.size() && (text[at] == '-' || text[at] == '*' || text[at] == '#') && text[at + 1] == ' ';
    return dash ? at + 1 : at;
}

/// The answer with markers and list numbers as spaces, byte for byte.
std::string blank_markers(std::string_view answer) {
    std::string out(answer);
    bool line_start = true;
    for (std::size_t at = 0; at < out.size();) {
        std::size_t end = marker_end(answer, at);
        if (end == at && line_start) end = bullet_end(answer, at);
        if (end > at) {
            std::fill(out.begin() + static_cast<std::ptrdiff_t>(at), out.begin() + static_cast<std::ptrdiff_t>(end), ' ');
            at = end;
        } else {
            line_start = answer[at] == '\n' || (line_start && (answer[at] == ' ' || answer[at] == '\t'));
            ++at;
        }
    }
    return out;
}

struct Evidence {
    std::size_t passage;
    Range range;  // bytes of the passage
    Statement statement;
    std::unordered_set<std::string> keys;
};

std::vector<Evidence> read_evidence(std::span<const std::string_view> passages, std::span<const PromptSpan> spans) {
    std::vector<Evidence> out;
    for (const PromptSpan& span : spans) {
        if (span.passage >= passages.size() || span.start > span.end || span.end > passages[span.passage].size())
            fail(Code::kInvalidArgument, "bytes {} to {} of passage {} are not in the {} passages", span.start, span.end,
                 span.passage, passages.size());
        const std::string_view text = passages[span.passage].substr(span.start, span.end - span.start);
        require_utf8(text, "the span of passage " + std::to_string(span.passage));
        const std::string blank = blank_markers(text);
        for (const Range& sentence : split_sentences(blank)) {
            Evidence one{span.passage, {span.start + sentence.start, span.start + sentence.end}, {}, {}};
            one.statement = analyze_statement(std::string_view(blank).substr(sentence.start, sentence.end - sentence.start));
            for (const Item& item : one.statement.items) {
                if (item.content()) one.keys.insert(item.key);
            }
            out.push_back(std::move(one));
        }
    }
    return out;
}

class Citer {
  public:
    Citer(std::vector<Evidence> evidence, const AlignmentOptions& options) : evidence_(std::move(evidence)), options_(options) {
        for (const Evidence& one : evidence_) {
            for (const std::string& key : one.keys) ++frequency_[key];
        }
        weight_ = [this](const Item& item) {
            const auto at = frequency_.find(item.key);
            const double rare =
                std::log(1.0 + static_cast<double>(evidence_.size() + 1) / (at == frequency_.end() ? 1.0 : at->second + 1.0));
            return item.kind == ItemKind::kHan ? kHanWeight * rare : rare;
        };
    }

    std::optional<Citation> best(const Statement& claim, const std::vector<std::string>& antecedent) const {
        std::optional<Citation> out;
        for (std::size_t i = 0; i < evidence_.size(); ++i) {
            const Evidence& one = evidence_[i];
            if (!may_cover(claim, one)) continue;
            const Alignment found = align(claim, one.statement, weight_, options_);
            if (found.verdict != Verdict::kSupported || !speaks_of(i, antecedent)) continue;
            const double score = found.coverage * found.compactness;
            if (out && out->score >= score) continue;
            out = Citation{0, 0, one.passage, one.range.start + found.start, one.range.start + found.end, score};
        }
        return out;
    }

  private:
    /// Quick look before the alignment: all that has to be there is there.
    static bool may_cover(const Statement& claim, const Evidence& evidence) {
        return std::all_of(claim.items.begin(), claim.items.end(), [&](const Item& item) {
            const bool strict = item.kind == ItemKind::kNumber || item.kind == ItemKind::kHan || item.kind == ItemKind::kGuard;
            return !strict || evidence.keys.contains(item.key);
        });
    }

    /// What a pronoun of the claim stands for is named in the sentence or in one of the two before it.
    bool speaks_of(std::size_t at, const std::vector<std::string>& antecedent) const {
        return std::all_of(antecedent.begin(), antecedent.end(), [&](const std::string& key) {
            for (std::size_t back = 0; back < 3 && back <= at; ++back) {
                const Evidence& one = evidence_[at - back];
                if (one.passage == evidence_[at].passage && one.keys.contains(key)) return true;
            }
            return false;
        });
    }

    std::vector<Evidence> evidence_;
    const AlignmentOptions& options_;
    std::unordered_map<std::string, double> frequency_;
    ItemWeight weight_;
};

bool refers_back(const Statement& claim) {
    return std::any_of(claim.items.begin(), claim.items.end(), [](const Item& item) { return item.pronoun; });
}

/// What the sentence is about: its first name, or the first Han word, or else the first content word.
std::vector<std::string> subject_of(const Statement& claim) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < claim.items.size() && out.empty(); ++i) {
        const Item& item = claim.items[i];
        if (item.kind == ItemKind::kName || (item.kind == ItemKind::kWord && !item.adverb)) out.push_back(item.key);
        for (std::size_t j = i; claim.items[i].kind == ItemKind::kHan && j < claim.items.size(); ++j) {
            if (claim.items[j].kind != ItemKind::kHan) break;
            out.push_back(claim.items[j].key);
            if (claim.items[j].word_end) break;
        }
    }
    return out;
}

}  // namespace

CitationReport cite(std::string_view answer, std::span<const std::string_view> passages, std::span<const PromptSpan> spans,
                    const grounding::AlignmentOptions& options) {
    require_utf8(answer, "the answer");
    const Citer citer(read_evidence(passages, spans), options);
    const std::string blank = blank_markers(answer);
    CitationReport out;
    std::vector<std::string> subject;
    for (const Range& sentence : split_sentences(blank)) {
        const Statement claim = analyze_statement(std::string_view(blank).substr(sentence.start, sentence.end - sentence.start));
        const bool back = refers_back(claim);
        std::optional<Citation> citation;
        // A question states nothing that a passage could support.
        if (!claim.question) citation = citer.best(claim, back ? subject : std::vector<std::string>());
        if (citation) {
            citation->answer_start = sentence.start;
            citation->answer_end = sentence.end;
            out.citations.push_back(*citation);
        } else {
            out.unsupported.push_back(sentence);
        }
        if (!back) subject = subject_of(claim);
    }
    return out;
}

}  // namespace rag::core
