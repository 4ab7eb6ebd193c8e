#include "tokenizer/models/trie.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace rag::core {
namespace {
constexpr std::size_t kMaxBytes = std::size_t{32} << 20;  // ten times the largest published vocabulary
}

// Places the children of one node after the other: the first of a few free places where all fit, else the end of the array.
// The number of tries is fixed, so hostile keys cost memory in proportion to their bytes and no more.
class Trie::Builder {
  public:
    explicit Builder(const std::vector<std::pair<std::string_view, std::int32_t>>& keys) {
        std::size_t bytes = 0;
        for (const auto& key : keys) bytes += key.first.size();
        if (bytes > kMaxBytes)
            fail(Code::kUnsupported, "tokens of {} bytes together, more than the {} supported", bytes, kMaxBytes);
        sort(keys, bytes);
    }
    std::vector<Unit> build();

  private:
    struct Key {
        std::uint32_t start;  // in bytes_; it ends where the next one starts
        std::int32_t value;
    };
    std::string_view text(std::size_t key) const {
        return std::string_view(bytes_).substr(keys_[key].start, keys_[key + 1].start - keys_[key].start);
    }
    std::size_t count_nodes() const;
    struct Order {
        std::uint64_t prefix;
        std::uint32_t index;
    };
    static std::uint64_t prefix_of(std::string_view key) {
        std::uint64_t prefix = 0;
        for (std::size_t at = 0; at < 8; ++at) {
            prefix = (prefix << 8) | (at < key.size() ? static_cast<unsigned char>(key[at]) : 0U);
        }
        return prefix;
    }
    void sort(const std::vector<std::pair<std::string_view, std::int32_t>>& keys, std::size_t bytes);
    struct Task {
        Node node;
        std::size_t begin, end, depth;  // keys_[begin, end) share `depth` bytes that lead to the node
    };
    struct Child {
        unsigned char byte;
        std::size_t begin, end;
    };
    void expand(const Task& task);
    void expand_chain(const Task& task);
    std::uint32_t place();
    void ensure(std::size_t size) {
        if (size <= units_.size()) return;
        if (!units_.empty()) size += size / 2;
        units_.resize(size);
        std::size_t next = next_free_.size();
        next_free_.resize(size + 1);
        for (; next <= size; ++next) next_free_[next] = static_cast<std::uint32_t>(next);
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

    std::string bytes_;      // of the keys, in their order, so that going through them is going through memory
    std::vector<Key> keys_;  // sorted, of equal ones the first given first; and one behind the last
    std::vector<Unit> units_;
    std::vector<std::uint32_t> next_free_;
    std::vector<Child> children_;
    std::vector<Task> tasks_;
    std::uint32_t cursor_ = 256;  // so that no base is negative
    std::uint32_t used_end_ = 256;
};

// By the first eight bytes as a number, digit by digit from the last one (radix sort, which is stable); what is equal so far, by
// the keys themselves.
void Trie::Builder::sort(const std::vector<std::pair<std::string_view, std::int32_t>>& keys, std::size_t bytes) {
    std::vector<Order> order(keys.size()), other(keys.size());
    std::array<std::array<std::uint32_t, 256>, 8> counts{};
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
        const std::uint64_t prefix = prefix_of(keys[i].first);
        order[i] = {prefix, i};
        for (unsigned digit = 0; digit < 8; ++digit) ++counts[digit][prefix >> (8 * digit) & 0xFF];
    }
    for (unsigned digit = 0; digit < 8; ++digit) {
        std::uint32_t begin = 0;
        for (std::uint32_t& count : counts[digit]) begin += std::exchange(count, begin);
        for (const Order& entry : order) other[counts[digit][entry.prefix >> (8 * digit) & 0xFF]++] = entry;
        order.swap(other);
    }
    for (auto begin = order.begin(); begin != order.end();) {
        const auto end = std::find_if(begin, order.end(), [&](const Order& entry) { return entry.prefix != begin->prefix; });
        if (end - begin > 1) {
            std::stable_sort(begin, end,
                             [&](const Order& a, const Order& b) { return keys[a.index].first < keys[b.index].first; });
        }
        begin = end;
    }
    bytes_.reserve(bytes);
    keys_.reserve(keys.size() + 1);
    for (const Order& entry : order) {
        const auto& [key, value] = keys[entry.index];
        keys_.push_back({static_cast<std::uint32_t>(bytes_.size()), value});
        bytes_ += key;
    }
    keys_.push_back({static_cast<std::uint32_t>(bytes_.size()), 0});
}

// One for each byte of a key that it does not share with the key before it.
std::size_t Trie::Builder::count_nodes() const {
    std::size_t count = 1;
    std::string_view before;
    for (std::size_t i = 0; i + 1 < keys_.size(); ++i) {
        const std::string_view key = text(i);
        const std::size_t most = std::min(key.size(), before.size());
        std::size_t shared = 0;
        while (shared < most && key[shared] == before[shared]) ++shared;
        count += key.size() - shared;
        before = key;
    }
    return count;
}

std::vector<Trie::Unit> Trie::Builder::build() {
    const std::size_t nodes = count_nodes();
    ensure(1024 + nodes + nodes / 32);  // few holes are left
    tasks_.push_back({kRoot, 0, keys_.size() - 1, 0});
    while (!tasks_.empty()) {
        const Task task = tasks_.back();
        tasks_.pop_back();
        expand(task);
    }
    // step() never leaves the array; a leaf steps into the first 256, nobody's.
    ensure(static_cast<std::size_t>(used_end_) + 256);
    units_.resize(static_cast<std::size_t>(used_end_) + 256);
    return std::move(units_);
}

// The rest of one key: two of three nodes of a vocabulary, each with one child, which fits into any free place.
void Trie::Builder::expand_chain(const Task& task) {
    const std::string_view key = text(task.begin);
    Node node = task.node;
    for (std::size_t depth = task.depth; depth < key.size(); ++depth) {
        const Node next = find_free(cursor_);  // at least 256
        ensure(static_cast<std::size_t>(next) + 1);
        units_[node].base = next - static_cast<unsigned char>(key[depth]);
        units_[next].check = node;
        next_free_[next] = next + 1;
        used_end_ = std::max(used_end_, next + 1);
        node = next;
    }
    if (units_[node].value < 0) units_[node].value = keys_[task.begin].value;
}

void Trie::Builder::expand(const Task& task) {
    if (task.end - task.begin == 1) return expand_chain(task);
    std::size_t at = task.begin;
    while (at < task.end && text(at).size() == task.depth) {
        if (units_[task.node].value < 0) units_[task.node].value = keys_[at].value;
        ++at;
    }
    children_.clear();
    while (at < task.end) {
        const auto byte_of = [&](std::size_t key) { return bytes_[keys_[key].start + task.depth]; };
        const char byte = byte_of(at);
        const std::size_t begin = at;
        while (at < task.end && byte_of(at) == byte) ++at;
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

Trie::Trie(const std::vector<std::pair<std::string_view, std::int32_t>>& keys) : units_(Builder(keys).build()) {}

}  // namespace rag::core
