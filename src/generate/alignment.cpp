#include "generate/alignment.hpp"

#include <algorithm>

#include "generate/evidence_gap.hpp"
#include "generate/local_alignment.hpp"

namespace rag::core::grounding {

namespace {

constexpr std::size_t kMaxItems = 600;  // longer "sentences" are tables or code: not compared

/// Phrases under these may stand before or after what they belong to.
bool may_move(Tag tag) {
    switch (tag) {
        case Tag::kPlace:
        case Tag::kFrom:
        case Tag::kBefore:
        case Tag::kAfter:
        case Tag::kFor:
        case Tag::kWith:
        case Tag::kThrough:
        case Tag::kBecause:
        case Tag::kWhen:
        case Tag::kAlthough:
        case Tag::kBetween:
        case Tag::kUnder:
        case Tag::kOver:
            return true;
        default:
            return false;
    }
}

class Judge {
  public:
    Judge(const Statement& claim, const Statement& evidence, const ItemWeight& weight, const AlignmentOptions& options)
        : claim_(claim), evidence_(evidence), weight_(weight), options_(options) {}

    Alignment run() {
        if (claim_.items.size() > kMaxItems || evidence_.items.size() > kMaxItems) return out_;
        if (!enough()) return decide(Verdict::kTooLittle);
        matching_ = match_items(claim_, evidence_, weight_);
        measure();
        if (!covered()) return decide(Verdict::kNotCovered);
        if (evidence_.question) return decide(Verdict::kQuestion);
        if (!same_government()) return decide(Verdict::kPreposition);
        if (!same_order()) return decide(Verdict::kOrder);
        const EvidenceGap gap(evidence_, positions_);
        if (!gap.joined(junctions_)) return decide(Verdict::kGap);
        if (gap.guarded()) return decide(Verdict::kPolarity);
        if (!gap.whole_names()) return decide(Verdict::kPartOfName);
        return decide(Verdict::kSupported);
    }

  private:
    Alignment decide(Verdict verdict) {
        out_.verdict = verdict;
        return out_;
    }

    const Item& claimed(std::size_t i) const { return claim_.items[matching_.claim[i]]; }
    const Item& found(std::size_t i) const { return evidence_.items[matching_.evidence[i]]; }

    /// Two words, or four characters: less cannot be told from chance.
    bool enough() const {
        std::size_t words = 0;
        std::size_t characters = 0;
        for (const Item& item : claim_.items) {
            if (!item.content()) continue;
            const bool han =
                item.kind == ItemKind::kHan || static_cast<unsigned char>(item.key.empty() ? 0 : item.key.front()) >= 0xe3U;
            (han ? characters : words) += 1;
        }
        return 2 * words + characters >= 4;
    }

    /// Coverage, window, and the matched positions in the order of the evidence.
    void measure() {
        double all = 0;
        double matched = 0;
        for (std::size_t i = 0; i < matching_.claim.size(); ++i) {
            const double weight = weight_(claimed(i));
            all += weight;
            if (matching_.evidence[i] == kUnmatched) continue;
            matched += weight;
            positions_.push_back(matching_.evidence[i]);
        }
        out_.coverage = all > 0 ? matched / all : 0;
        std::sort(positions_.begin(), positions_.end());
        if (positions_.empty()) return;
        double window = 0;
        for (std::size_t i = positions_.front(); i <= positions_.back(); ++i) {
            if (evidence_.items[i].content()) window += weight_(evidence_.items[i]);
        }
        out_.compactness = window > 0 ? std::min(1.0, matched / window) : 0;
        // Turned round passives are out of order in the text.
        out_.start = evidence_.items[positions_.front()].start;
        for (const std::size_t at : positions_) {
            out_.start = std::min(out_.start, evidence_.items[at].start);
            out_.end = std::max(out_.end, evidence_.items[at].end);
        }
    }

    bool covered() const {
        if (out_.coverage < options_.min_coverage - 1e-9) return false;
        for (std::size_t i = 0; i < matching_.claim.size(); ++i) {
            if (matching_.evidence[i] != kUnmatched) continue;
            if (claimed(i).kind != ItemKind::kWord || i == 0 || i + 1 == matching_.claim.size()) return false;
            // An extra word is tolerated, a word in place of another is not: nothing may be left over between its neighbours.
            const std::size_t left = matching_.evidence[i - 1];
            const std::size_t right = matching_.evidence[i + 1];
            if (left == kUnmatched || right == kUnmatched || right < left) return false;
            for (std::size_t at = left + 1; at < right; ++at) {
                if (evidence_.items[at].content()) return false;
            }
        }
        return true;
    }

    bool same_government() const {
        for (std::size_t i = 0; i < matching_.claim.size(); ++i) {
            if (matching_.evidence[i] == kUnmatched) continue;
            const Item& ours = claimed(i);
            const Item& theirs = found(i);
            const bool bound = ours.head || theirs.head || ours.kind == ItemKind::kName || ours.kind == ItemKind::kNumber;
            if (bound && ours.tag != theirs.tag && !both_of_time(ours, theirs)) return false;
            if (ours.possessive != theirs.possessive) return false;
            if (ours.after_be != theirs.after_be && ours.kind == ItemKind::kWord && !apart(matching_.evidence[i], ours.after_be))
                return false;
        }
        return true;
    }

