#include "tokenizer/regex_pattern.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "tokenizer/regex_translator.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {

std::string_view PatternTranslator::take(std::size_t count) {
    if (pattern_.size() - at_ < count) refuse("an unfinished escape");
    const std::string_view text = pattern_.substr(at_, count);
    at_ += count;
    return text;
}

std::string PatternTranslator::run() {
    while (!at_end()) {
        const char c = pattern_[at_];
        Quantifier quantifier;
        if (extended_ && skip_extended()) continue;
        if (c == '\\') {
            escape();
        } else if (c == '[') {
            ++at_;
            atom(parse_class(0, nullptr));
        } else if (c == '(') {
            open_group();
        } else if (c == ')') {
            close_group();
        } else if (c == '|') {
            out_ += c;
            ++at_;
            atom_ = kNothing;
            previous_literal_ = 0;
        } else if (c == '^' || c == '$' || c == '.') {
            ++at_;
            atom({&c, 1});
        } else if (read_quantifier(quantifier)) {
            quantify(quantifier);
        } else {
            literal(take(code_point_at(pattern_, at_).length));
        }
    }
    if (groups_.size() != 1) refuse("a group without its end");
    out_.append(static_cast<std::size_t>(groups_[0].options), ')');
    return std::move(out_);
}

// What (?x) makes nothing of, if it stands here.
bool PatternTranslator::skip_extended() {
    static constexpr std::string_view kSpaces = " \t\n\r\f";
    if (kSpaces.find(pattern_[at_]) != std::string_view::npos) {
        ++at_;
        return true;
    }
    if (pattern_[at_] != '#') return false;
    at_ = std::min(pattern_.find('\n', at_), pattern_.size() - 1) + 1;
    return true;
}

void PatternTranslator::atom(std::string_view text) {
    atom_ = out_.size();
    quantified_ = false;
    repeat_ = kOther;
    previous_literal_ = 0;
    out_ += text;
}

// (?i) and the like hold, and form a group, until the end of the group they are in. (?m is "dot matches all" in Ruby, which PCRE2
// calls (?s.
void PatternTranslator::options() {
    std::string letters;
    bool on = true;
    bool caseless = caseless_, extended = extended_;
    for (; !at_end() && pattern_[at_] != ')' && pattern_[at_] != ':'; ++at_) {
        const char c = pattern_[at_];
        if (c != 'i' && c != 'm' && c != 'x' && c != '-') refuse("this kind of group");
        if (c == '-') on = false;
        if (c == 'i') caseless = on;
        if (c == 'x') extended = on;
        if (c != 'x') letters += c == 'm' ? 's' : c;
    }
    if (at_end()) refuse("a group without its end");
    const bool scoped = pattern_[at_++] == ':';
    if (scoped) {
        groups_.push_back({out_.size(), 0, caseless_, extended_, false});
    } else {
        ++groups_.back().options;
    }
    out_ += "(?" + letters + ":";
    caseless_ = caseless;
    extended_ = extended;
}

