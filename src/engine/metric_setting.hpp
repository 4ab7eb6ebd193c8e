// How the vectors of a knowledge base are compared: cosine, inner product, or Euclidean distance. The metric belongs to the base,
// is kept in its database under "metric", and can be chosen until the first vector is stored: vectors that were taken, made and
// indexed for one metric mean something else under another. A base that says none has cosine, as all had before there was a
// choice. Thread rule: plain functions.
#pragma once

#include <optional>
#include <string_view>

#include "index/vector/rows.hpp"
#include "store/store.hpp"

namespace rag::core {

/// "cosine", "ip", "l2".
std::string_view name_of(Metric metric);
/// kInvalidArgument names what is none, and `where` it stands.
Metric metric_of(std::string_view name, std::string_view where);

/// What the base says; nothing where nobody ever chose. kCorrupt for what is no metric.
std::optional<Metric> told_metric(StoreView& view);
/// What holds.
Metric stored_metric(StoreView& view);
/// Whether the metric can be chosen no more.
bool metric_is_settled(StoreView& view);
/// For a base without vectors. With another metric than cosine its format becomes kMetricFormat, which an older librag refuses
/// instead of comparing by cosine.
void store_metric(WriteTransaction& transaction, Metric metric);

/// What is `given` at opening becomes the base's, where it has no vectors and this engine writes. kInvalidArgument names both
/// where it is another than that of the base.
void settle_metric(Store& store, std::optional<Metric> given);

}  // namespace rag::core
