#include "index/bm25/query_match.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <string>

#include "core/error.hpp"
#include "index/bm25/term_hash.hpp"

namespace rag::core {
namespace {

using Bits = std::vector<std::uint64_t>;

/// A node whose words have become terms. A leaf without terms (stop words, signs) is dropped by resolve().
struct Resolved {
    QueryNode::Kind kind = QueryNode::kGroup;
    std::vector<Analyzer::Term> terms;  // of a leaf: all of them (word, phrase) or any (prefix)
    std::vector<Resolved> must, should, must_not;
};

/// Terms of the snapshot that begin with `prefix`, ascending.
std::set<std::string, std::less<>> terms_with_prefix(const Snapshot& snapshot, std::string_view prefix) {
    std::set<std::string, std::less<>> found;
    for (const SegmentState& state : snapshot.segments) {
        const Segment& segment = *state.segment;
        for (std::uint32_t i = segment.first_term_from(prefix); i < segment.terms(); ++i) {
            const std::string_view term = segment.term(i);
            if (!term.starts_with(prefix)) break;
            found.emplace(term);
            if (found.size() > kMaxPrefixTerms) {
                fail(Code::kInvalidArgument, "{}* stands for more than {} terms; write more of the word", prefix,
                     kMaxPrefixTerms);
            }
        }
    }
    return found;
}

/// Where the terms begin that lie within the code `terms[at]`, which comes behind them.
std::size_t first_of_code(const std::vector<Analyzer::Term>& terms, std::size_t at) {
    std::size_t first = at;
    while (first > 0 && terms[first - 1].start >= terms[at].start) --first;
    return first;
}

/// The parts of the code `terms[at]`, if they stand for all of it: the terms within its bytes, one a word. None where a part is a
/// stop word, without which they would be another text's words too.
std::vector<Analyzer::Term> parts_of(const std::vector<Analyzer::Term>& terms, std::size_t at) {
    const Analyzer::Term& code = terms[at];
    std::vector<Analyzer::Term> parts;
    for (std::size_t i = first_of_code(terms, at); i < at; ++i) {
        if (terms[i].end <= code.end) parts.push_back(terms[i]);
    }
    bool whole = parts.size() > 1 && parts.front().start == code.start && parts.back().end == code.end;
    for (std::size_t i = 1; i < parts.size(); ++i) whole = whole && parts[i].position == parts[i - 1].position + 1;
    if (!whole) parts.clear();
    return parts;
}

/// The code that is all of the leaf's text, if it is one that is written with a sign.
const Analyzer::Term* whole_code(const std::vector<Analyzer::Term>& terms, std::string_view text) {
    const auto code = std::find_if(terms.begin(), terms.end(), [](const Analyzer::Term& term) { return term.joined; });
    return code != terms.end() && code->start == 0 && code->end == text.size() ? &*code : nullptr;
}

/// What a prefix begins with in the index: folded, and of a code its joined form, which each of its spellings has.
std::string prefix_of(const Analyzer& analyzer, const std::vector<Analyzer::Term>& terms, std::string_view text) {
    const Analyzer::Term* code = whole_code(terms, text);
    return code != nullptr ? code->text : analyzer.fold(text);
}

class Resolver {
  public:
    Resolver(const Analyzer& analyzer, const Snapshot& snapshot, TermSink& looked_for)
        : analyzer_(analyzer), snapshot_(snapshot), looked_for_(looked_for), positions_(have_positions(snapshot)) {}

    /// Nothing if the node says nothing: stop words, signs.
    std::optional<Resolved> resolve(const QueryNode& node, bool positive) {
        Resolved out;
        out.kind = node.kind;
        if (node.kind == QueryNode::kGroup) return group(node, positive, std::move(out));
        analyzer_.analyze(node.text, out.terms);
        std::erase_if(out.terms, [](const Analyzer::Term& term) { return term.part; });
        if (node.kind == QueryNode::kPrefix) {
            expand(node.text, out.terms);
        } else if (out.terms.empty()) {
            return std::nullopt;
        }
        if (positive) {
            for (const Analyzer::Term& term : out.terms) looked_for_.term(term.text, {});
        }
        const bool code = out.kind == QueryNode::kWord
                              ? std::any_of(out.terms.begin(), out.terms.end(), [](const auto& term) { return term.joined; })
                              : out.kind == QueryNode::kPhrase && whole_code(out.terms, node.text) != nullptr;
        if (code) return with_codes(out.terms);
        return out;
    }

