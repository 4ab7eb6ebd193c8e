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
constexpr std::size_t kComparisonsPerPoll = std::size_t{1} << 18;

}  // namespace

/// Takes the terms of one text.
class Bm25Highlighter final : public TermSink {
  public:
    virtual ~Bm25Highlighter() = default;
    Bm25Highlighter(const Bm25Marker& marker, std::size_t bytes, const Progress& progress)
        : marker_(marker), places_(marker.phrase_terms_), bytes_(bytes), progress_(progress) {}

    void term(std::string_view text, const TermPlace& place) override {
        if (++seen_ % kTermsPerPoll == 0) report(progress_, place.start, bytes_);
        const auto found = marker_.wanted_.find(text);
        const bool known = found != marker_.wanted_.end();
        const bool begins = std::any_of(marker_.prefixes_.begin(), marker_.prefixes_.end(),
                                        [text](const std::string& prefix) { return text.starts_with(prefix); });
        if (begins || (known && found->second.word)) ranges_.push_back({place.start, place.end});
        if (known && found->second.in_phrase != Bm25Marker::kNoPhrase && !place.part)
            places_[found->second.in_phrase].push_back(place);
    }
    std::vector<Range> take() {
        for (const auto& phrase : marker_.phrases_) mark(phrase);
        std::size_t compared = 0;
        std::sort(ranges_.begin(), ranges_.end(), [&](const Range& a, const Range& b) {
            if (++compared % kComparisonsPerPoll == 0) report(progress_, bytes_, bytes_);
            return a.start != b.start ? a.start < b.start : a.end < b.end;
        });
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
    /// Of a term of a phrase, in the text, ascending by position.
    const std::vector<TermPlace>& places_of(const std::string& term) const {
        return places_[marker_.wanted_.find(std::string_view(term))->second.in_phrase];
    }
    /// The place of the term at this position, or null.
    const TermPlace* find(const std::string& term, std::uint32_t position) const {
        const auto& places = places_of(term);
        const auto at = std::lower_bound(places.begin(), places.end(), position,
                                         [](const TermPlace& place, std::uint32_t wanted) { return place.position < wanted; });
        return at != places.end() && at->position == position ? &*at : nullptr;
    }
    void mark(const std::vector<Analyzer::Term>& phrase) {
        std::size_t looked = 0;
        for (const TermPlace& first : places_of(phrase[0].text)) {
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

    const Bm25Marker& marker_;
    std::vector<std::vector<TermPlace>> places_;  // by Wanted::in_phrase
    std::vector<Range> ranges_;
    std::size_t bytes_;
    const Progress& progress_;
    std::size_t seen_ = 0;
};

Bm25Marker::Bm25Marker(LookedFor wanted, const Analyzer& analyzer)
    : prefixes_(std::move(wanted.prefixes)), phrases_(std::move(wanted.phrases)), analyzer_(analyzer) {
    for (const Analyzer::Term& term : wanted.terms) {
        if (!term.part) wanted_[term.text].word = true;
    }
    for (const auto& phrase : phrases_) {
        for (const Analyzer::Term& term : phrase) {
            Wanted& known = wanted_[term.text];
            if (known.in_phrase == kNoPhrase) known.in_phrase = phrase_terms_++;
        }
    }
}

std::vector<Range> Bm25Marker::mark(std::string_view text, const Progress& progress) const {
    Bm25Highlighter highlighter(*this, text.size(), progress);
    analyzer_.analyze(text, highlighter);
    return highlighter.take();
}

Bm25Marker Bm25Index::marker(std::string_view query, Bm25Syntax syntax, const Progress& progress) const {
    if (syntax != Bm25Syntax::kPlain) return {looked_for(parse_query(query), analyzer_), analyzer_};
    // A query may be as long as a document.
    class Collect final : public TermSink {
      public:
        Collect(LookedFor& wanted, const Progress& progress) : wanted_(wanted), progress_(progress) {}
        void term(std::string_view text, const TermPlace& place) override {
            if (++seen_ % kTermsPerPoll == 0) report(progress_, 0, 0);
            if (!place.part) wanted_.terms.push_back({std::string(text), place.start, place.end, place.position, false});
        }

      private:
        LookedFor& wanted_;
        const Progress& progress_;
        std::size_t seen_ = 0;
    };
    LookedFor wanted;
    Collect collect(wanted, progress);
    analyzer_.analyze(query, collect);
    return {std::move(wanted), analyzer_};
}

std::vector<Range> Bm25Index::highlight(std::string_view query, std::string_view text, Bm25Syntax syntax,
                                        const Progress& progress) const {
    require_utf8(text, "text");
    return marker(query, syntax, progress).mark(text, progress);
}

}  // namespace rag::core
