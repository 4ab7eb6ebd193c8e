// Bm25Index tells how a score came about, and which bytes of a text a query hit.
#include <algorithm>
#include <string>
#include <unordered_set>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "index/bm25/bm25_index.hpp"
#include "index/bm25/query_parser.hpp"

namespace rag::core {
namespace {

std::string formula_text(const Bm25Options& options) {
    switch (options.variant) {
        case Bm25Variant::kPlus:
            return fmt::format("weight x ({} f / (f + norm) + {})", options.k1 + 1, options.delta);
        case Bm25Variant::kL:
            return fmt::format("weight x {0} c / ({1} + c), c = f / norm + {2}", options.k1 + 1, options.k1, options.delta);
        case Bm25Variant::kOkapi:
            return fmt::format("weight x {} f / (f + norm)", options.k1 + 1);
        default:
            return "weight x f / (f + norm)";
    }
}

/// Terms of a text that a query looks for, as ranges of bytes.
class Highlighter final : public TermSink {
  public:
    explicit Highlighter(LookedFor wanted) : prefixes_(std::move(wanted.prefixes)) {
        for (const Analyzer::Term& term : wanted.terms) {
            if (!term.part) terms_.insert(term.text);
        }
    }
    void term(std::string_view text, const TermPlace& place) override {
        const bool begins = std::any_of(prefixes_.begin(), prefixes_.end(),
                                        [text](const std::string& prefix) { return text.starts_with(prefix); });
        if (!begins && !terms_.contains(std::string(text))) return;
        // Terms come in the order of their first byte, but for a word of Hangul and its bigrams.
        if (!ranges_.empty() && place.start < ranges_.back().end) {
            ranges_.back().end = std::max(ranges_.back().end, place.end);
        } else {
            ranges_.push_back({place.start, place.end});
        }
    }
    std::vector<Range> take() { return std::move(ranges_); }

  private:
    std::unordered_set<std::string> terms_;
    std::vector<std::string> prefixes_;
    std::vector<Range> ranges_;
};

}  // namespace

Bm25Index::Explanation Bm25Index::explain(std::string_view query, std::int64_t id, Bm25Syntax syntax) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    const auto place = now->find(id);
    if (!place) fail(Code::kNotFound, "no document {} in the index", id);
    const Segment& segment = *now->segments[place->segment].segment;
    const Bm25Query prepared = prepare(*now, query, syntax);
    const double unit = settings_.text_units;
    const std::uint32_t length = segment.lengths()[place->doc];
    Explanation out;
    out.id = id;
    out.matches = !prepared.match || prepared.match->matches(place->segment, place->doc);
    out.documents = now->documents;
    out.average_length = prepared.average_length / unit;
    out.length = length / unit;
    out.norm = static_cast<double>(prepared.formula.norm(length)) / unit;
    out.formula = formula_text(options_);
    for (const Bm25QueryTerm& term : prepared.terms) {
        TermExplanation part{term.text, term.count, term.documents, term.idf, static_cast<double>(term.weight), 0, 0};
        const auto number = segment.find_term(term.text, term.hash);
        const auto posting = number ? segment.find_posting(segment.postings_of(*number), place->doc) : std::nullopt;
        if (posting) {
            const std::uint64_t frequency = segment.frequency(*posting);
            part.frequency = static_cast<double>(frequency) / unit;
            if (out.matches && term.weight > 0) {
                part.score = prepared.formula.score(term.weight, static_cast<float>(frequency), length);
            }
            out.score += part.score;
        }
        out.terms.push_back(std::move(part));
    }
    return out;
}

std::string Bm25Index::Explanation::text() const {
    std::string out = fmt::format(
        "{:.6f} document {}: sum of its terms, each {}; {} terms long, {:.2f} on average over {} documents, norm {:.4f}{}\n",
        score, id, formula, length, average_length, documents, norm, matches ? "" : "; the query's operators exclude it");
    for (const TermExplanation& term : terms) {
        out += fmt::format("  {:.6f} {}: {} in the query, in {} documents, idf {:.4f}, weight {:.4f}, f {}\n", term.score,
                           quote(term.term, 60), term.query_count, term.documents, term.idf, term.weight, term.frequency);
    }
    return out;
}

std::vector<Range> Bm25Index::highlight(std::string_view query, std::string_view text, Bm25Syntax syntax) const {
    require_utf8(text, "text");
    LookedFor wanted;
    if (syntax == Bm25Syntax::kPlain) {
        analyzer_.analyze(query, wanted.terms);
    } else {
        wanted = looked_for(parse_query(query), analyzer_);
    }
    Highlighter highlighter(std::move(wanted));
    analyzer_.analyze(text, highlighter);
    return highlighter.take();
}

}  // namespace rag::core
