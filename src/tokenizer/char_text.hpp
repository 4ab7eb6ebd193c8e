// Text as code points while normalizers rewrite it, each with the bytes of the source that it came from. The rules for those
// bytes are Hugging Face's (NormalizedString): what replaces a character takes its place, what is inserted shares the place of
// the character before it, what is removed leaves its place to nobody. Scratch of one encode call; not for storage.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rag::core {

/// Bytes [start, end) of the text that was given to the tokenizer.
struct Alignment {
    std::uint32_t start = 0, end = 0;
    bool operator==(const Alignment&) const = default;
};

class CharText {
  public:
    /// One character of a rewritten text: replaces the next old character (change 0), replaces it and swallows -change further
    /// ones (change < 0), or is new (change > 0).
    struct Change {
        char32_t value;
        std::int32_t change;
        std::uint8_t order = 0;  // combining class, while a normal form is being made
    };

    /// Starts over; `before` is the place that an insertion at the very beginning shares.
    void clear(Alignment before) {
        values.clear();
        places.clear();
        before_ = before;
    }
    void push(char32_t value, Alignment place) {
        values.push_back(value);
        places.push_back(place);
    }
    std::size_t size() const noexcept { return values.size(); }

    /// Replaces everything by `changes`, in order.
    void transform(std::span<const Change> changes);

    /// Keeps the characters for which keep(value) holds.
    template <typename Keep>
    void filter(Keep keep) {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (!keep(values[i])) continue;
            values[kept] = values[i];
            places[kept++] = places[i];
        }
        values.resize(kept);
        places.resize(kept);
    }

    std::vector<char32_t> values;
    std::vector<Alignment> places;  // as many as values
    std::vector<Change> changes;    // scratch for the passes

  private:
    Alignment before_;
    std::vector<Alignment> old_places_;
};

}  // namespace rag::core
