#include "search/document_table.hpp"

#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "search/metadata_column.hpp"
#include "search/metadata_filter.hpp"
#include "search/metadata_value.hpp"

namespace rag::core {
namespace {

// Documents between two looks at the memory of new columns.
constexpr std::size_t kMeasureEvery = 1024;
// Wear below this is not worth reading everything again.
constexpr std::size_t kLeastWear = 1024;

bool bit(const std::vector<std::uint64_t>& bits, std::size_t at) {
    return (bits[at / 64] >> (at % 64) & 1U) != 0;
}

void collect_fields(const FilterCondition& condition, std::vector<std::string>& fields) {
    if (condition.kind == FilterCondition::Kind::kField) fields.push_back(condition.field);
    for (const auto& part : condition.parts) collect_fields(part, fields);
}

std::vector<std::string> fields_of(const MetadataFilter& filter) {
    std::vector<std::string> fields;
    collect_fields(filter.root(), fields);
    std::sort(fields.begin(), fields.end());
    fields.erase(std::unique(fields.begin(), fields.end()), fields.end());
    return fields;
}

}  // namespace

DocumentTable::DocumentTable() = default;
DocumentTable::~DocumentTable() = default;

void DocumentTable::clear() {
    documents_.clear();
    chunk_counts_.clear();
    live_.clear();
    chunks_.clear();
    chunk_rows_.clear();
    columns_.clear();
    removed_documents_ = 0;
    live_chunks_ = 0;
}

std::size_t DocumentTable::row_of(std::int64_t document) const noexcept {
    const auto found = std::lower_bound(documents_.begin(), documents_.end(), document);
    if (found == documents_.end() || *found != document) return kNoRow;
    return static_cast<std::size_t>(found - documents_.begin());
}

/// The row of a document that is there or is the newest: keys grow, so rows stay in their order.
std::size_t DocumentTable::row_for(std::int64_t document) {
    const std::size_t known = row_of(document);
    if (known != kNoRow) return known;
    if (!documents_.empty() && documents_.back() > document)
        fail(Code::kInternal, "document {} comes after document {}", document, documents_.back());
    if (documents_.size() >= std::numeric_limits<std::uint32_t>::max())
        fail(Code::kUnsupported, "filters take at most {} documents", documents_.size());
    const std::size_t row = documents_.size();
    if (live_.size() * 64 <= row) live_.push_back(0);
    chunk_counts_.push_back(0);
    documents_.push_back(document);
    ++removed_documents_;  // until set() makes it live
    return row;
}

void DocumentTable::set(std::int64_t document, std::span<const std::int64_t> chunks) {
    const std::size_t row = row_for(document);
    if (!bit(live_, row)) {
        live_[row / 64] |= std::uint64_t{1} << (row % 64);
        --removed_documents_;
    }
    for (const std::int64_t chunk : chunks) {
        const auto at =
            chunks_.empty() || chunks_.back() < chunk ? chunks_.end() : std::lower_bound(chunks_.begin(), chunks_.end(), chunk);
        if (at != chunks_.end() && *at == chunk) continue;  // it had this one before
        chunk_rows_.insert(chunk_rows_.begin() + (at - chunks_.begin()), static_cast<std::uint32_t>(row));
        chunks_.insert(at, chunk);
    }
    live_chunks_ += chunks.size() - chunk_counts_[row];
    chunk_counts_[row] = static_cast<std::uint32_t>(chunks.size());
}

void DocumentTable::set(std::int64_t document, std::string_view metadata, std::span<const std::int64_t> chunks) {
    set(document, chunks);
    if (columns_.empty()) return;
    const Json json = parse_stored_metadata(metadata);
    for (const Slot& slot : columns_) slot.column->set(row_of(document), find_field(json, slot.column->field()));
}

void DocumentTable::retain(std::span<const std::int64_t> documents) {
    auto kept = documents.begin();
    for (std::size_t row = 0; row < documents_.size(); ++row) {
        while (kept != documents.end() && *kept < documents_[row]) ++kept;
        const bool keep = kept != documents.end() && *kept == documents_[row];
        if (!keep && bit(live_, row)) remove(row);
    }
}

void DocumentTable::remove(std::size_t row) noexcept {
    live_[row / 64] &= ~(std::uint64_t{1} << (row % 64));
    ++removed_documents_;
    live_chunks_ -= chunk_counts_[row];
    chunk_counts_[row] = 0;
}

bool DocumentTable::worn() const noexcept {
    const std::size_t rows = documents_.size();
    const auto values_worn = [&](const Slot& slot) { return slot.column->values() > 2 * rows + kLeastWear; };
    return removed_documents_ > rows / 4 + kLeastWear || chunks_.size() - live_chunks_ > chunks_.size() / 4 + kLeastWear ||
           std::any_of(columns_.begin(), columns_.end(), values_worn);
}

const MetadataColumn* DocumentTable::find_column(const std::string& field) const noexcept {
    for (const Slot& slot : columns_) {
        if (slot.column->field() == field) return slot.column.get();
    }
    return nullptr;
}

std::size_t DocumentTable::column_bytes() const noexcept {
    std::size_t bytes = 0;
    for (const Slot& slot : columns_) bytes += slot.column->bytes();
    return bytes;
}

/// Drops what was not used for longest until `limit` bytes or only `keep` are left.
void DocumentTable::drop_columns(std::size_t limit, std::span<const std::string> keep) {
    while (column_bytes() > limit) {
        auto oldest = columns_.end();
        for (auto slot = columns_.begin(); slot != columns_.end(); ++slot) {
            if (std::find(keep.begin(), keep.end(), slot->column->field()) != keep.end()) continue;
            if (oldest == columns_.end() || slot->used < oldest->used) oldest = slot;
        }
        if (oldest == columns_.end()) return;
        columns_.erase(oldest);
    }
}

bool DocumentTable::has_columns(const MetadataFilter& filter) const {
    const auto fields = fields_of(filter);
    return std::all_of(fields.begin(), fields.end(), [this](const std::string& f) { return find_column(f) != nullptr; });
}

bool DocumentTable::prepare(const MetadataFilter& filter, const EachMetadata& each_metadata, std::size_t limit) {
    const auto fields = fields_of(filter);
    std::vector<std::unique_ptr<MetadataColumn>> missing;
    ++clock_;
    for (const std::string& field : fields) {
        if (find_column(field) == nullptr) missing.push_back(std::make_unique<MetadataColumn>(field));
    }
    for (Slot& slot : columns_) {
        if (std::binary_search(fields.begin(), fields.end(), slot.column->field())) slot.used = clock_;
    }
    bool fits = true;
    std::size_t done = 0;
    if (!missing.empty()) {
        each_metadata([&](std::int64_t document, std::string_view metadata) {
            const std::size_t row = row_of(document);
            if (row == kNoRow || !fits) return;
            const Json json = parse_stored_metadata(metadata);
            for (const auto& column : missing) column->set(row, find_field(json, column->field()));
            if (++done % kMeasureEvery != 0) return;
            std::size_t bytes = 0;
            for (const auto& column : missing) bytes += column->bytes();
            fits = bytes <= limit;
        });
        if (!fits) return false;
        for (auto& column : missing) columns_.push_back({std::move(column), clock_});
    }
    drop_columns(limit, fields);
    if (column_bytes() <= limit) return true;
    drop_columns(limit, {});
    return false;
}

DocumentTable::Bits DocumentTable::evaluate(const FilterCondition& condition) const {
    using Kind = FilterCondition::Kind;
    if (condition.kind == Kind::kField) {
        const MetadataColumn* column = find_column(condition.field);
        if (column == nullptr) fail(Code::kInternal, "there is no column for {}", quote(condition.field));
        return column->select(condition, documents_.size());
    }
    Bits bits(live_.size(), condition.kind == Kind::kAny ? 0 : ~std::uint64_t{0});
    for (const auto& part : condition.parts) {
        const Bits other = evaluate(part);
        for (std::size_t i = 0; i < bits.size(); ++i) {
            if (condition.kind == Kind::kAll) bits[i] &= other[i];
            if (condition.kind == Kind::kAny) bits[i] |= other[i];
            if (condition.kind == Kind::kNot) bits[i] = ~other[i];
        }
    }
    return bits;
}

IdSet DocumentTable::chunks_of(const Bits& rows) const {
    std::vector<std::int64_t> keys;
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
        const std::size_t row = chunk_rows_[i];
        if ((rows[row / 64] & live_[row / 64]) >> (row % 64) & 1U) keys.push_back(chunks_[i]);
    }
    return IdSet(keys);
}

IdSet DocumentTable::select(const MetadataFilter& filter) const {
    return chunks_of(evaluate(filter.root()));
}

IdSet DocumentTable::select_slowly(const MetadataFilter& filter, const EachMetadata& each_metadata) const {
    Bits rows(live_.size(), 0);
    each_metadata([&](std::int64_t document, std::string_view metadata) {
        const std::size_t row = row_of(document);
        if (row != kNoRow && filter.matches(metadata)) rows[row / 64] |= std::uint64_t{1} << (row % 64);
    });
    return chunks_of(rows);
}

}  // namespace rag::core
