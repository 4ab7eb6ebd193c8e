// Which documents and chunks there are, and the metadata keys that filters ask for, as columns in memory: so that a `where`
// becomes a set of chunks in a millisecond instead of reading all metadata again.
//
// Documents have rows in the order of their keys; a column (metadata_column.hpp) is made when a filter first asks for its field,
// and kept in step document by document. All columns together take at most kMaxColumnBytes: those not used for longest go first,
// and a filter whose own columns are larger is evaluated over the stored JSON, which is also what tests compare with. Memory
// without columns: 20 bytes a chunk, 12 a document. Thread rule: one thread changes it while nobody reads; any number read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/id_set.hpp"

namespace rag::core {

class MetadataColumn;
class MetadataFilter;
struct FilterCondition;

class DocumentTable {
  public:
    static constexpr std::size_t kMaxColumnBytes = std::size_t{256} << 20;
    /// Calls visit(document, metadata) for documents, in any order; those that the table does not have are passed over.
    using MetadataVisitor = std::function<void(std::int64_t document, std::string_view metadata)>;
    using EachMetadata = std::function<void(const MetadataVisitor& visit)>;

    DocumentTable();
    ~DocumentTable();

    /// Forgets everything, columns too.
    void clear();
    /// Adds or replaces a document: its metadata and all its chunks. kCorrupt: stored metadata that is no JSON object; the table
    /// is then of no use until clear().
    void set(std::int64_t document, std::string_view metadata, std::span<const std::int64_t> chunks);
    /// The same without metadata, while there are no columns yet.
    void set(std::int64_t document, std::span<const std::int64_t> chunks);
    /// Removes all documents that are not among these (ascending).
    void retain(std::span<const std::int64_t> documents);
    /// A quarter of it is of removed documents and chunks: better made anew.
    bool worn() const noexcept;

    bool has_columns(const MetadataFilter& filter) const;
    /// Makes sure that there is a column for each field of the filter, reading all metadata if one is missing. False: they would
    /// take more than `limit`; then there is none of the missing ones.
    bool prepare(const MetadataFilter& filter, const EachMetadata& each_metadata, std::size_t limit = kMaxColumnBytes);
    /// The chunks of the documents that match; the filter's columns must be there.
    IdSet select(const MetadataFilter& filter) const;
    /// The same over the stored JSON, without columns.
    IdSet select_slowly(const MetadataFilter& filter, const EachMetadata& each_metadata) const;

    std::size_t documents() const noexcept { return documents_.size() - removed_documents_; }
    std::size_t column_bytes() const noexcept;
    std::size_t columns() const noexcept { return columns_.size(); }

  private:
    using Bits = std::vector<std::uint64_t>;
    static constexpr std::size_t kNoRow = static_cast<std::size_t>(-1);
    struct Slot {
        std::unique_ptr<MetadataColumn> column;
        std::uint64_t used = 0;  // when last
    };
    std::size_t row_of(std::int64_t document) const noexcept;
    std::size_t row_for(std::int64_t document);
    void remove(std::size_t row) noexcept;
    const MetadataColumn* find_column(const std::string& field) const noexcept;
    Bits evaluate(const FilterCondition& condition) const;
    IdSet chunks_of(const Bits& rows) const;
    void drop_columns(std::size_t limit, std::span<const std::string> keep);

    std::vector<std::int64_t> documents_;      // keys of rows, ascending; those of removed documents stay
    std::vector<std::uint32_t> chunk_counts_;  // of rows
    Bits live_;
    std::vector<std::int64_t> chunks_;       // keys, ascending; those that their document lost stay
    std::vector<std::uint32_t> chunk_rows_;  // of chunks_
    std::size_t removed_documents_ = 0;
    std::size_t live_chunks_ = 0;
    std::vector<Slot> columns_;
    std::uint64_t clock_ = 0;
};

}  // namespace rag::core
