#include "generate/evidence_gap.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace rag::core::grounding {

namespace {

constexpr std::size_t kMaxPhraseWords = 4;
constexpr std::size_t kMaxModifiers = 2;

bool is_boundary(const Item& item) {
    return item.kind == ItemKind::kSeparator || item.kind == ItemKind::kBreak;
}

/// Content words; a Han word counts once.
std::size_t count_words(std::span<const Item> gap) {
    return static_cast<std::size_t>(
        std::count_if(gap.begin(), gap.end(), [](const Item& item) { return item.content() && item.word_begin; }));
}

bool is_particle(const Item& item) {
    return item.key == "\u7684";
}  // "de", which binds a modifier

}  // namespace

EvidenceGap::EvidenceGap(const Statement& evidence, const std::vector<std::size_t>& matched)
    : items_(evidence.items), positions_(matched), matched_(evidence.items.size(), false) {
    for (const std::size_t at : matched) matched_[at] = true;
}

bool EvidenceGap::joined(const std::vector<std::size_t>& junctions) const {
    for (std::size_t i = 1; i < positions_.size(); ++i) {
        const bool junction = std::find(junctions.begin(), junctions.end(), positions_[i - 1]) != junctions.end();
        if (!may_skip(positions_[i - 1], positions_[i], junction)) return false;
    }
    return true;
}

bool EvidenceGap::may_skip(std::size_t before, std::size_t after, bool junction) const {
    const std::span<const Item> gap(items_.data() + before + 1, after - before - 1);
    const bool breaks = std::any_of(gap.begin(), gap.end(), [](const Item& item) { return item.kind == ItemKind::kBreak; });
    if (junction && breaks) return false;
    if (count_words(gap) == 0) return true;
    if (is_enclosed(gap)) return true;
    if (breaks || std::any_of(gap.begin(), gap.end(), [](const Item& item) { return item.kind == ItemKind::kGuard; }))
        return false;
    return is_phrase(gap) || is_modifier(items_[before], gap, items_[after]);
}

/// ", a maker of software from Berlin," between commas or brackets.
bool EvidenceGap::is_enclosed(std::span<const Item> gap) const {
    const auto heavy = [](const Item& item) { return item.kind != ItemKind::kLight; };
    const auto first = std::find_if(gap.begin(), gap.end(), heavy);
    const auto last = std::find_if(gap.rbegin(), gap.rend(), heavy);
    if (first == gap.end() || first->kind != ItemKind::kSeparator || last->kind != ItemKind::kSeparator) return false;
    const auto is_one_of = [](const Item& item, std::initializer_list<std::string_view> keys) {
        return std::find(keys.begin(), keys.end(), item.key) != keys.end();
    };
    if (is_one_of(*first, {")", "]", "\uff09"}) || is_one_of(*last, {"(", "[", "\uff08"})) return false;
    return &*first != &*last;
}

/// "in Berlin", "for three years": one phrase of place, time or purpose.
bool EvidenceGap::is_phrase(std::span<const Item> gap) const {
    // A preposition at the end belongs to the matched word behind the gap.
    while (!gap.empty() && !gap.back().content() && gap.size() > 1) gap = gap.first(gap.size() - 1);
    const auto first = std::find_if(gap.begin(), gap.end(), [](const Item& item) { return item.kind != ItemKind::kLight; });
    if (first == gap.end() || first->kind != ItemKind::kTag) return false;
    const bool free = first->tag == Tag::kPlace || first->tag == Tag::kFrom || first->tag == Tag::kFor ||
                      first->tag == Tag::kWith || first->tag == Tag::kThrough;
    const auto tags = std::count_if(gap.begin(), gap.end(), [](const Item& item) { return item.kind == ItemKind::kTag; });
    const bool han = std::any_of(gap.begin(), gap.end(), [](const Item& item) { return item.kind == ItemKind::kHan; });
    return free && tags == 1 && !han && count_words(gap) <= kMaxPhraseWords;
}

/// "lowers [systolic blood] pressure", "Acme [recently] acquired"; in Chinese adverbs of time, and "[famous de] company". Not a
/// noun behind a name: "Acme [adviser] acquired".
bool EvidenceGap::is_modifier(const Item& before, std::span<const Item> gap, const Item& after) const {
    const auto plain = [](const Item& item) {
        return item.kind == ItemKind::kLight || item.kind == ItemKind::kWord || item.kind == ItemKind::kHan;
    };
    if (!std::all_of(gap.begin(), gap.end(), plain) || count_words(gap) > kMaxModifiers) return false;
    const bool adverbs = std::all_of(gap.begin(), gap.end(), [](const Item& item) { return !item.content() || item.adverb; });
    if (adverbs) return true;
    const bool han = std::any_of(gap.begin(), gap.end(), [](const Item& item) { return item.kind == ItemKind::kHan; });
    if (han) return is_particle(gap.back()) && !is_particle(gap.front()) && after.kind == ItemKind::kHan;
    return before.kind == ItemKind::kWord && after.kind == ItemKind::kWord && !before.possessive;
}

bool EvidenceGap::guarded() const {
    if (positions_.empty()) return false;
    for (std::size_t at = 0; at < items_.size(); ++at) {
        if (items_[at].denial && !is_matched(at)) return true;
    }
    for (std::size_t at = positions_.front(); at > 0 && !is_boundary(items_[at - 1]); --at) {
        if (items_[at - 1].kind == ItemKind::kGuard) return true;
    }
    for (std::size_t at = positions_.back() + 1; at < items_.size() && !is_boundary(items_[at]); ++at) {
        if (items_[at].kind == ItemKind::kGuard) return true;
    }
    return false;
}

bool EvidenceGap::whole_names() const {
    return std::none_of(positions_.begin(), positions_.end(),
                        [&](std::size_t at) { return continues_left(at) || continues_right(at); });
}

bool EvidenceGap::continues_left(std::size_t at) const {
    if (at == 0 || is_matched(at - 1)) return false;
    const Item& item = items_[at];
    const Item& left = items_[at - 1];
    if (item.kind == ItemKind::kHan && left.kind == ItemKind::kHan && left.end == item.start) return !item.word_begin;
    if (item.kind == ItemKind::kName) return left.kind == ItemKind::kName;
    return item.kind == ItemKind::kNumber && left.kind == ItemKind::kNumber && left.end + 1 >= item.start;
}

/// An unmatched word directly behind a name or number makes another thing of it ("Beta shares", "5 million"), and so do
/// characters behind a Han word ("Beta company shares"); adverbs do not.
bool EvidenceGap::continues_right(std::size_t at) const {
    if (at + 1 >= items_.size() || is_matched(at + 1)) return false;
    const Item& item = items_[at];
    const Item& right = items_[at + 1];
    // "Beta company de shares" is about the shares.
    if (item.kind == ItemKind::kHan && is_particle(right))
        return at + 2 < items_.size() && items_[at + 2].content() && !is_matched(at + 2);
    if (!right.content() || right.adverb) return false;
    if (item.kind == ItemKind::kHan) return right.end > item.end && right.start == item.end;
    if (item.kind == ItemKind::kName)
        return right.kind == ItemKind::kName || right.kind == ItemKind::kWord || right.kind == ItemKind::kNumber;
    return item.kind == ItemKind::kNumber;
}

}  // namespace rag::core::grounding
