// Bm25Index tells how a score came about.
#include <algorithm>
#include <string>

#include "core/error.hpp"
#include "index/bm25/bm25_index.hpp"

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

constexpr std::size_t kTermsPerPoll = 4096;

}  // namespace

Bm25Index::Explanation Bm25Index::explain(std::string_view query, std::int64_t id, Bm25Syntax syntax,
                                          const Progress& progress) const {
    const std::shared_ptr<const Snapshot> now = snapshot();
    const auto place = now->find(id);
    if (!place) fail(Code::kNotFound, "no document {} in the index", id);
    const Segment& segment = *now->segments[place->segment].segment;
    const Bm25Query prepared = prepare(*now, query, syntax, progress);
    const double unit = settings_.text_units;
    const std::uint32_t length = segment.lengths()[place->doc];
    Explanation out;
    out.id = id;
    const bool allowed = !prepared.match || prepared.match->matches(place->segment, place->doc);
    out.matches = false;
    out.documents = now->documents;
    out.average_length = prepared.average_length / unit;
    out.length = length / unit;
    out.norm = static_cast<double>(prepared.formula.norm(length)) / unit;
    out.formula = formula_text(options_);
    for (const Bm25QueryTerm& term : prepared.terms) {
        if (out.terms.size() % kTermsPerPoll == kTermsPerPoll - 1) report(progress, 0, 0);
        TermExplanation part{term.text, term.count, term.documents, term.idf, static_cast<double>(term.weight), 0, 0};
        const auto number = segment.find_term(term.text, term.hash);
        const auto posting = number ? segment.find_posting(segment.postings_of(*number), place->doc) : std::nullopt;
        if (posting) {
            const std::uint64_t frequency = segment.frequency(*posting);
            part.frequency = static_cast<double>(frequency) / unit;
            if (allowed && term.weight > 0) {
                out.matches = true;
                part.score = prepared.formula.score(term.weight, static_cast<float>(frequency), length);
            }
            out.score += part.score;
        }
        out.terms.push_back(std::move(part));
    }
    return out;
}

std::string Bm25Index::Explanation::text() const {
    const bool has_term = std::ranges::any_of(terms, [](const auto& term) { return term.frequency > 0 && term.weight > 0; });
    const char* why = has_term ? "; the query's operators exclude it" : "; no term of the query is in it";
    std::string out = fmt::format(
        "{:.6f} document {}: sum of its terms, each {}; {} terms long, {:.2f} on average over {} documents, norm {:.4f}{}\n",
        score, id, formula, length, average_length, documents, norm, matches ? "" : why);
    for (const TermExplanation& term : terms) {
        out += fmt::format("  {:.6f} {}: {} in the query, in {} documents, idf {:.4f}, weight {:.4f}, f {}\n", term.score,
                           quote(term.term, 60), term.query_count, term.documents, term.idf, term.weight, term.frequency);
    }
    return out;
}

}  // namespace rag::core
