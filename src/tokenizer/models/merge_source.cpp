#include "tokenizer/models/merge_source.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "core/error.hpp"

namespace rag::core {
namespace {

// Half a million merges of three tokens each are a million and a half visits to places all over the vocabulary, and as many more
// to the table of merges. Each merge goes through four steps, and the memory for the next step is asked for kAhead merges before
// it is taken. What a merge makes is mostly what the one before made, or the token behind that.
class MergeReader {
  public:
    MergeReader(const Vocabulary& vocabulary, MergeRules rules, MergeTable& table)
        : vocabulary_(vocabulary), rules_(rules), table_(table) {}

    void push(std::string_view left, std::string_view right) {
        Waiting& merge = at(count_);
        merge = {left, right, hash_bytes(left), hash_bytes(right), -1, -1, -1};
        vocabulary_.expect(merge.left_hash);
        vocabulary_.expect(merge.right_hash);
        ++count_;
        advance();
    }
    void finish() {
        const std::size_t count = count_;
        while (++count_ < count + 3 * kAhead) advance(count);
    }

  private:
    static constexpr std::size_t kAhead = 12, kRing = 64;
    struct Waiting {
        std::string_view left, right;
        std::uint32_t left_hash, right_hash;
        std::int32_t left_id, right_id, merged;
    };
    Waiting& at(std::size_t index) { return ring_[index % kRing]; }

    /// The later steps of the merges that came before; `end`: of all merges.
    void advance(std::size_t end = static_cast<std::size_t>(-1)) {
        const auto step = [&](std::size_t behind, auto take) {
            if (count_ > behind && count_ - behind - 1 < end) take(count_ - behind - 1);
        };
        step(kAhead, [&](std::size_t i) {
            vocabulary_.expect_text(at(i).left_hash);
            vocabulary_.expect_text(at(i).right_hash);
        });
        step(2 * kAhead, [&](std::size_t i) { find(i); });
        step(3 * kAhead - 1, [&](std::size_t i) { add(at(i)); });
    }
    void find(std::size_t index) {
        Waiting& merge = at(index);
        merge.left_id = vocabulary_.find_id(merge.left, merge.left_hash);
        merge.right_id = vocabulary_.find_id(merge.right, merge.right_hash);
        if (merge.left_id < 0 || merge.right_id < 0) {
            fail(Code::kCorrupt, "merge {} names the token {}, which is not in the vocabulary", index,
                 quote(merge.left_id < 0 ? merge.left : merge.right));
        }
        found_ = merge.merged = find_merged(index, merge.left, merge.right);
        table_.expect(merge.left_id, merge.right_id);
    }
    std::int32_t find_merged(std::size_t index, std::string_view left, std::string_view right) const {
        right.remove_prefix(std::min(rules_.prefix_bytes, right.size()));
        for (const std::int32_t guess : {found_, found_ + 1}) {
            const std::string_view token = vocabulary_.token(guess).value_or(std::string_view());
            if (token.size() != left.size() + right.size() || token.empty()) continue;
            if (token.starts_with(left) && token.ends_with(right) && vocabulary_.has_one_token_an_id()) return guess;
        }
        std::string joined(left);
        joined += right;
        const std::int32_t merged = vocabulary_.find_id(joined);
        if (merged < 0) {
            fail(Code::kCorrupt, "merge {} makes the token {}, which is not in the vocabulary", index, quote(joined));
        }
        return merged;
    }
    void add(const Waiting& merge) {
        if (rules_.rank_by_result && merge.merged == added_) {
            table_.add_alike(merge.left_id, merge.right_id);
        } else {
            table_.add(merge.left_id, merge.right_id, merge.merged);
        }
        added_ = merge.merged;
    }

    const Vocabulary& vocabulary_;
    MergeRules rules_;
    MergeTable& table_;
    std::array<Waiting, kRing> ring_{};
    std::size_t count_ = 0;
    std::int32_t found_ = -1, added_ = -1;  // what the merge before makes, in the third and the fourth step
};

}  // namespace

void add_merges(const MergeSource& merges, const Vocabulary& vocabulary, MergeRules rules, MergeTable& table) {
    table.reserve(merges.count);
    MergeReader reader(vocabulary, rules, table);
    merges.each([&](std::string_view left, std::string_view right) { reader.push(left, right); });
    reader.finish();
}

}  // namespace rag::core