void PatternTranslator::open_group() {
    static constexpr std::string_view kOpenings[] = {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"};
    // Letters that (?:..) alone keeps apart are neighbours to Oniguruma.
    const bool plain = next_is("(?:") || next_is("(?>") || next_is("(?#");
    if (!plain) previous_literal_ = 0;
    atom_ = kNothing;
    if (next_is("(?#")) {
        const std::size_t close = pattern_.find(')', at_);
        if (close == std::string_view::npos) refuse("a comment without its end");
        at_ = close + 1;
        return;
    }
    for (const std::string_view opening : kOpenings) {
        if (!next_is(opening)) continue;
        groups_.push_back({out_.size(), 0, caseless_, extended_, opening == "(?:"});
        out_ += take(opening.size());
        return;
    }
    if (next_is("(?<")) {
        const std::size_t close = pattern_.find('>', at_);
        if (close == std::string_view::npos) refuse("a name without its end");
        if (captures_ > 0 && !named_) refuse("groups with and without names");
        named_ = true;
        groups_.push_back({out_.size(), 0, caseless_, extended_, false});
        out_ += take(close + 1 - at_);
        return;
    }
    if (next_is("(?")) {
        at_ += 2;
        return options();
    }
    if (named_) refuse("groups with and without names");
    ++captures_;
    groups_.push_back({out_.size(), 0, caseless_, extended_, false, captures_});
    out_ += take(1);
}

void PatternTranslator::close_group() {
    if (groups_.size() == 1) refuse("the end of a group that never began");
    const Group group = groups_.back();
    groups_.pop_back();
    ++at_;
    if (caseless_ != group.caseless) previous_literal_ = 0;
    caseless_ = group.caseless;
    extended_ = group.extended;
    constexpr std::size_t kOpening = 3;  // of "(?:"
    if (group.plain && group.options == 0 && quantified_ && repeat_ != kOther && atom_ == group.start + kOpening) {
        // Nothing but a repetition, which another quantifier may join: (?:a+)+ is a+ to Oniguruma, not exponential.
        out_.erase(group.start, kOpening);
        quantifier_ -= kOpening;
        atom_ = group.start;
        return;
    }
    out_.append(static_cast<std::size_t>(group.options) + 1, ')');
    atom_ = group.start;
    quantified_ = false;
    repeat_ = kOther;
}

// Reads a quantifier if there is one; a brace that is none is a character.
bool PatternTranslator::read_quantifier(Quantifier& out) {
    const char c = pattern_[at_];
    if (c == '*' || c == '+' || c == '?') {
        ++at_;
        out = {std::string(1, c), false, false, c == '?' ? kMaybe : c == '*' ? kAny : kMany};
        return true;
    }
    if (c != '{') return false;
    std::size_t end = at_ + 1;
    const auto digits = [&] {
        const std::size_t begin = end;
        while (end < pattern_.size() && is_pattern_digit(pattern_[end])) ++end;
        return std::string(pattern_.substr(begin, end - begin));
    };
    const std::string low = digits();
    const bool comma = end < pattern_.size() && pattern_[end] == ',';
    if (comma) ++end;
    const std::string high = comma ? digits() : low;
    if (end >= pattern_.size() || pattern_[end] != '}' || (low.empty() && high.empty())) return false;
    at_ = end + 1;
    out = {fmt::format("{{{}{}{}}}", low.empty() ? "0" : low, comma ? "," : "", comma ? high : ""), true, !comma, kOther};
    const bool from_none = low.empty() || low == "0";
    if (comma && high.empty()) {
        out.repeat = from_none ? kAny : low == "1" ? kMany : kOther;
    } else if (comma && from_none && high == "1") {
        out.repeat = kMaybe;
    }
    return true;
}

// What Oniguruma makes of a quantifier behind another one (onig_reduce_nested_quantifier()): the same matches, found without
// trying the many ways in which two repetitions share a text. False: it leaves the two as they are.
bool PatternTranslator::join_quantifiers(Repeat outer) {
    static constexpr const char* kTexts[] = {"?", "*", "+", "??", "*?", "+?"};
    constexpr int kBoth = -1, kInner = -2, kLazyOfMany = -3;
    static constexpr int kJoined[6][6] = {
        // outer: ?      *         +         ??           *?           +?          inner:
        {kInner, kAny, kAny, kLazyMaybe, kLazyAny, kBoth},           // ?
        {kInner, kInner, kInner, kLazyOfMany, kLazyOfMany, kInner},  // *
        {kAny, kAny, kInner, kBoth, kLazyOfMany, kInner},            // +
        {kInner, kLazyAny, kLazyAny, kInner, kLazyAny, kLazyAny},    // ??
        {kInner, kInner, kInner, kInner, kInner, kInner},            // *?
        {kBoth, kBoth, kBoth, kLazyAny, kLazyAny, kInner},           // +?
    };
    if (repeat_ == kOther || outer == kOther) return false;
    const int joined = kJoined[repeat_][outer];
    if (joined == kBoth) return false;
    if (joined == kInner) return true;
    out_.resize(quantifier_);
    if (joined == kLazyOfMany) {
        out_ += '+';
        out_.insert(atom_, "(?:");
        out_ += ')';
    }
    quantifier_ = out_.size();
    repeat_ = joined == kLazyOfMany ? kLazyMaybe : static_cast<Repeat>(joined);
    out_ += kTexts[repeat_];
    return true;
}

void PatternTranslator::quantify(const Quantifier& quantifier) {
    if (atom_ == kNothing) refuse("a quantifier with nothing to repeat");
    previous_literal_ = 0;
    // Behind {n} a ? means "or not at all", and behind any {..} a + is one more quantifier: both are read as such next.
    const bool lazy = next_is("?") && !quantifier.exact;
    const bool possessive = next_is("+") && !quantifier.counted;
    Repeat repeat = possessive ? kOther : quantifier.repeat;
    if (lazy && repeat != kOther) repeat = static_cast<Repeat>(repeat + (kLazyMaybe - kMaybe));
    if (quantified_) {  // repeats what is repeated already
        if (join_quantifiers(repeat)) {
            at_ += lazy ? 1 : 0;
            return;
        }
        out_.insert(atom_, "(?:");
        out_ += ')';
    }
    if (possessive && captures_ > 0 && out_[atom_] == '(') kept_captures_ = true;
    quantifier_ = out_.size();
    out_ += quantifier.text;
    quantified_ = true;
    repeat_ = repeat;
    if (lazy || possessive) out_ += pattern_[at_++];
}

std::string pcre2_pattern(std::string_view pattern, std::vector<ClassCheck>& checks) {
    return PatternTranslator(pattern, checks).run();
}

}  // namespace rag::core
