#include "engine/filter_cache.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "search/metadata_filter.hpp"

namespace rag::core {
namespace {
constexpr std::size_t kEntries = 16;
}

std::shared_ptr<const IdSet> FilterCache::find(std::string_view where, std::int64_t sequence) {
    const std::lock_guard lock(mutex_);
    const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& e) { return e.sequence == sequence && e.where == where; });
    if (entry == entries_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->set;
}

std::shared_ptr<const IdSet> FilterCache::allowed(std::string_view where, StoreView& view) {
    const std::int64_t sequence = view.sequence();
    if (auto set = find(where, sequence)) return set;
    const MetadataFilter filter(where);
    if (filter.accepts_all()) return nullptr;
    std::vector<std::int64_t> documents;  // ascending, as each_metadata gives them
    view.each_metadata([&](std::int64_t document, std::string_view metadata) {
        if (filter.matches(metadata)) documents.push_back(document);
    });
    std::vector<std::int64_t> chunks;
    auto next = documents.begin();
    view.each_link([&](std::int64_t chunk, std::int64_t document) {
        while (next != documents.end() && *next < document) ++next;
        if (next != documents.end() && *next == document) chunks.push_back(chunk);
    });
    auto set = std::make_shared<const IdSet>(chunks);
    const std::lock_guard lock(mutex_);
    entries_.push_front({std::string(where), sequence, set});
    if (entries_.size() > kEntries) entries_.pop_back();
    return set;
}

}  // namespace rag::core
