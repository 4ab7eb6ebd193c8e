#include "tokenizer/normalizers/precompiled.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "tokenizer/normalized_text.hpp"
#include "tokenizer/unicode/code_points.hpp"
#include "tokenizer/unicode/graphemes.hpp"

namespace rag::core {
namespace {

constexpr std::uint32_t kLookedUpWhole = 6;  // bytes from which on a cluster is not

// Calls visit(part, replacement) for every part of `cluster` that is looked up as one; a replacement is absent where the part
// stays.
template <typename Visit>
void visit_cluster(const CharsMap& map, std::string_view text, std::uint32_t start, std::uint32_t end, Visit visit) {
    if (end - start < kLookedUpWhole) {
        const auto found = map.find_shortest(text.substr(start, end - start));
        if (found || start + code_point_at(text, start).length == end) return visit(end, found);
    }
    while (start < end) {
        const std::uint32_t next = start + code_point_at(text, start).length;
        visit(next, map.find_shortest(text.substr(start, next - start)));
        start = next;
    }
}

}  // namespace

Precompiled::Precompiled(CharsMap map) : map_(std::move(map)), keeps_{}, keeps_han_(true) {
    for (unsigned byte = kHanLeadFirst; byte <= kHanLeadLast; ++byte) {
        keeps_han_ = keeps_han_ && !map_.may_begin(static_cast<unsigned char>(byte));
    }
    for (std::size_t i = 0; i < keeps_.size(); ++i) {
        const char character = static_cast<char>(i);
        keeps_[i] = !map_.find_shortest({&character, 1});
    }
}

void Precompiled::normalize_by_definition(NormalizedText& text) const {
    const std::string_view old = text.text();
    const auto size = static_cast<std::uint32_t>(old.size());
    CharText& chars = text.chars();
    TextRewrite rewrite(text);
    chars.clear(rewrite.place_before(0));
    chars.changes.clear();
    bool changed = false;
    std::uint32_t at = 0;
    const auto visit = [&](std::uint32_t end, std::optional<std::string_view> replacement) {
        const std::size_t chars_before = chars.size();
        for (std::uint32_t i = at; i < end;) {
            const CodePoint point = code_point_at(old, i);
            chars.push(point.value, rewrite.place(i));
            i += point.length;
        }
        const auto removed = static_cast<std::int32_t>(chars.size() - chars_before);
        const std::string_view put = replacement ? *replacement : old.substr(at, end - at);
        changed = changed || replacement;
        at = end;
        std::int32_t count = 0;
        for (std::uint32_t i = 0; i < put.size(); ++count) {
            const CodePoint point = code_point_at(put, i);
            chars.changes.push_back({point.value, count < removed ? 0 : 1});
            i += point.length;
        }
        // What there are fewer of goes to the last character of all, if there is one.
        if (count < removed && !chars.changes.empty()) chars.changes.back().change += count - removed;
    };
    while (at < size) visit_cluster(map_, old, at, unicode::grapheme_end(old, at), visit);
    if (!changed) return;
    chars.transform(chars.changes);
    for (std::size_t i = 0; i < chars.size(); ++i) rewrite.put_character(chars.values[i], chars.places[i]);
    rewrite.finish();
}

// Puts a replacement for old text up to `end`: each new character takes the place of the old one at the same number, further ones
// share that of the last old one.
class Precompiled::Writer {
  public:
    explicit Writer(TextRewrite& rewrite) : rewrite_(rewrite) {}
    /// False: the definition has to be followed, see normalize_by_definition().
    bool replace(std::uint32_t end, std::string_view with) {
        if (with.empty()) {
            if (rewrite_.size() == 0 || last_is_new_) return false;
            rewrite_.skip_to(end);
            return true;
        }
        std::uint32_t old = rewrite_.at();
        Alignment place{};
        for (std::uint32_t i = 0; i < with.size();) {
            last_is_new_ = old >= end;
            if (old < end) {
                place = rewrite_.place(old);
                old += code_point_at(rewrite_.old(), old).length;
            }
            const CodePoint point = code_point_at(with, i);
            rewrite_.put_character(point.value, place);
            i += point.length;
        }
        rewrite_.skip_to(end);
        return true;
    }
    void keep_to(std::uint32_t end) {
        if (end > rewrite_.at()) last_is_new_ = false;
        rewrite_.keep_to(end);
    }

  private:
    TextRewrite& rewrite_;
    bool last_is_new_ = false;  // the last character put is one of the further ones
};

bool Precompiled::rewrite(TextRewrite& rewrite, bool& changed) const {
    const std::string_view old = rewrite.old();
    const auto size = static_cast<std::uint32_t>(old.size());
    Writer writer(rewrite);
    bool exact = true;
    std::uint32_t at = 0;
    const auto visit = [&](std::uint32_t end, std::optional<std::string_view> replacement) {
        if (replacement && exact) {
            changed = true;
            writer.keep_to(at);
            exact = writer.replace(end, *replacement);
        }
        at = end;
    };
    while (at < size && exact) {
        // An ASCII character before another one is a cluster, but for a line's end of two.
        while (at + 1 < size && is_ascii(old[at]) && is_ascii(old[at + 1]) && keeps_[static_cast<unsigned char>(old[at])] &&
               old[at] != '\r') {
            ++at;
        }
        // So is a Han character before another one.
        std::uint32_t end = at;
        while (keeps_han_ && end + kHanBytes <= size && is_common_han(old, end)) end += kHanBytes;
        if (end > at) at = end - kHanBytes;
        visit_cluster(map_, old, at, unicode::grapheme_end(old, at), visit);
    }
    writer.keep_to(size);
    return exact;
}

void Precompiled::normalize(NormalizedText& text) const {
    TextRewrite rewritten(text);
    bool changed = false;
    if (!rewrite(rewritten, changed)) return normalize_by_definition(text);
    if (changed) rewritten.finish();
}

}  // namespace rag::core
