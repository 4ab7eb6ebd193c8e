// The settings of a knowledge base's BM25 index, kept in the database as JSON under "bm25": how words are cut and weighed belongs
// to the base, so that every process that opens it finds the same. The index itself is derived: other settings cost building it
// again. Thread rule: plain functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "index/bm25/bm25_index.hpp"
#include "store/store.hpp"

namespace rag::core {

inline constexpr std::string_view kBm25Meta = "bm25";

std::string write_bm25_settings(const Bm25Options& options);
/// kCorrupt for what is no settings, or none that an index takes; `name` is for messages.
Bm25Options parse_bm25_settings(std::string_view json, std::string_view name);

/// What holds: the base's own, or the defaults. What is `given` and differs becomes the base's own, where this engine writes; a
/// reader's is kInvalidArgument, which names both. kInvalidArgument: an option outside what it may be.
Bm25Options settle_bm25_settings(Store& store, const std::optional<Bm25Options>& given);

}  // namespace rag::core
