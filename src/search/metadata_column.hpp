// One key of the metadata of all documents, in memory: a dictionary of its distinct values, and for each document a number into
// it. A condition is then asked once for each distinct value, and a document costs one look at a table. For search/ alone. Thread
// rule: one thread changes it while nobody reads; any number read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "search/filter_condition.hpp"

namespace rag::core {

class MetadataColumn {
  public:
    explicit MetadataColumn(std::string field);
    MetadataColumn(const MetadataColumn&) = delete;
    MetadataColumn& operator=(const MetadataColumn&) = delete;

    const std::string& field() const noexcept { return field_; }
    /// The value of `row`; null: the field is missing. Rows that were never set are missing.
    void set(std::size_t row, const Json* value);
    /// One bit for each of `rows` rows: whether the condition (of kField, over this field) accepts its value.
    std::vector<std::uint64_t> select(const FilterCondition& condition, std::size_t rows) const;
    /// Distinct values, those that no row has any more included.
    std::size_t values() const noexcept { return values_.size(); }
    /// Memory, nearly.
    std::size_t bytes() const noexcept;

  private:
    static constexpr std::uint32_t kMissing = 0;  // value i has code i + 1
    struct Hash {
        using is_transparent = void;
        const std::vector<Json>* values;
        std::size_t operator()(std::uint32_t code) const { return hash_of((*values)[code - 1]); }
        std::size_t operator()(const Json* value) const { return hash_of(*value); }
    };
    struct Equal {
        using is_transparent = void;
        const std::vector<Json>* values;
        const Json& of(std::uint32_t code) const { return (*values)[code - 1]; }
        static const Json& of(const Json* value) { return *value; }
        template <typename A, typename B>
        bool operator()(const A& a, const B& b) const {
            return values_equal(of(a), of(b));
        }
    };
    std::uint32_t code_of(const Json& value);
    std::uint32_t find(const Json& value) const;
    std::vector<std::uint8_t> accepted(const FilterCondition& condition) const;

    std::string field_;
    std::vector<Json> values_;
    std::unordered_set<std::uint32_t, Hash, Equal> codes_of_values_;
    std::vector<std::uint32_t> codes_;  // of rows
    std::size_t value_bytes_ = 0;
};

}  // namespace rag::core
