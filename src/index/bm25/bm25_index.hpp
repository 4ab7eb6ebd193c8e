// A lexical index of texts in memory or in one mapped file: documents are added and removed at any time, and every search sees
// the exact statistics of what lives at that moment.
//
// Shape: immutable segments with tombstones, as in Lucene (segment.hpp); each add() makes segments of its documents, which are
// merged by size as they gather (four of a size become one), so that small additions stay cheap and searches see few segments.
// The newest segments are the mutable tail: an append-only structure under a lock would make readers wait for writers, a
// segment of one document costs some ten microseconds and no reader ever waits.
// Thread rule: any number of threads may call const functions while one changes the index; changes are serialised. A search keeps
// the snapshot that it began with. State after failure: unchanged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/cancel.hpp"
#include "index/bm25/scorer.hpp"
#include "index/bm25/segment_builder.hpp"
#include "text/analyze.hpp"
#include "text/sentences.hpp"

namespace rag::core {

/// How each default was chosen: docs/bm25.md.
struct Bm25Options {
    double k1 = 1.2;                // saturation of the frequency, >= 0
    double b = 0.5;                 // weight of the document's length, 0 to 1
    std::string language = "auto";  // see Analyzer
    Bm25Variant variant = Bm25Variant::kLucene;
    double delta = -1;  // of BM25+ and BM25L, >= 0; negative: 1 and 0.5, as in their papers
    double k3 = 1;      // saturation of the frequency in the query, >= 0; infinity: a term counts as often as it stands there
    /// Occurrences that one in the title counts for; one in the text is 1. A multiple of 1/8, 0 (titles are not found) to 100.
    /// Frequencies and lengths are added up before the formula, as in the simple BM25F (Robertson, Zaragoza and Taylor, CIKM
    /// 2004).
    double title_weight = 2;
    bool positions = false;  // keeps where terms stand, for phrases: some two bytes more for each word

    friend bool operator==(const Bm25Options&, const Bm25Options&) = default;
};

/// The highest version of the file format that this library reads, and the one it writes. It reads every one from 1.
inline constexpr std::uint32_t kBm25FormatVersion = 2;

/// What of texts a query looks for; made by Bm25Index::marker. Any thread reads.
class Bm25Marker {
  public:
    Bm25Marker(LookedFor wanted, const Analyzer& analyzer);
    /// See Bm25Index::highlight.
    std::vector<Range> mark(std::string_view text, const Progress& progress = {}) const;

  private:
    friend class Bm25Highlighter;
    static constexpr std::uint32_t kNoPhrase = 0xFFFFFFFF;
    struct Wanted {
        bool word = false;
        std::uint32_t in_phrase = kNoPhrase;  // a number of its own, of a term of a phrase
    };
    struct Hash : std::hash<std::string_view> {
        using is_transparent = void;
    };
    std::unordered_map<std::string, Wanted, Hash, std::equal_to<>> wanted_;
    std::uint32_t phrase_terms_ = 0;
    std::vector<std::string> prefixes_;
    std::vector<std::vector<Analyzer::Term>> phrases_;
    Analyzer analyzer_;
};

class Bm25Index {
  public:
    using Hit = Bm25Hit;

    /// kInvalidArgument: an option outside what it may be.
    explicit Bm25Index(const Bm25Options& options = {});
    ~Bm25Index();

    /// Adds ids.size() documents; all are found when it returns, none after a failure. kAlreadyExists names the first id that is
    /// there already or comes twice; kInvalidArgument: text that is not UTF-8, spans of different sizes. Texts are not kept.
    void add(std::span<const std::int64_t> ids, std::span<const std::string_view> texts, const Progress& progress = {});
    /// The same with titles, as many as texts or none at all; they weigh title_weight.
    void add(std::span<const std::int64_t> ids, std::span<const std::string_view> titles, std::span<const std::string_view> texts,
             const Progress& progress = {});
    /// As add(), but documents whose id is there already are replaced, all at one moment; returns how many were. kAlreadyExists:
    /// an id comes twice.
    std::size_t upsert(std::span<const std::int64_t> ids, std::span<const std::string_view> titles,
                       std::span<const std::string_view> texts, const Progress& progress = {});
    /// Removes those of `ids` that exist and returns how many did. kCorrupt: a forged file in which documents list other terms.
    std::size_t remove(std::span<const std::int64_t> ids);

    std::size_t size() const;
    bool contains(std::int64_t id) const;
    /// All ids, ascending.
    std::vector<std::int64_t> ids() const;

    /// The best min(k, matching) documents, best first, equal scores by ascending id; documents without a term of the query do
    /// not match. Ill-formed UTF-8 in a plain query counts as no word. `filter`: the ids that may be found; null: all.
    /// kInvalidArgument: an error in a query of the language (query_parser.hpp), which is read only if `syntax` says so.
    /// Polls `progress` without counts, as score() and explain() do.
    std::vector<Hit> search(std::string_view query, std::size_t k, const IdSet* filter = nullptr,
                            Bm25Syntax syntax = Bm25Syntax::kPlain, const Progress& progress = {}) const;
    /// The same result by scoring every document: the oracle of tests.
    std::vector<Hit> search_exhaustive(std::string_view query, std::size_t k, const IdSet* filter = nullptr,
                                       Bm25Syntax syntax = Bm25Syntax::kPlain) const;
    /// The scores of given documents, in their order: what search() would return for them; 0 for no match or no such id.
    std::vector<float> score(std::string_view query, std::span<const std::int64_t> ids, Bm25Syntax syntax = Bm25Syntax::kPlain,
                             const Progress& progress = {}) const;

