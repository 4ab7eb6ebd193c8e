// Texts as ids, and several of them laid end to end as a backend takes them. Values; thread-safe as values are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/backend.hpp"

namespace rag::core {

struct TokenText {
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> type_ids;  // empty: all 0
    std::int64_t unpooled = 0;           // so many first tokens have no part in the pooling; the same for all of a batch
};

class PackedTexts {
  public:
    void add(const TokenText& text) { add(text.ids, text.type_ids, text.unpooled); }
    void add(std::span<const std::int32_t> ids, std::span<const std::int32_t> type_ids = {}, std::int64_t unpooled = 0) {
        if (!type_ids.empty()) type_ids_.resize(ids_.size(), 0);
        ids_.insert(ids_.end(), ids.begin(), ids.end());
        type_ids_.insert(type_ids_.end(), type_ids.begin(), type_ids.end());
        if (!type_ids_.empty()) type_ids_.resize(ids_.size(), 0);
        offsets_.push_back(static_cast<std::int64_t>(ids_.size()));
        unpooled_ = unpooled;
    }
    std::size_t count() const noexcept { return offsets_.size() - 1; }
    std::size_t tokens() const noexcept { return ids_.size(); }
    TokenBatch view() const noexcept { return {ids_, type_ids_, offsets_, unpooled_}; }

  private:
    std::vector<std::int32_t> ids_, type_ids_;
    std::vector<std::int64_t> offsets_ = {0};
    std::int64_t unpooled_ = 0;
};

}  // namespace rag::core
