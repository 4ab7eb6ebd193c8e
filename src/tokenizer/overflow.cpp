#include "tokenizer/overflow.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"

namespace rag::core {
namespace {

class Combiner {
  public:
    explicit Combiner(std::size_t limit) : limit_(limit) {}

    // Merges a part behind `choice`: its first window here, and all its windows with all that overflows.
    void add_part(WindowChoice& choice, std::size_t more) {
        std::vector<WindowChoice> overflowing;
        for (const WindowChoice& one : choice.overflowing) {
            add_part(overflowing.emplace_back(copy(one)), more);
            for (std::size_t i = 1; i <= more; ++i) add_window(overflowing.emplace_back(copy(one)), i);
        }
        for (std::size_t i = 1; i <= more; ++i) add_window(overflowing.emplace_back(copy(choice)), i);
        choice.windows.push_back(0);
        choice.overflowing = std::move(overflowing);
    }

  private:
    static void add_window(WindowChoice& choice, std::size_t window) {
        choice.windows.push_back(static_cast<std::uint32_t>(window));
        for (WindowChoice& one : choice.overflowing) add_window(one, window);
    }
    WindowChoice copy(const WindowChoice& choice) {
        count(choice);
        return choice;
    }
    void count(const WindowChoice& choice) {
        if (++made_ > limit_) {
            fail(Code::kInvalidArgument, "what truncation cut off makes more than {} tokens of overflowing encodings",
                 kMaxOverflowTokens);
        }
        for (const WindowChoice& one : choice.overflowing) count(one);
    }

    std::size_t limit_;
    std::size_t made_ = 0;
};

}  // namespace

WindowChoice combine_windows(const std::vector<std::size_t>& windows, std::size_t limit) {
    Combiner combiner(limit);
    WindowChoice out;
    for (const std::size_t more : windows) combiner.add_part(out, more);
    return out;
}

Encoding join_parts(const std::vector<EncodedPart>& parts, const std::vector<std::uint32_t>& windows, Told told) {
    const auto chosen = [&](std::size_t i) -> const EncodedPart& {
        return windows[i] == 0 ? parts[i] : parts[i].overflowing[windows[i] - 1];
    };
    std::size_t count = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) count += chosen(i).encoding.size();
    Encoding out;
    out.reserve(count);
    std::pair<std::size_t, std::size_t> ranges[2];
    bool has[2] = {false, false};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t begin = out.size();
        out.append(chosen(i).encoding);
        const int sequence = parts[i].sequence;
        if (sequence < 0 || told == Told::kNone || (told == Told::kFirstWindows && windows[i] != 0)) continue;
        ranges[sequence] = {begin, out.size()};
        has[sequence] = true;
    }
    out.one_sequence = !has[0];
    std::fill(out.sequence_ids.begin(), out.sequence_ids.end(), static_cast<std::int8_t>(out.one_sequence ? 0 : -1));
    for (int sequence = 0; sequence < 2 && !out.one_sequence; ++sequence) {
        if (!has[sequence]) continue;
        std::fill(out.sequence_ids.begin() + ranges[sequence].first, out.sequence_ids.begin() + ranges[sequence].second,
                  static_cast<std::int8_t>(sequence));
    }
    return out;
}

}  // namespace rag::core
