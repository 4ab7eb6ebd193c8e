// The translator behind pcre2_pattern(): one pass over a pattern that writes PCRE2's. Groups, options and quantifiers are in
// regex_pattern.cpp, what stands for one character outside of classes in regex_pattern_escapes.cpp, classes in
// regex_pattern_classes.cpp. One thread, one pattern.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "tokenizer/regex_class.hpp"
#include "tokenizer/regex_pattern.hpp"

namespace rag::core {

inline bool is_pattern_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
inline bool is_pattern_letter(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/// A code point as PCRE2 writes it.
inline std::string escaped_code_point(unsigned long code) {
    return fmt::format("\\x{{{:x}}}", code);
}

class PatternTranslator {
  public:
    /// Appends to `checks`, which must outlive this.
    PatternTranslator(std::string_view pattern, std::vector<ClassCheck>& checks) : pattern_(pattern), checks_(checks) {}
    std::string run();

  private:
    static constexpr std::size_t kNothing = static_cast<std::size_t>(-1);
    struct Group {
        std::size_t start;      // in out_
        int options = 0;        // groups opened for options like (?i) that hold until the end of this one
        bool caseless = false;  // before this group
        bool extended = false;  // likewise
        bool plain = false;     // (?:..)
        int capture = 0;        // its number, 0 if it has none
    };
    // Those that Oniguruma puts together where one repeats another; greedy ones first.
    enum Repeat : int { kOther = -1, kMaybe, kAny, kMany, kLazyMaybe, kLazyAny, kLazyMany };
    struct Quantifier {
        std::string text;  // as PCRE2 writes it
        bool counted;      // {..}, not one of * + ?
        bool exact;        // {n}
        Repeat repeat;     // without what follows it
    };

    [[noreturn]] void refuse(std::string_view what) const {
        fail(Code::kUnsupported, "the pattern {} uses {} at offset {}, which is not supported", quote(pattern_), what, at_);
    }
    bool at_end() const { return at_ >= pattern_.size(); }
    bool next_is(std::string_view text) const { return pattern_.substr(at_, text.size()) == text; }
    std::string_view take(std::size_t count);

    void atom(std::string_view text);
    void set_atom(const CharSet& set, bool complemented);
    void literal(std::string_view character);
    void caseless_literal(unsigned long code, char before);
    void escape();
    void anchor_of_words(bool negated);
    unsigned long code_point();
    CharSet property(bool negated, bool in_class, bool& complemented);
    void open_group();
    void options();
    void close_group();
    bool read_quantifier(Quantifier& out);
    void quantify(const Quantifier& quantifier);
    bool join_quantifiers(Repeat outer);
    bool skip_extended();
    std::string parse_class(int depth, CharSet* simple);
    void class_item(CharSet& set);
    bool class_escape(CharSet& set);
    std::string class_literal();

    std::string_view pattern_;
    std::vector<ClassCheck>& checks_;
    std::size_t at_ = 0;
    std::string out_;
    std::vector<Group> groups_ = std::vector<Group>(1);
    std::size_t atom_ = kNothing;  // where in out_ begins what a quantifier would repeat
    bool quantified_ = false;      // there is a quantifier behind it
    Repeat repeat_ = kOther;       // this one
    std::size_t quantifier_ = 0;   // where in out_
    bool caseless_ = false;
    bool extended_ = false;      // (?x): spaces and comments outside of classes are nothing
    char previous_literal_ = 0;  // right before, in caseless mode
    int captures_ = 0;
    bool kept_captures_ = false;  // a group with captures was repeated without a way back
    bool named_ = false;
};

}  // namespace rag::core
