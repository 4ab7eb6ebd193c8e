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
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "index/bm25/scorer.hpp"
#include "text/analyze.hpp"

namespace rag::core {

struct Bm25Options {
    double k1 = 1.2;                // saturation of the frequency, >= 0
    double b = 0.75;                // weight of the document's length, 0 to 1
    std::string language = "auto";  // see Analyzer
};

/// The highest version of the file format that this library reads, and the one it writes.
inline constexpr std::uint32_t kBm25FormatVersion = 1;

class Bm25Index {
  public:
    using Hit = Bm25Hit;
    using Filter = Bm25Filter;

    /// kInvalidArgument: k1, b or language outside what they may be.
    explicit Bm25Index(const Bm25Options& options = {});
    ~Bm25Index();

    /// Adds ids.size() documents; all are found when it returns, none after a failure. kAlreadyExists names the first id that is
    /// there already or comes twice; kInvalidArgument: text that is not UTF-8, spans of different sizes. Texts are not kept.
    void add(std::span<const std::int64_t> ids, std::span<const std::string_view> texts, const Progress& progress = {});
    /// Removes those of `ids` that exist and returns how many did. kCorrupt: a forged file in which documents list other terms.
    std::size_t remove(std::span<const std::int64_t> ids);

    std::size_t size() const;
    bool contains(std::int64_t id) const;
    /// All ids, ascending.
    std::vector<std::int64_t> ids() const;

    /// The best min(k, matching) documents, best first, equal scores by ascending id; documents without a term of the query do
    /// not match. Ill-formed UTF-8 in the query counts as no word. `filter` (may be null) is asked only for candidates.
    std::vector<Hit> search(std::string_view query, std::size_t k, const Filter* filter = nullptr) const;
    /// The same result by scoring every document: the oracle of tests.
    std::vector<Hit> search_exhaustive(std::string_view query, std::size_t k, const Filter* filter = nullptr) const;
    /// The scores of given documents, in their order: what search() would return for them; 0 for no match or no such id.
    std::vector<float> score(std::string_view query, std::span<const std::int64_t> ids) const;

    struct TermExplanation {
        std::string term;
        std::uint32_t query_count = 0;
        std::uint64_t documents = 0;  // that have the term
        double idf = 0;
        std::uint64_t frequency = 0;  // in this document
        float score = 0;              // query_count * idf * frequency / (frequency + norm)
    };
    struct Explanation {
        std::int64_t id = 0;
        float score = 0;              // the terms' scores added up in order, as search() returns it
        std::uint64_t documents = 0;  // in the index
        double average_length = 0;
        std::uint32_t length = 0;            // of this document
        double norm = 0;                     // k1 (1 - b + b length / average_length)
        std::vector<TermExplanation> terms;  // of the query, also those that this document lacks (frequency 0)
        std::string text() const;            // some lines for a person
    };
    /// kNotFound names an id that is not there.
    Explanation explain(std::string_view query, std::int64_t id) const;

    /// Merges the small segments of recent additions into one.
    void seal();
    /// Merges everything into one segment; the space of removed documents comes back.
    void compact();

    /// Writes the index to one file, atomically; searches and the index itself are not disturbed. `sequence` is the caller's.
    void save(const std::filesystem::path& file, std::uint64_t sequence = 0) const;
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
    /// Slow check of everything that load() does not check; false says `why`.
    bool verify(std::string& why) const;

    const Bm25Options& options() const noexcept { return options_; }
    const Analyzer& analyzer() const noexcept { return analyzer_; }

  private:
    std::shared_ptr<const Snapshot> snapshot() const;
    void publish(Snapshot next);
    void check_new(const Snapshot& now, std::span<const std::int64_t> ids) const;
    void merge_levels(Snapshot& next) const;
    void merge_into_one(Snapshot& next, std::span<const std::size_t> members) const;

    Bm25Options options_;
    Analyzer analyzer_;
    std::uint64_t sequence_ = 0;
    std::mutex writer_;                  // held by the one that changes the index
    mutable std::mutex snapshot_mutex_;  // held to copy or swap the pointer
    std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace rag::core
