#include "generate/local_alignment.hpp"

#include <algorithm>

namespace rag::core::grounding {

namespace {

constexpr double kSkipEvidence = 0.1;  // per content item of the evidence that is passed over: prefers compact matches
constexpr double kSkipClaim = 0.6;     // part of an item's weight that leaving it out costs
constexpr int kMaxBlocks = 6;

class Aligner {
  public:
    Aligner(const Statement& claim, const Statement& evidence, const ItemWeight& weight) : claim_(claim), evidence_(evidence) {
        for (std::size_t i = 0; i < claim.items.size(); ++i) {
            if (!claim.items[i].content()) continue;
            out_.claim.push_back(i);
            weights_.push_back(weight(claim.items[i]));
        }
        for (std::size_t i = 0; i < evidence.items.size(); ++i) {
            if (evidence.items[i].content()) content_.push_back(i);
        }
        out_.evidence.assign(out_.claim.size(), kUnmatched);
        used_.assign(content_.size(), false);
    }

    Matching run() {
        for (int block = 0; block < kMaxBlocks; ++block) {
            bool found = false;
            for (std::size_t begin = 0; begin < out_.claim.size();) {
                std::size_t end = begin;
                while (end < out_.claim.size() && out_.evidence[end] == kUnmatched) ++end;
                if (end > begin) found = align(begin, end) || found;
                begin = end + 1;
            }
            if (!found) break;
        }
        return std::move(out_);
    }

  private:
    /// The best local alignment of claim items [begin, end) with what is free of the evidence; false if there is none.
    bool align(std::size_t begin, std::size_t end) {
        const std::size_t rows = end - begin + 1;
        const std::size_t columns = content_.size() + 1;
        std::vector<double> score(rows * columns, 0.0);
        std::size_t best = 0;
        for (std::size_t i = 1; i < rows; ++i) {
            const double weight = weights_[begin + i - 1];
            for (std::size_t j = 1; j < columns; ++j) {
                double value = std::max(
                    {0.0, score[(i - 1) * columns + j] - kSkipClaim * weight, score[i * columns + j - 1] - kSkipEvidence});
                if (matches(begin + i - 1, j - 1)) value = std::max(value, score[(i - 1) * columns + j - 1] + weight);
                score[i * columns + j] = value;
                if (value > score[best]) best = i * columns + j;
            }
        }
        if (score[best] <= 0) return false;
        trace_back(score, columns, best, begin);
        return true;
    }

    void trace_back(const std::vector<double>& score, std::size_t columns, std::size_t at, std::size_t begin) {
        while (score[at] > 0) {
            const std::size_t i = at / columns;
            const std::size_t j = at % columns;
            const double weight = weights_[begin + i - 1];
            if (matches(begin + i - 1, j - 1) && score[at] == score[at - columns - 1] + weight) {
                out_.evidence[begin + i - 1] = content_[j - 1];
                used_[j - 1] = true;
                at -= columns + 1;
            } else if (score[at] == score[at - 1] - kSkipEvidence) {
                at -= 1;
            } else {
                at -= columns;
            }
        }
    }

    bool matches(std::size_t claim, std::size_t evidence) const {
        return !used_[evidence] && same_item(claim_.items[out_.claim[claim]], evidence_.items[content_[evidence]]);
    }

    const Statement& claim_;
    const Statement& evidence_;
    std::vector<double> weights_;
    std::vector<std::size_t> content_;
    std::vector<bool> used_;
    Matching out_;
};

}  // namespace

bool same_item(const Item& claim, const Item& evidence) {
    if (claim.kind == ItemKind::kName) return evidence.kind != ItemKind::kNumber && claim.surface == evidence.surface;
    if ((claim.kind == ItemKind::kNumber) != (evidence.kind == ItemKind::kNumber)) return false;
    return claim.key == evidence.key;
}

Matching match_items(const Statement& claim, const Statement& evidence, const ItemWeight& weight) {
    return Aligner(claim, evidence, weight).run();
}

}  // namespace rag::core::grounding