    struct TermExplanation {
        std::string term;
        std::uint32_t query_count = 0;
        std::uint64_t documents = 0;  // that have the term
        double idf = 0;
        double weight = 0;     // idf with what the count in the query makes of it
        double frequency = 0;  // in this document, an occurrence in the title counted title_weight times
        float score = 0;       // the formula of this frequency, times weight
    };
    struct Explanation {
        std::int64_t id = 0;
        bool matches = true;          // false: search() does not find it: no term of the query, or operators exclude it
        float score = 0;              // the terms' scores added up in order, as search() returns it
        std::uint64_t documents = 0;  // in the index
        double average_length = 0;
        double length = 0;                   // of this document, weighted as frequencies are
        double norm = 0;                     // k1 (1 - b + b length / average_length); without k1 for BM25L
        std::string formula;                 // of a term's score, for a person
        std::vector<TermExplanation> terms;  // of the query, also those that this document lacks (frequency 0)
        std::string text() const;            // some lines for a person
    };
    /// kNotFound names an id that is not there.
    Explanation explain(std::string_view query, std::int64_t id, Bm25Syntax syntax = Bm25Syntax::kPlain,
                        const Progress& progress = {}) const;

    /// The bytes of `text` whose terms the query looks for, ascending, those that overlap or touch within a word of Han as one;
    /// of a phrase only where all of it stands, as one. `text` need not be in the index. kInvalidArgument: it is not UTF-8; an
    /// error in a query of the language. Polls `progress` with bytes.
    std::vector<Range> highlight(std::string_view query, std::string_view text, Bm25Syntax syntax = Bm25Syntax::kPlain,
                                 const Progress& progress = {}) const;
    /// The same for many texts: the query is read once.
    Bm25Marker marker(std::string_view query, Bm25Syntax syntax, const Progress& progress = {}) const;

    /// Merges the small segments of recent additions into one.
    void seal();
    /// Merges everything into one segment; the space of removed documents comes back. Stopped: nothing changed.
    void compact(const Progress& progress = {});

    /// Writes the index to one file, atomically; searches and the index itself are not disturbed. `sequence` is the caller's.
    /// Polls `progress` with bytes; Stopped: the former file stays.
    void save(const std::filesystem::path& file, std::uint64_t sequence = 0, const Progress& progress = {}) const;
    /// Maps a file that save() wrote, checking all of it. kNotFound, kIo; kCorrupt names the file and the damaged block;
    /// kVersion: a newer format, or terms of another analyzer (another ICU): the index has to be built again from its texts.
    static std::unique_ptr<Bm25Index> load(const std::filesystem::path& file);
    /// The same from the bytes of such a file, which begin on a multiple of 8 and which `owner` keeps; `name` is for messages.
    static std::unique_ptr<Bm25Index> parse(std::span<const std::byte> file, const std::shared_ptr<const void>& owner,
                                            const std::string& name);

    struct Stats {
        std::size_t documents = 0;
        std::size_t removed = 0;  // documents that still take space
        std::size_t segments = 0;
        std::uint64_t postings = 0;  // with those of removed documents
        std::uint64_t terms = 0;     // summed over segments
        std::uint64_t bytes = 0;     // of all segments, in memory or mapped
        double average_length = 0;
        std::uint64_t sequence = 0;  // of the file it was loaded from
        std::string analyzer;
    };
    Stats stats() const;
    /// Those of `ids` (that are here) of which the index does not say what add() would make of these titles and texts: terms,
    /// frequencies, lengths, positions. Costs as much as adding them. kInvalidArgument: spans of different sizes, no UTF-8.
    std::vector<std::int64_t> find_different(std::span<const std::int64_t> ids, std::span<const std::string_view> titles,
                                             std::span<const std::string_view> texts, const Progress& progress = {}) const;
    /// Slow check of everything that load() does not check; false says `why`.
    bool verify(std::string& why, const Progress& progress = {}) const;

    const Bm25Options& options() const noexcept { return options_; }
    const Analyzer& analyzer() const noexcept { return analyzer_; }

  private:
    std::shared_ptr<const Snapshot> snapshot() const;
    void publish(Snapshot next);
    Bm25Index(const Bm25Options& options, int analyzer_rules);
    /// k1 as it meets frequencies in units.
    double segment_k1() const noexcept { return options_.k1 * settings_.text_units; }
    Bm25Query prepare(const Snapshot& snapshot, std::string_view query, Bm25Syntax syntax, const Progress& progress) const;
    void build(std::span<const std::int64_t> ids, std::span<const std::string_view> titles,
               std::span<const std::string_view> texts, const Progress& progress, Snapshot& next) const;
    static std::size_t remove_from(const Snapshot& now, std::span<const std::int64_t> ids, Snapshot& next);
    void rewrite_half_dead(Snapshot& next, const Progress& progress) const;
    void merge_levels(Snapshot& next, const Progress& progress) const;
    void merge_into_one(Snapshot& next, std::span<const std::size_t> members, const Progress& progress) const;

    Bm25Options options_;
    Bm25Parameters parameters_;  // the same, as scoring takes them
    SegmentBuilder::Settings settings_;
    Analyzer analyzer_;
    std::uint64_t sequence_ = 0;
    std::mutex writer_;                  // held by the one that changes the index
    mutable std::mutex snapshot_mutex_;  // held to copy or swap the pointer
    std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace rag::core