  private:
    static bool have_positions(const Snapshot& snapshot) {
        return std::all_of(snapshot.segments.begin(), snapshot.segments.end(),
                           [](const SegmentState& state) { return state.segment->positions().exist(); });
    }

    /// All terms, but each code as it may be written: as one, or, where positions are kept, as its parts in a row. Those who
    /// wrote it with a sign have the joined form too; its parts alone would be words that stand anywhere.
    Resolved with_codes(const std::vector<Analyzer::Term>& terms) const {
        Resolved all;
        std::vector<bool> of_code(terms.size());
        for (std::size_t i = 0; i < terms.size(); ++i) {
            if (!terms[i].joined) continue;
            Resolved code;
            code.should.push_back({QueryNode::kWord, {terms[i]}, {}, {}, {}});
            auto parts = parts_of(terms, i);
            if (positions_ && !parts.empty()) code.should.push_back({QueryNode::kPhrase, std::move(parts), {}, {}, {}});
            all.must.push_back(std::move(code));
            for (std::size_t k = first_of_code(terms, i); k <= i; ++k) of_code[k] = terms[k].end <= terms[i].end;
        }
        for (std::size_t i = 0; i < terms.size(); ++i) {
            if (!of_code[i]) all.must.push_back({QueryNode::kWord, {terms[i]}, {}, {}, {}});
        }
        return all;
    }

    std::optional<Resolved> group(const QueryNode& node, bool positive, Resolved out) {
        const auto all = [&](const std::vector<QueryNode>& nodes, std::vector<Resolved>& to, bool sign) {
            for (const QueryNode& child : nodes) {
                if (auto resolved = resolve(child, sign)) to.push_back(std::move(*resolved));
            }
        };
        all(node.must, out.must, positive);
        all(node.should, out.should, positive);
        all(node.must_not, out.must_not, false);
        if (out.must.empty() && out.should.empty()) return std::nullopt;
        return out;
    }

    /// The stems that the prefix is the whole word of, and every term that begins with it.
    void expand(std::string_view prefix, std::vector<Analyzer::Term>& terms) {
        const std::string folded = prefix_of(analyzer_, terms, prefix);
        auto found = terms_with_prefix(snapshot_, folded);
        for (const Analyzer::Term& term : terms) {
            if (terms.size() == 1) found.insert(term.text);
        }
        terms.clear();
        for (const std::string& text : found) terms.push_back({text, 0, 0, 0, false});
    }

    const Analyzer& analyzer_;
    const Snapshot& snapshot_;
    TermSink& looked_for_;
    bool positions_;
};

/// Evaluates the condition on one segment.
class Evaluation {
  public:
    Evaluation(const Segment& segment, const Progress& progress)
        : segment_(segment), progress_(progress), words_((std::size_t{segment.documents()} + 63) / 64) {}

    Bits of(const Resolved& node) const {
        report(progress_, 0, 0);
        if (node.kind == QueryNode::kGroup) return group(node);
        if (node.kind == QueryNode::kPrefix) return any(node.terms);
        Bits bits = postings(node.terms[0]);
        for (std::size_t i = 1; i < node.terms.size(); ++i) intersect(bits, postings(node.terms[i]));
        if (node.kind == QueryNode::kPhrase && node.terms.size() > 1) keep_phrases(node, bits);
        return bits;
    }

