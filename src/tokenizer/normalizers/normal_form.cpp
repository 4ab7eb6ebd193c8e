#include "tokenizer/normalizers/normal_form.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokenizer/unicode/code_points.hpp"
#include "tokenizer/unicode/properties.hpp"

namespace rag::core {
namespace {

using Change = CharText::Change;

void push_decomposed(std::vector<Change>& out, char32_t value, bool compatible) {
    const std::uint16_t bits = unicode::properties(value);
    if ((bits & (compatible ? unicode::kHasNfkd : unicode::kHasNfd)) == 0) {
        out.push_back({value, 0, (bits & unicode::kHasCombiningClass) != 0 ? unicode::combining_class(value) : std::uint8_t{0}});
        return;
    }
    const char32_t syllable = value - unicode::kHangulBase;
    if (syllable < unicode::kHangulCount) {
        const char32_t tail = syllable % unicode::kHangulTCount;
        const char32_t head = syllable / unicode::kHangulTCount;
        out.push_back({unicode::kHangulL + head / unicode::kHangulVCount, 0});
        out.push_back({unicode::kHangulV + head % unicode::kHangulVCount, 1});
        if (tail != 0) out.push_back({unicode::kHangulT + tail, 1});
        return;
    }
    std::int32_t change = 0;
    for (const std::uint32_t part : unicode::decomposition(value, compatible)) {
        out.push_back({part, change, unicode::combining_class(part)});
        change = 1;
    }
}

// Marks between two starters go into the stable order of their classes (Unicode 15, 3.11).
void order_marks(std::vector<Change>& changes) {
    const auto is_mark = [](const Change& change) { return change.order != 0; };
    const auto by_class = [](const Change& a, const Change& b) { return a.order < b.order; };
    for (auto at = changes.begin(); at != changes.end();) {
        at = std::find_if(at, changes.end(), is_mark);
        const auto end = std::find_if_not(at, changes.end(), is_mark);
        if (!std::is_sorted(at, end, by_class)) std::stable_sort(at, end, by_class);
        at = end;
    }
}

// Composes `changes` in place: a mark or a second starter joins the last starter unless a mark of its class or a higher one, or a
// starter, stands between them. The composite keeps the place of its first part and swallows the others.
void compose_changes(std::vector<Change>& changes) {
    constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    std::size_t starter = kNone;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const Change change = changes[i];
        if (starter != kNone) {
            const bool adjacent = kept == starter + 1;
            if (adjacent || changes[kept - 1].order < change.order) {
                const char32_t composite = unicode::compose(changes[starter].value, change.value);
                if (composite != 0) {
                    changes[starter].value = composite;
                    changes[starter].change += change.change - 1;
                    continue;
                }
            }
        }
        if (change.order == 0) starter = kept;
        changes[kept++] = change;
    }
    changes.resize(kept);
}

void make_form(CharText& text, bool compatible, bool composed) {
    text.changes.clear();
    for (const char32_t value : text.values) push_decomposed(text.changes, value, compatible);
    order_marks(text.changes);
    if (composed) compose_changes(text.changes);
    text.transform(text.changes);
}

// Code points that are in NFC wherever they stand among their like: starters that no starter before them absorbs and that compose
// back to themselves. 16 KiB, filled on first use.
class SteadySet {
  public:
    static const SteadySet& instance() {
        static const SteadySet set;
        return set;
    }
    bool contains(char32_t value) const {
        if (value >= kEnd) return (unicode::properties(value) & (unicode::kHasNfd | unicode::kHasCombiningClass)) == 0;
        return (bits_[value / 64] >> (value % 64) & 1U) != 0;
    }

  private:
    static constexpr char32_t kEnd = 0x20000;  // behind it nothing composes

    SteadySet() {
        CharText text;
        for (char32_t value = 0; value < kEnd; ++value) {
            if ((unicode::properties(value) & unicode::kHasCombiningClass) != 0) continue;
            text.clear({});
            text.push(value, {});
            make_form(text, false, true);
            if (text.size() == 1 && text.values[0] == value) bits_[value / 64] |= std::uint64_t{1} << (value % 64);
        }
        for (const std::uint64_t pair : unicode::composition_pairs()) remove(static_cast<char32_t>(pair & 0xFFFFFFFFU));
        for (char32_t i = 0; i < unicode::kHangulVCount; ++i) remove(unicode::kHangulV + i);
        for (char32_t i = 0; i < unicode::kHangulTCount; ++i) remove(unicode::kHangulT + i);
    }
    void remove(char32_t value) { bits_.at(value / 64) &= ~(std::uint64_t{1} << (value % 64)); }

    std::vector<std::uint64_t> bits_ = std::vector<std::uint64_t>(kEnd / 64);
};

}  // namespace

bool NormalFormNormalizer::keeps(std::string_view text) const {
    if (form_ != NormalForm::kNfc) return false;
    const SteadySet& steady = SteadySet::instance();
    for (std::uint32_t at = 0; at < text.size();) {
        if (is_ascii(text[at])) {
            at = ascii_end(text, at);
        } else if (is_common_han(text, at)) {
            at += kHanBytes;
        } else {
            const CodePoint point = code_point_at(text, at);
            if (!steady.contains(point.value)) return false;
            at += point.length;
        }
    }
    return true;
}

void decompose(CharText& text, bool compatible) {
    const std::uint16_t touched =
        static_cast<std::uint16_t>(unicode::kHasCombiningClass | (compatible ? unicode::kHasNfkd : unicode::kHasNfd));
    const auto is_touched = [&](char32_t value) { return (unicode::properties(value) & touched) != 0; };
    if (std::any_of(text.values.begin(), text.values.end(), is_touched)) make_form(text, compatible, false);
}

void NormalFormNormalizer::normalize_run(CharText& text) const {
    switch (form_) {
        case NormalForm::kNfd:
            return decompose(text, false);
        case NormalForm::kNfkd:
            return decompose(text, true);
        case NormalForm::kNfc:
            return make_form(text, false, true);
        case NormalForm::kNfkc:
            return make_form(text, true, true);
    }
}

}  // namespace rag::core
