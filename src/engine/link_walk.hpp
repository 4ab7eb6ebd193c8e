// What links add to a ranking: the part of the graph of links that lies around its hits, a walk over it (search/page_rank.hpp),
// and the chunks that the walk reached. Links are followed both ways. A link of a whole document is a link of a node that stands
// for it, with an edge of weight 1 to each of its chunks (the first 64). At most 2,000 nodes within 4 links of the best 100 hits
// are looked at, the nearest first. Thread rule: one thread.
#pragma once

#include <vector>

#include "engine/search_run.hpp"
#include "store/store.hpp"

namespace rag::core {

/// The ranking with the linked chunks that `filter` (may be null) allows, normalised; the walk's part has the query's
/// link_weight.
std::vector<Ranked> follow_links(const SearchRun& run, SearchRun::Candidates& candidates, const IdSet* filter, Store& store);

}  // namespace rag::core
