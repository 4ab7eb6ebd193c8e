#include "tokenizer/unicode/graphemes.hpp"

#include "tokenizer/unicode/code_points.hpp"

namespace rag::core::unicode {
namespace detail {
#include "tokenizer/unicode/graphemes.inc"
}  // namespace detail

namespace {

using Class = GraphemeClass;

bool is_control(Class c) {
    return c == Class::kControl || c == Class::kCr || c == Class::kLf;
}

bool is_extend(Class c) {
    return c == Class::kExtend || c == Class::kLinker || c == Class::kNonJoiner;
}

// What the characters of a cluster so far leave open.
struct State {
    Class last;
    enum { kNoPictograph, kPictograph, kPictographJoined } emoji = kNoPictograph;
    enum { kNoConsonant, kConsonant, kLinked } conjunct = kNoConsonant;
    bool half_flag = false;  // one regional indicator without its second

    explicit State(Class first) : last(first) { update(first); }

    bool joins(Class next) const {
        if (is_control(next)) return false;
        if (is_extend(next) || next == Class::kJoiner || next == Class::kSpacingMark) return true;  // GB9, GB9a
        switch (last) {
            case Class::kPrepend:  // GB9b
                return true;
            case Class::kHangulL:  // GB6 to GB8
                if (next == Class::kHangulL || next == Class::kHangulV || next == Class::kHangulLv || next == Class::kHangulLvt) {
                    return true;
                }
                break;
            case Class::kHangulLv:
            case Class::kHangulV:
                if (next == Class::kHangulV || next == Class::kHangulT) return true;
                break;
            case Class::kHangulLvt:
            case Class::kHangulT:
                if (next == Class::kHangulT) return true;
                break;
            default:
                break;
        }
        if (next == Class::kConsonant) return conjunct == kLinked;            // GB9c
        if (next == Class::kPictographic) return emoji == kPictographJoined;  // GB11
        return next == Class::kRegionalIndicator && half_flag;                // GB12, GB13
    }

    void update(Class next) {
        last = next;
        if (next == Class::kPictographic) {
            emoji = kPictograph;
        } else if (emoji == kPictograph && next == Class::kJoiner) {
            emoji = kPictographJoined;
        } else if (!(emoji == kPictograph && is_extend(next))) {
            emoji = kNoPictograph;
        }
        if (next == Class::kConsonant) {
            conjunct = kConsonant;
        } else if (conjunct != kNoConsonant && next == Class::kLinker) {
            conjunct = kLinked;
        } else if (next != Class::kExtend && next != Class::kJoiner) {
            conjunct = kNoConsonant;
        }
        half_flag = next == Class::kRegionalIndicator && !half_flag;
    }
};

}  // namespace

std::uint32_t grapheme_end(std::string_view text, std::uint32_t at) noexcept {
    CodePoint point = code_point_at(text, at);
    const Class first = grapheme_class(point.value);
    at += point.length;
    if (first == Class::kOther) {  // GB9 and GB9a alone can join something to it
        while (at < text.size()) {
            point = code_point_at(text, at);
            const Class next = grapheme_class(point.value);
            if (!is_extend(next) && next != Class::kJoiner && next != Class::kSpacingMark) break;
            at += point.length;
        }
        return at;
    }
    if (is_control(first)) return at + (first == Class::kCr && at < text.size() && text[at] == '\n' ? 1 : 0);  // GB3 to GB5
    for (State state(first); at < text.size(); at += point.length) {
        point = code_point_at(text, at);
        const Class next = grapheme_class(point.value);
        if (!state.joins(next)) break;
        state.update(next);
    }
    return at;
}

}  // namespace rag::core::unicode
