#include "engine/metric_setting.hpp"

#include <array>
#include <string>

#include "core/error.hpp"
#include "store/schema.hpp"

namespace rag::core {
namespace {

constexpr std::string_view kMetricMeta = "metric";
constexpr std::array<std::string_view, 3> kNames = {"cosine", "ip", "l2"};  // in the order of Metric

std::optional<Metric> find_metric(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == name) return static_cast<Metric>(i);
    }
    return std::nullopt;
}

}  // namespace

std::string_view name_of(Metric metric) {
    return kNames.at(static_cast<std::size_t>(metric));
}

Metric metric_of(std::string_view name, std::string_view where) {
    const auto metric = find_metric(name);
    if (!metric) fail(Code::kInvalidArgument, "the metric of {} is {}, it must be cosine, ip or l2", where, quote(name, 80));
    return *metric;
}

std::optional<Metric> told_metric(StoreView& view) {
    const auto name = view.meta(kMetricMeta);
    if (!name) return std::nullopt;
    const auto metric = find_metric(*name);
    if (!metric) fail(Code::kCorrupt, "the knowledge base is damaged: its metric is {}", quote(*name, 80));
    return metric;
}

Metric stored_metric(StoreView& view) {
    return told_metric(view).value_or(Metric::kCosine);
}

bool metric_is_settled(StoreView& view) {
    return view.meta("dimension").has_value();
}

void store_metric(WriteTransaction& transaction, Metric metric) {
    transaction.set_meta(kMetricMeta, name_of(metric));
    transaction.set_format(metric == Metric::kCosine ? kFormatVersion : kMetricFormat);
}

void settle_metric(Store& store, std::optional<Metric> given) {
    if (!given) return;
    {
        auto view = store.read();
        const auto told = told_metric(view);
        const Metric own = told.value_or(Metric::kCosine);
        const bool settled = metric_is_settled(view);
        if (*given == own && (told || settled || store.read_only())) return;
        if (settled && view.counts().embeddings == 0) {
            fail(Code::kInvalidArgument,
                 "{} has no vectors any more, but keeps the metric they were compared by, {}; {} is asked for: make a new "
                 "knowledge base with that metric",
                 quote(store.name(), 400), name_of(own), name_of(*given));
        }
        if (settled) {
            fail(Code::kInvalidArgument,
                 "the vectors of {} are compared by {}, {} is asked for: export it and import it into a new knowledge base with "
                 "that metric",
                 quote(store.name(), 400), name_of(own), name_of(*given));
        }
        if (store.read_only()) {
            fail(Code::kInvalidArgument,
                 "{} has the metric {}, {} is asked for: only a writer chooses it, before the first vector",
                 quote(store.name(), 400), name_of(own), name_of(*given));
        }
    }
    auto transaction = store.write();
    store_metric(transaction, *given);
    transaction.commit();
}

}  // namespace rag::core
