// Texts of some tokens of an encoding, by their place in it, in order. All of them are in one piece of memory: an encoding of
// Chinese text by a Western vocabulary has one for every word. A value; belongs to the caller.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rag::core {

class TokenTexts {
  public:
    /// Behind those that are there; `index` is not below theirs.
    void emplace_back(std::size_t index, std::string_view text) {
        bytes_ += text;
        entries_.push_back({index, bytes_.size()});
    }
    /// For `count` more texts, of `bytes` together.
    void reserve(std::size_t count, std::size_t bytes) {
        if (count == 0) return;
        grow(entries_, count);
        grow(bytes_, bytes);
    }
    std::size_t size() const noexcept { return entries_.size(); }
    /// Place in the encoding, and text. Valid until the next change.
    std::pair<std::size_t, std::string_view> operator[](std::size_t number) const noexcept {
        const std::size_t start = number == 0 ? 0 : entries_[number - 1].end;
        return {entries_[number].index, std::string_view(bytes_).substr(start, entries_[number].end - start)};
    }
    /// The number of the first one whose place is at or behind `index`.
    std::size_t lower_bound(std::size_t index) const noexcept {
        const auto at = std::lower_bound(entries_.begin(), entries_.end(), index,
                                         [](const Entry& left, std::size_t wanted) { return left.index < wanted; });
        return static_cast<std::size_t>(at - entries_.begin());
    }
    std::optional<std::string_view> find(std::size_t index) const noexcept {
        const std::size_t number = lower_bound(index);
        if (number == size() || entries_[number].index != index) return std::nullopt;
        return (*this)[number].second;
    }
    /// Those of the places [first, first + count), counted from `first`.
    TokenTexts slice(std::size_t first, std::size_t count) const {
        TokenTexts out;
        for (std::size_t i = lower_bound(first); i < size() && entries_[i].index - first < count; ++i) {
            out.emplace_back(entries_[i].index - first, (*this)[i].second);
        }
        return out;
    }
    /// Those of another encoding, which goes behind the first `size` tokens of this one.
    void append(const TokenTexts& other, std::size_t size) {
        for (std::size_t i = 0; i < other.size(); ++i) emplace_back(size + other.entries_[i].index, other[i].second);
    }
    void clear() noexcept {
        bytes_.clear();
        entries_.clear();
    }

  private:
    struct Entry {
        std::size_t index, end;  // of the token; of its text, in bytes_
    };
    // At least twice what there is where that is too small, so that many reserve() are linear.
    template <typename Container>
    static void grow(Container& container, std::size_t more) {
        const std::size_t wanted = container.size() + more;
        if (wanted > container.capacity()) container.reserve(std::max(wanted, 2 * container.size()));
    }

    std::string bytes_;
    std::vector<Entry> entries_;
};

}  // namespace rag::core