    /// Chinese dates stand with and without "in".
    static bool both_of_time(const Item& a, const Item& b) {
        const auto loose = [](Tag tag) { return tag == Tag::kNone || tag == Tag::kPlace; };
        return a.kind == ItemKind::kNumber && b.kind == ItemKind::kNumber && loose(a.tag) && loose(b.tag) &&
               a.key.size() == 4;  // a year
    }

    /// "Acme, based in Berlin" may stand for "Acme is based in Berlin": a comma is between.
    bool apart(std::size_t at, bool claim_has_be) const {
        return claim_has_be && at > 0 && evidence_.items[at - 1].kind == ItemKind::kSeparator;
    }

    /// Increasing positions in the evidence, but for one or two phrases that may move.
    bool same_order() {
        std::vector<std::size_t> order;
        std::vector<std::size_t> index;  // of the claim's content items that are matched
        for (std::size_t i = 0; i < matching_.claim.size(); ++i) {
            if (matching_.evidence[i] == kUnmatched) continue;
            order.push_back(matching_.evidence[i]);
            index.push_back(i);
        }
        std::vector<bool> moved(order.size(), false);
        return order_without(order, index, moved, 2);
    }

    bool order_without(const std::vector<std::size_t>& order, const std::vector<std::size_t>& index, std::vector<bool>& moved,
                       int left) {
        if (increasing(order, moved)) {
            note_junctions(order, moved);
            return true;
        }
        if (left == 0 || order.size() > 80) return false;
        for (std::size_t begin = 0; begin < order.size(); ++begin) {
            if (moved[begin] || !movable(index[begin])) continue;
            for (std::size_t end = begin; end < order.size() && !moved[end] && (end == begin || order[end] > order[end - 1]);
                 ++end) {
                if (end > begin && claimed(index[end]).head && !movable(index[end])) break;
                moved[end] = true;
                if (end + 1 < order.size() && mid_word(index[end], index[end + 1])) continue;
                if (order_without(order, index, moved, left - 1)) return true;
            }
            std::fill(moved.begin() + static_cast<std::ptrdiff_t>(begin), moved.end(), false);
        }
        return false;
    }

    bool mid_word(std::size_t a, std::size_t b) const {
        return claimed(a).kind == ItemKind::kHan && claimed(b).kind == ItemKind::kHan && !claimed(a).word_end;
    }

    /// A phrase with the same preposition on both sides, or a year.
    bool movable(std::size_t i) const {
        const Item& ours = claimed(i);
        const Item& theirs = found(i);
        if (ours.head && theirs.head && ours.tag == theirs.tag && may_move(ours.tag)) return true;
        return ours.kind == ItemKind::kNumber && both_of_time(ours, theirs) && followed_by_date(matching_.evidence[i]);
    }

    /// A number before the characters for year, month or day.
    bool followed_by_date(std::size_t at) const {
        if (at + 1 >= evidence_.items.size()) return false;
        const std::string& next = evidence_.items[at + 1].key;
        return next == "\u5e74" || next == "\u6708" || next == "\u65e5";
    }

    static bool increasing(const std::vector<std::size_t>& order, const std::vector<bool>& moved) {
        std::size_t last = 0;
        bool any = false;
        for (std::size_t i = 0; i < order.size(); ++i) {
            if (moved[i]) continue;
            if (any && order[i] <= last) return false;
            last = order[i];
            any = true;
        }
        return any;
    }

    /// Where, in the order of the evidence, a moved phrase touches the rest.
    void note_junctions(const std::vector<std::size_t>& order, const std::vector<bool>& moved) {
        std::vector<std::pair<std::size_t, bool>> sorted;
        for (std::size_t i = 0; i < order.size(); ++i) sorted.emplace_back(order[i], moved[i]);
        std::sort(sorted.begin(), sorted.end());
        for (std::size_t i = 1; i < sorted.size(); ++i) {
            if (sorted[i].second != sorted[i - 1].second) junctions_.push_back(sorted[i - 1].first);
        }
    }

    const Statement& claim_;
    const Statement& evidence_;
    const ItemWeight& weight_;
    const AlignmentOptions& options_;
    Matching matching_;
    std::vector<std::size_t> positions_;
    std::vector<std::size_t> junctions_;
    Alignment out_;
};

}  // namespace

Alignment align(const Statement& claim, const Statement& evidence, const ItemWeight& weight, const AlignmentOptions& options) {
    Alignment best = Judge(claim, evidence, weight, options).run();
    if (best.verdict == Verdict::kSupported || best.verdict == Verdict::kNotCovered || best.verdict == Verdict::kTooLittle)
        return best;
    Statement turned;
    if (undo_passive(evidence, turned)) {
        const Alignment other = Judge(claim, turned, weight, options).run();
        if (other.verdict == Verdict::kSupported) return other;
    }
    if (undo_passive(claim, turned)) {
        const Alignment other = Judge(turned, evidence, weight, options).run();
        if (other.verdict == Verdict::kSupported) return other;
    }
    return best;
}

}  // namespace rag::core::grounding
