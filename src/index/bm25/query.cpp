#include "index/bm25/query.hpp"

#include <algorithm>
#include <cmath>

#include "index/bm25/query_parser.hpp"
#include "index/bm25/term_hash.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kTermsPerPoll = 4096;
constexpr std::size_t kComparisonsPerPoll = std::size_t{1} << 18;

/// Characters whose bigrams are terms too add little (docs/bm25.md) and cost as much again, so queries go without them.
class Collect final : public TermSink {
  public:
    Collect(std::vector<Bm25QueryTerm>& terms, const Progress& progress) : terms_(terms), progress_(progress) {}
    void term(std::string_view text, const TermPlace& place) override {
        if (++seen_ % kTermsPerPoll == 0) report(progress_, 0, 0);
        if (!place.part) terms_.push_back({std::string(text), hash_term(text), 1, 0, 0, 0});
    }

  private:
    std::vector<Bm25QueryTerm>& terms_;
    const Progress& progress_;
    std::size_t seen_ = 0;
};

/// Repetitions are counted and dropped; a query may be as long as a document, so they are found by sorting.
void merge_repetitions(std::vector<Bm25QueryTerm>& found, const Progress& progress) {
    std::vector<std::size_t> order(found.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::size_t compared_so_far = 0;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        if (++compared_so_far % kComparisonsPerPoll == 0) report(progress, 0, 0);
        if (found[a].hash != found[b].hash) return found[a].hash < found[b].hash;
        const int compared = found[a].text.compare(found[b].text);
        return compared != 0 ? compared < 0 : a < b;
    });
    for (std::size_t i = 1, kept = 0; i < order.size(); ++i) {
        Bm25QueryTerm& first = found[order[kept]];
        Bm25QueryTerm& again = found[order[i]];
        if (first.hash == again.hash && first.text == again.text) {
            ++first.count;
            again.count = 0;
        } else {
            kept = i;
        }
    }
    std::erase_if(found, [](const Bm25QueryTerm& term) { return term.count == 0; });
}

double weight_of(const Bm25QueryTerm& term, const Bm25Parameters& parameters) {
    const auto count = static_cast<double>(term.count);
    const double saturated = std::isinf(parameters.k3) ? count : (parameters.k3 + 1) * count / (parameters.k3 + count);
    return term.idf * saturated;
}

}  // namespace

Bm25Query make_query(const Analyzer& analyzer, const Snapshot& snapshot, std::string_view text, const Bm25Parameters& parameters,
                     Bm25Syntax syntax, const Progress& progress) {
    Bm25Query query;
    query.average_length = snapshot.average_length();
    std::vector<Bm25QueryTerm> found;
    Collect collect(found, progress);
    if (syntax == Bm25Syntax::kPlain) {
        if (snapshot.documents == 0) return query;
        analyzer.analyze(text, collect);
    } else {
        // Parsed even where there is nothing to find: what is no query is none in an empty index either.
        query.match = std::make_unique<const QueryMatch>(parse_query(text), analyzer, snapshot, collect, progress);
        if (snapshot.documents == 0) return query;
    }
    merge_repetitions(found, progress);
    std::size_t looked_up = 0;
    for (Bm25QueryTerm& term : found) {
        if (++looked_up % kTermsPerPoll == 0) report(progress, 0, 0);
        term.documents = snapshot.document_frequency(term.text, term.hash);
        if (term.documents == 0) continue;
        term.idf = Bm25Formula::idf(parameters.variant, snapshot.documents, term.documents);
        term.weight = static_cast<float>(weight_of(term, parameters));
        query.terms.push_back(std::move(term));
    }
    query.formula = Bm25Formula::make(parameters.variant, parameters.k1, parameters.b, parameters.delta, parameters.unit,
                                      query.average_length);
    return query;
}

}  // namespace rag::core