  private:
    Bits group(const Resolved& node) const {
        Bits bits(words_);
        if (node.must.empty()) {
            for (const Resolved& child : node.should) unite(bits, of(child));
        } else {
            bits = of(node.must[0]);
            for (std::size_t i = 1; i < node.must.size(); ++i) intersect(bits, of(node.must[i]));
        }
        for (const Resolved& child : node.must_not) {
            const Bits gone = of(child);
            for (std::size_t i = 0; i < words_; ++i) bits[i] &= ~gone[i];
        }
        return bits;
    }
    static void intersect(Bits& a, const Bits& b) {
        for (std::size_t i = 0; i < a.size(); ++i) a[i] &= b[i];
    }
    static void unite(Bits& a, const Bits& b) {
        for (std::size_t i = 0; i < a.size(); ++i) a[i] |= b[i];
    }
    std::optional<std::uint32_t> number_of(const Analyzer::Term& term) const {
        return segment_.find_term(term.text, hash_term(term.text));
    }
    void add_postings(const Analyzer::Term& term, Bits& bits) const {
        const auto number = number_of(term);
        if (!number) return;
        const Segment::Postings range = segment_.postings_of(*number);
        for (std::uint64_t at = range.first; at < range.last; ++at) {
            const std::uint32_t doc = segment_.docs()[at];
            bits[doc / 64] |= std::uint64_t{1} << (doc % 64);
        }
    }
    Bits postings(const Analyzer::Term& term) const {
        Bits bits(words_);
        add_postings(term, bits);
        return bits;
    }
    Bits any(const std::vector<Analyzer::Term>& terms) const {
        Bits bits(words_);
        for (const Analyzer::Term& term : terms) add_postings(term, bits);
        return bits;
    }
    void keep_phrases(const Resolved& node, Bits& bits) const {
        std::vector<PhraseTerm> phrase;
        for (const Analyzer::Term& term : node.terms) {
            const auto number = number_of(term);
            if (!number) return;  // then no bit is set
            phrase.push_back({*number, term.position - node.terms[0].position});
        }
        PhraseFinder finder(segment_, phrase, progress_);
        for (std::size_t i = 0; i < words_; ++i) {
            for (std::uint64_t left = bits[i]; left != 0; left &= left - 1) {
                const auto bit = static_cast<unsigned>(std::countr_zero(left));
                if (!finder.matches(static_cast<std::uint32_t>(i * 64 + bit))) bits[i] &= ~(std::uint64_t{1} << bit);
            }
        }
    }

    const Segment& segment_;
    const Progress& progress_;
    std::size_t words_;
};

bool has_phrase(const Resolved& node) {
    if (node.kind == QueryNode::kPhrase) return node.terms.size() > 1;
    for (const auto* children : {&node.must, &node.should, &node.must_not}) {
        if (std::any_of(children->begin(), children->end(), has_phrase)) return true;
    }
    return false;
}

void look_for(const QueryNode& node, const Analyzer& analyzer, LookedFor& out) {
    if (node.kind == QueryNode::kGroup) {
        for (const QueryNode& child : node.must) look_for(child, analyzer, out);
        for (const QueryNode& child : node.should) look_for(child, analyzer, out);
        return;
    }
    std::vector<Analyzer::Term> terms;
    analyzer.analyze(node.text, terms);
    if (node.kind == QueryNode::kPrefix) {
        out.prefixes.push_back(prefix_of(analyzer, terms, node.text));
        if (terms.size() != 1) return;
    }
    if (node.kind == QueryNode::kPhrase) {
        std::erase_if(terms, [](const Analyzer::Term& term) { return term.part; });
        if (terms.size() > 1) {
            if (const Analyzer::Term* code = whole_code(terms, node.text)) {
                out.terms.push_back(*code);
                terms = parts_of(terms, static_cast<std::size_t>(code - terms.data()));
            }
            if (!terms.empty()) out.phrases.push_back(std::move(terms));
            return;
        }
    }
    out.terms.insert(out.terms.end(), terms.begin(), terms.end());
}

}  // namespace

QueryMatch::QueryMatch(const QueryNode& query, const Analyzer& analyzer, const Snapshot& snapshot, TermSink& looked_for,
                       const Progress& progress) {
    const auto resolved = Resolver(analyzer, snapshot, looked_for).resolve(query, true);
    if (resolved && has_phrase(*resolved)) {
        for (const SegmentState& state : snapshot.segments) {
            if (!state.segment->positions().exist()) {
                fail(Code::kInvalidArgument, "a phrase needs an index that keeps positions; this one was made without them");
            }
        }
    }
    for (const SegmentState& state : snapshot.segments) {
        bits_.push_back(resolved ? Evaluation(*state.segment, progress).of(*resolved)
                                 : Bits((state.segment->documents() + 63U) / 64));
    }
}

LookedFor looked_for(const QueryNode& query, const Analyzer& analyzer) {
    LookedFor out;
    look_for(query, analyzer, out);
    return out;
}

}  // namespace rag::core
