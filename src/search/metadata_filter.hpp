// The `where` of a search: a JSON filter over the metadata of documents, parsed once and asked of one document after another. A
// search evaluates it over columns instead (document_table.hpp), and must come to the same documents.
//
//   {"lang": "en", "year": {"$gte": 2020, "$lt": 2024}, "$or": [{"tag": {"$in": ["a", "b"]}}, {"draft": {"$exists": false}}]}
//
// All conditions of an object must hold. A field is a key of the metadata, or a dotted path into nested objects when there is no
// such key. {"field": value} is {"field": {"$eq": value}}.
//   $eq $ne            equal JSON values; numbers by value (1 equals 1.0). $ne also holds where the field is missing
//   $gt $gte $lt $lte  numbers with numbers, strings with strings (by code point, so ISO dates work); else false
//   $in $nin           one of a list ($nin: none of it, or missing)
//   $contains          a string that holds this string, or a list that holds this element
//   $exists            true: the field is there (null counts); false: it is not
//   $and $or           a list of filters;  $not: a filter, or within a field a condition
// Thread rule: immutable; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace rag::core {

inline constexpr std::size_t kMaxMetadataBytes = 1U << 20;
inline constexpr std::size_t kMaxFilterBytes = 1U << 20;
/// Of nested objects and lists, in metadata and in filters.
inline constexpr int kMaxJsonNesting = 32;
inline constexpr std::size_t kMaxFilterConditions = 10000;

struct FilterCondition;

class MetadataFilter {
  public:
    /// Throws kInvalidArgument for what is no filter, naming the operator or field: unknown operators, operands of the wrong
    /// kind, a key that stands twice, text over the limits.
    explicit MetadataFilter(std::string_view where);
    ~MetadataFilter();
    MetadataFilter(const MetadataFilter&) = delete;
    MetadataFilter& operator=(const MetadataFilter&) = delete;

    /// `metadata`: a JSON object as normalize_metadata made it. kCorrupt if it is none.
    bool matches(std::string_view metadata) const;
    /// True if every document matches, as with {}.
    bool accepts_all() const noexcept;

    /// For search/ alone.
    const FilterCondition& root() const noexcept { return *root_; }

  private:
    std::unique_ptr<const FilterCondition> root_;
};

/// Checks metadata that a caller gives and returns it without needless white space; empty: "{}". kInvalidArgument, naming `what`
/// ("the metadata of document \"a\""): no JSON object, ill-formed UTF-8, a key that stands twice, over the limits.
std::string normalize_metadata(std::string_view json, std::string_view what);

}  // namespace rag::core
