// Bm25Index::highlight: which bytes of a text a query looks for. Words by their terms, prefixes by their letters, phrases where
// all of their terms stand as far from one another as in the query.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "index/bm25/bm25_index.hpp"
#include "index/bm25/query_parser.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kTermsPerPoll = 4096;

/// Takes the terms of the text.
class Highlighter final : public TermSink {
  public:
    Highlighter(LookedFor wanted, std::size_t bytes, const Progress& progress)
        : prefixes_(std::move(wanted.prefixes)), phrases_(std::move(wanted.phrases)), bytes_(bytes), progress_(progress) {
        for (const Analyzer::Term& term : wanted.terms) {
            if (!term.part) wanted_[term.text].word = true;
        }
        for (const auto& phrase : phrases_) {
            for (const Analyzer::Term& term : phrase) wanted_[term.text].in_phrase = true;
        }
    }
    void term(std::string_view text, const TermPlace& place) override {
        if (++seen_ % kTermsPerPoll == 0) report(progress_, place.start, bytes_);
        const auto found = wanted_.find(std::string(text));
        const bool begins = std::any_of(prefixes_.begin(), prefixes_.end(),
                                        [text](const std::string& prefix) { return text.starts_with(prefix); });
        if (begins || (found != wanted_.end() && found->second.word)) ranges_.push_back({place.start, place.end});
        if (found != wanted_.end() && found->second.in_phrase && !place.part) found->second.places.push_back(place);
    }
    std::vector<Range> take() {
        for (const auto& phrase : phrases_) mark(phrase);
        std::sort(ranges_.begin(), ranges_.end(),
                  [](const Range& a, const Range& b) { return a.start != b.start ? a.start < b.start : a.end < b.end; });
        std::vector<Range> out;
        for (const Range& range : ranges_) {
            if (!out.empty() && range.start < out.back().end) {
                out.back().end = std::max(out.back().end, range.end);
            } else {
                out.push_back(range);
            }
        }
        return out;
    }

  private:
    struct Wanted {
        bool word = false;
        bool in_phrase = false;
        std::vector<TermPlace> places;  // in the text, ascending by position; only of a phrase's terms
    };

    /// The place of the term at this position, or null.
    const TermPlace* find(const std::string& term, std::uint32_t position) const {
        const auto& places = wanted_.at(term).places;
        const auto at = std::lower_bound(places.begin(), places.end(), position,
                                         [](const TermPlace& place, std::uint32_t wanted) { return place.position < wanted; });
        return at != places.end() && at->position == position ? &*at : nullptr;
    }
    void mark(const std::vector<Analyzer::Term>& phrase) {
        std::size_t looked = 0;
        for (const TermPlace& first : wanted_.at(phrase[0].text).places) {
            if (++looked % kTermsPerPoll == 0) report(progress_, bytes_, bytes_);
            Range range{first.start, first.end};
            bool whole = true;
            for (std::size_t i = 1; i < phrase.size() && whole; ++i) {
                const TermPlace* place = find(phrase[i].text, first.position + (phrase[i].position - phrase[0].position));
                whole = place != nullptr;
                if (whole) range.end = std::max(range.end, place->end);
            }
            if (whole) ranges_.push_back(range);
        }
    }

    std::unordered_map<std::string, Wanted> wanted_;
    std::vector<std::string> prefixes_;
    std::vector<std::vector<Analyzer::Term>> phrases_;
    std::vector<Range> ranges_;
    std::size_t bytes_;
    const Progress& progress_;
    std::size_t seen_ = 0;
};

}  // namespace

std::vector<Range> Bm25Index::highlight(std::string_view query, std::string_view text, Bm25Syntax syntax,
                                        const Progress& progress) const {
    require_utf8(text, "text");
    LookedFor wanted;
    if (syntax == Bm25Syntax::kPlain) {
        analyzer_.analyze(query, wanted.terms);
    } else {
        wanted = looked_for(parse_query(query), analyzer_);
    }
    Highlighter highlighter(std::move(wanted), text.size(), progress);
    analyzer_.analyze(text, highlighter);
    return highlighter.take();
}

}  // namespace rag::core
