// The chunks that a where filter allows, as sets of keys, kept for the filters used last: evaluating one reads the metadata of
// all documents, and the same few filters come again and again. A set belongs to one state of the content (its sequence number).
// Thread-safe; two threads that ask for the same new filter may both compute it.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/id_set.hpp"
#include "store/view.hpp"

namespace rag::core {

class FilterCache {
  public:
    /// Null: every chunk is allowed. Throws kInvalidArgument for what is no filter.
    std::shared_ptr<const IdSet> allowed(std::string_view where, StoreView& view);

  private:
    struct Entry {
        std::string where;
        std::int64_t sequence = 0;
        std::shared_ptr<const IdSet> set;
    };
    std::shared_ptr<const IdSet> find(std::string_view where, std::int64_t sequence);

    std::mutex mutex_;
    std::list<Entry> entries_;  // last used first
};

}  // namespace rag::core
