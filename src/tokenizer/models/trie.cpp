#include "tokenizer/models/trie.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace rag::core {
namespace {
constexpr std::size_t kMaxBytes = std::size_t{32} << 20;  // ten times the largest published vocabulary
}

// Places the children of one node after the other: the first of a few free places where all fit, else the end of the array.
// The number of tries is fixed, so hostile keys cost memory in proportion to their bytes and no more.
class Trie::Builder {
  public:
    explicit Builder(std::vector<std::pair<std::string_view, std::int32_t>> keys) : keys_(std::move(keys)) {
        std::size_t bytes = 0;
        for (const auto& key : keys_) bytes += key.first.size();
        if (bytes > kMaxBytes)
            fail(Code::kUnsupported, "tokens of {} bytes together, more than the {} supported", bytes, kMaxBytes);
        std::stable_sort(keys_.begin(), keys_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    }
    std::vector<Unit> build();

  private:
    struct Task {
        Node node;
        std::size_t begin, end, depth;  // keys_[begin, end) share `depth` bytes that lead to the node
    };
    struct Child {
        unsigned char byte;
        std::size_t begin, end;
    };
    void expand(const Task& task);
    std::uint32_t place();
    void ensure(std::size_t size) {
        if (size > units_.size()) {
            units_.resize(size);
            while (next_free_.size() <= size) next_free_.push_back(static_cast<std::uint32_t>(next_free_.size()));
        }
    }
    // The first free place at or behind `at` (paths are halved on the way, so that long used stretches are crossed in a step).
    std::uint32_t find_free(std::uint32_t at) {
        ensure(at + 1);
        while (next_free_[at] != at) {
            next_free_[at] = next_free_[next_free_[at]];
            at = next_free_[at];
        }
        return at;
    }
    bool fits(std::uint32_t base) const {
        return std::all_of(children_.begin(), children_.end(), [&](const Child& child) {
            const std::size_t at = base + child.byte;
            return at >= units_.size() || (next_free_[at] == at && at != kRoot);
        });
    }

    std::vector<std::pair<std::string_view, std::int32_t>> keys_;
    std::vector<Unit> units_;
    std::vector<std::uint32_t> next_free_;
    std::vector<Child> children_;
    std::vector<Task> tasks_;
    std::uint32_t cursor_ = 256;  // so that no base is negative
    std::uint32_t used_end_ = 256;
};

std::vector<Trie::Unit> Trie::Builder::build() {
    ensure(512);
    tasks_.push_back({kRoot, 0, keys_.size(), 0});
    while (!tasks_.empty()) {
        const Task task = tasks_.back();
        tasks_.pop_back();
        expand(task);
    }
    ensure(static_cast<std::size_t>(used_end_) +
           256);  // step() never leaves the array; a leaf steps into the first 256, nobody's
    return std::move(units_);
}

void Trie::Builder::expand(const Task& task) {
    std::size_t at = task.begin;
    while (at < task.end && keys_[at].first.size() == task.depth) {
        if (units_[task.node].value < 0) units_[task.node].value = keys_[at].second;
        ++at;
    }
    children_.clear();
    while (at < task.end) {
        const char byte = keys_[at].first[task.depth];
        const std::size_t begin = at;
        while (at < task.end && keys_[at].first[task.depth] == byte) ++at;
        children_.push_back({static_cast<unsigned char>(byte), begin, at});
    }
    if (children_.empty()) return;
    const std::uint32_t base = place();
    units_[task.node].base = base;
    for (const Child& child : children_) {
        const std::uint32_t node = base + child.byte;
        units_[node].check = task.node;
        next_free_[node] = node + 1;
        used_end_ = std::max(used_end_, node + 1);
        tasks_.push_back({node, child.begin, child.end, task.depth + 1});
    }
}

std::uint32_t Trie::Builder::place() {
    constexpr int kTries = 32;
    const std::uint32_t first = children_.front().byte;
    std::uint32_t at = find_free(cursor_);
    for (int i = 0; i < kTries; ++i) {
        const std::uint32_t base = at - first;  // at >= 256 > first
        ensure(static_cast<std::size_t>(base) + 257);
        if (fits(base)) return base;
        at = find_free(at + 1);
    }
    if (children_.size() < 8) cursor_ = at;  // leave the holes behind that even small nodes do not fit
    const std::uint32_t base = std::max(used_end_, cursor_);
    ensure(static_cast<std::size_t>(base) + 257);
    return base;
}

Trie::Trie(std::vector<std::pair<std::string_view, std::int32_t>> keys) : units_(Builder(std::move(keys)).build()) {}

}  // namespace rag::core
