// The chunks that a where filter allows, as sets of keys: made from columns of the metadata in memory
// (search/document_table.hpp), which follow the commits of this and other processes, and kept for the filters used last, since
// the same few come again and again. A set belongs to one state of the content (its sequence number). At most 64 sets of together
// 64 MiB are kept, and 256 MiB of columns. Thread-safe; two threads that ask for the same new filter may both compute it.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "core/id_set.hpp"
#include "search/document_table.hpp"
#include "store/view.hpp"

namespace rag::core {

/// Null `chunks`: every chunk is allowed.
struct AllowedChunks {
    std::shared_ptr<const IdSet> chunks;
    std::int64_t sequence = 0;  // of the content that it is true for
};

class FilterCache {
  public:
    /// What the filter allows in the state that the view shows, or in a newer one that another thread has seen by now. Throws
    /// kInvalidArgument for what is no filter.
    AllowedChunks allowed(std::string_view where, StoreView& view);

  private:
    struct Entry {
        std::string where;
        AllowedChunks allowed;
    };
    std::shared_ptr<const IdSet> find(std::string_view where, std::int64_t sequence);
    void keep(std::string_view where, const AllowedChunks& allowed);
    AllowedChunks compile(const MetadataFilter& filter, StoreView& view);
    void follow(StoreView& view);
    void rebuild(StoreView& view);

    std::shared_mutex table_mutex_;
    DocumentTable table_;
    std::int64_t table_sequence_ = -1;  // of the content that the table shows; -1: of none

    std::mutex entries_mutex_;
    std::list<Entry> entries_;  // last used first
};

}  // namespace rag::core
