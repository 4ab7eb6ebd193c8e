#include "engine/filter_cache.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "search/metadata_filter.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kEntries = 64;
constexpr std::size_t kEntryBytes = std::size_t{64} << 20;

DocumentTable::EachMetadata metadata_of(StoreView& view) {
    return [&view](const DocumentTable::MetadataVisitor& visit) { view.each_metadata(visit); };
}

}  // namespace

std::shared_ptr<const IdSet> FilterCache::find(std::string_view where, std::int64_t sequence) {
    const std::lock_guard lock(entries_mutex_);
    const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& e) { return e.allowed.sequence == sequence && e.where == where; });
    if (entry == entries_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->allowed.chunks;
}

void FilterCache::keep(std::string_view where, const AllowedChunks& allowed) {
    const std::lock_guard lock(entries_mutex_);
    // What belongs to an older state is not asked for again.
    std::erase_if(entries_, [&](const Entry& e) { return e.allowed.sequence < allowed.sequence || e.where == where; });
    entries_.push_front({std::string(where), allowed});
    std::size_t bytes = 0;
    std::size_t kept = 0;
    for (const Entry& entry : entries_) {
        bytes += entry.where.size() + entry.allowed.chunks->bytes();
        if (bytes > kEntryBytes || kept == kEntries) break;
        ++kept;
    }
    entries_.resize(kept);
}

/// Brings the table to the state of the view: by the documents that changed since its own, or from nothing.
void FilterCache::follow(StoreView& view) {
    const std::int64_t since = table_sequence_;
    table_sequence_ = -1;  // should this fail half-way
    if (since < 0 || table_.worn()) {
        rebuild(view);
    } else {
        view.each_changed_metadata(since, [&](std::int64_t document, std::string_view metadata) {
            table_.set(document, metadata, view.chunks_of(document));
        });
        if (static_cast<std::int64_t>(table_.documents()) != view.count_documents()) table_.retain(view.document_keys());
    }
    table_sequence_ = view.sequence();
}

void FilterCache::rebuild(StoreView& view) {
    table_.clear();
    std::vector<std::int64_t> chunks;
    std::int64_t current = 0;
    const auto finish = [&] {
        if (!chunks.empty()) table_.set(current, chunks);
        chunks.clear();
    };
    view.each_link([&](std::int64_t chunk, std::int64_t document) {
        if (document != current) finish();
        current = document;
        chunks.push_back(chunk);
    });
    finish();
}

AllowedChunks FilterCache::compile(const MetadataFilter& filter, StoreView& view) {
    const std::int64_t sequence = view.sequence();
    {
        const std::shared_lock lock(table_mutex_);
        if (table_sequence_ >= sequence && table_.has_columns(filter))
            return {std::make_shared<const IdSet>(table_.select(filter)), table_sequence_};
    }
    const std::unique_lock lock(table_mutex_);
    if (table_sequence_ < sequence) follow(view);
    // A table that is ahead of the view gets no new columns from it.
    if (table_sequence_ == sequence) {
        if (!table_.prepare(filter, metadata_of(view)))
            return {std::make_shared<const IdSet>(table_.select_slowly(filter, metadata_of(view))), sequence};
    }
    return {std::make_shared<const IdSet>(table_.select(filter)), table_sequence_};
}

AllowedChunks FilterCache::allowed(std::string_view where, StoreView& view) {
    const std::int64_t sequence = view.sequence();
    if (auto chunks = find(where, sequence)) return {std::move(chunks), sequence};
    const MetadataFilter filter(where);
    if (filter.accepts_all()) return {nullptr, sequence};
    AllowedChunks allowed = compile(filter, view);
    keep(where, allowed);
    return allowed;
}

}  // namespace rag::core
