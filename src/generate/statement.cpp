#include "generate/statement.hpp"

#include <algorithm>

#include "core/utf8.hpp"
#include "text/fold.hpp"
#include "text/stem.hpp"
#include "text/words.hpp"

namespace rag::core::grounding {

namespace {

bool is_upper_ascii(char c) {
    return c >= 'A' && c <= 'Z';
}

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text), stemmer_("english") {}

    Statement run() {
        std::vector<Word> words;
        segment_words(text_, words);
        all_capitals_ = is_all_capitals(words);
        std::size_t at = 0;
        for (std::size_t i = 0; i < words.size(); ++i) {
            read_between(at, words[i].start);
            read_word(words[i], i + 1 < words.size() ? &words[i + 1] : nullptr);
            at = words[i].end;
        }
        read_between(at, text_.size());
        mark_phrases();
        return std::move(out_);
    }

  private:
    std::string_view slice(std::size_t start, std::size_t end) const { return text_.substr(start, end - start); }

    bool is_all_capitals(const std::vector<Word>& words) const {
        std::size_t capital = 0;
        std::size_t letters = 0;
        for (const Word& word : words) {
            if (word.kind != Word::kWord) continue;
            ++letters;
            if (is_upper_ascii(text_[word.start])) ++capital;
        }
        return letters > 3 && capital * 10 >= letters * 9;  // a headline: capitals tell nothing
    }

    Item& push(ItemKind kind, std::size_t start, std::size_t end) {
        Item item;
        item.kind = kind;
        item.start = start;
        item.end = end;
        out_.items.push_back(std::move(item));
        return out_.items.back();
    }

    /// Punctuation between words.
    void read_between(std::size_t start, std::size_t end) {
        for (std::size_t at = start; at < end;) {
            const Utf8Step step = decode_utf8(text_, at);
            const char32_t c = step.value;
            const std::size_t next = at + step.length;
            if (c == ';' || c == ':' || c == 0xff1b || c == 0xff1a || c == 0x3002 || c == '!' || c == 0xff01) {
                push(ItemKind::kBreak, at, next);
            } else if (c == ',' || c == '(' || c == ')' || c == '[' || c == ']' || c == 0xff0c || c == 0xff08 || c == 0xff09 ||
                       c == 0x2014 || c == 0x2013 || c == 0x3001 ||
                       (c == '-' && at > 0 && text_[at - 1] == ' ' && next < text_.size() && text_[next] == ' ')) {
                push(ItemKind::kSeparator, at, next).key = text_.substr(at, next - at);
            } else if (c == '?' || c == 0xff1f) {
                out_.question = true;
                push(ItemKind::kBreak, at, next);
            } else if ((c == '%' || c == 0xff05 || c == 0x2030) && !out_.items.empty() &&
                       out_.items.back().kind == ItemKind::kNumber) {
                out_.items.back().key += c == 0x2030 ? "permille" : "%";
                out_.items.back().end = next;
            }
            at = next;
        }
    }

    void read_word(const Word& word, const Word* next) {
        if (word.kind == Word::kHan || word.kind == Word::kKana) {
            read_han(word);
        } else if (word.kind == Word::kNumber) {
            read_number(word);
        } else {
            read_letters(word, next);
        }
    }

    void read_number(const Word& word) {
        Item& item = push(ItemKind::kNumber, word.start, word.end);
        std::string folded;
        fold_text(slice(word.start, word.end), true, folded);
        folded.erase(std::remove(folded.begin(), folded.end(), ','), folded.end());
        item.key = prefix_of_number(word.start) + folded;
        item.surface = item.key;
    }

    /// A minus sign or a currency directly before a number.
    std::string prefix_of_number(std::size_t start) const {
        if (start == 0) return {};
        std::size_t at = start - 1;
        while (at > 0 && (static_cast<unsigned char>(text_[at]) & 0xc0U) == 0x80U) --at;
        const char32_t c = decode_utf8(text_, at).value;
        const bool free = at == 0 || text_[at - 1] == ' ' || text_[at - 1] == '(';
        if ((c == '-' || c == 0x2212) && free) return "-";
        if (c == '$' || c == 0xa3 || c == 0x20ac || c == 0xa5 || c == 0xffe5) return std::string(text_.substr(at, start - at));
        return {};
    }

    void read_han(const Word& word) {
        std::string folded;
        fold_text(slice(word.start, word.end), false, folded);
        const WordRole role = han_role(folded);
        std::size_t at = word.start;
        while (at < word.end) {
            const std::size_t length = decode_utf8(text_, at).length;
            Item& item = push(ItemKind::kHan, at, at + length);
            fold_text(slice(at, at + length), false, item.key);
            item.surface = item.key;
            item.word_begin = at == word.start;
            item.word_end = at + length == word.end;
            apply(role, item);
            if (role.group == WordRole::kContent && negates(at, item.key)) {
                item.kind = ItemKind::kGuard;
                item.negation = true;
            }
            if (role.group != WordRole::kContent && role.group != WordRole::kGuard) {
                item.end = word.end;  // light words, prepositions and conjunctions stay whole
                item.key = folded;
                item.word_end = true;
                return;
            }
            at += length;
        }
    }

    /// A character that negates, wherever the dictionary cut the words, unless it begins one of the words in which it does not.
    bool negates(std::size_t at, std::string_view character) const {
        static constexpr std::string_view kNegations[] = {"\u4e0d", "\u6ca1", "\u6c92", "\u672a", "\u65e0", "\u7121", "\u52ff"};
        static constexpr std::string_view kHarmless[] = {"\u4e0d\u65ad", "\u4e0d\u540c", "\u4e0d\u5c11", "\u4e0d\u4ec5",
                                                         "\u4e0d\u4f46", "\u4e0d\u8fc7", "\u4e0d\u4e45", "\u4e0d\u9508",
                                                         "\u65e0\u9521", "\u65e0\u7ebf", "\u672a\u6765", "\u6ca1\u6536"};
        if (std::find(std::begin(kNegations), std::end(kNegations), character) == std::end(kNegations)) return false;
        return std::none_of(std::begin(kHarmless), std::end(kHarmless),
                            [&](std::string_view word) { return text_.substr(at, word.size()) == word; });
    }

    static void apply(const WordRole& role, Item& item) {
        switch (role.group) {
            case WordRole::kContent:
                break;
            case WordRole::kLight:
                item.kind = ItemKind::kLight;
                break;
            case WordRole::kGuard:
                item.kind = ItemKind::kGuard;
                break;
            case WordRole::kTag:
                item.kind = ItemKind::kTag;
                item.tag = role.tag;
                break;
            case WordRole::kBreak:
                item.kind = ItemKind::kBreak;
                break;
        }
        item.denial = role.denial;
        item.negation = role.negation;
        item.be = role.be;
        item.pronoun = role.pronoun;
        item.adverb = role.adverb;
    }

    void read_letters(const Word& word, const Word* next) {
        std::string folded;
        fold_text(slice(word.start, word.end), true, folded);
        for (std::size_t at = folded.find("\u2019"); at != std::string::npos; at = folded.find("\u2019"))
            folded.replace(at, 3, "'");
        const bool contraction = folded.size() > 3 && folded.ends_with("n't");
        if (contraction) folded.resize(folded.size() - 3);
        const bool possessive = folded.size() > 2 && folded.ends_with("'s");
        if (const std::size_t mark = folded.find('\''); mark != std::string::npos && mark > 1) folded.resize(mark);
        Item& item = push(ItemKind::kWord, word.start, word.end);
        item.surface = folded;
        item.key = stemmer_.stem(folded);
        item.possessive = possessive;
        classify(word, next, item);
        if (contraction && folded != "ca" && folded != "wo" && item.kind == ItemKind::kWord) item.kind = ItemKind::kLight;
        if (contraction) {
            Item& negation = push(ItemKind::kGuard, word.start, word.end);
            negation.key = negation.surface = "not";
            negation.negation = true;
        }
    }

    void classify(const Word& word, const Word* next, Item& item) {
        const std::string_view text = slice(word.start, word.end);
        const bool first = std::none_of(out_.items.begin(), out_.items.end() - 1,
                                        [](const Item& other) { return other.kind != ItemKind::kSeparator; });
        const bool capital =
            is_upper_ascii(text.front()) || (static_cast<unsigned char>(text.front()) >= 0x80U && item.surface != text);
        const auto capitals = std::count_if(text.begin(), text.end(), is_upper_ascii);
        const bool digit = text.find_first_of("0123456789") != std::string_view::npos;
        const WordRole role = english_role(item.surface, item.key);
        const bool acronym = capitals > 1 && !all_capitals_;
        if (digit || acronym) {
            item.kind = ItemKind::kName;
            return;
        }
        if (!role.number.empty()) {
            item.kind = ItemKind::kNumber;
            item.key = item.surface = role.number;
            return;
        }
        if (capital && !first && !all_capitals_ && (role.group == WordRole::kContent || role.modal)) {
            item.kind = ItemKind::kName;
            return;
        }
        if ((item.surface == "percent" || item.surface == "per" || item.surface == "cent") && percent(item, next)) return;
        apply(role, item);
        if (role.group == WordRole::kGuard && role.negation) item.key = item.surface = "not";
        const bool approximate =
            next != nullptr && next->kind == Word::kNumber && (item.surface == "about" || item.surface == "around");
        if (approximate) item.kind = ItemKind::kLight;
    }

    /// "5 percent" and "5 per cent" are 5%.
    bool percent(Item& item, const Word* next) {
        const auto last =
            std::find_if(out_.items.rbegin() + 1, out_.items.rend(), [](const Item& other) { return other.surface != "per"; });
        if (last == out_.items.rend() || last->kind != ItemKind::kNumber) return false;
        if (item.surface == "per" && (next == nullptr || slice(next->start, next->end) != "cent")) return false;
        item.kind = ItemKind::kLight;
        if (item.surface != "per") last->key += '%';
        return true;
    }

    /// Gives every content item the preposition of its phrase, and marks what stands directly behind "be".
    void mark_phrases() {
        Tag tag = Tag::kNone;
        bool head = false;
        bool be = false;
        const Item* before = nullptr;
        for (Item& item : out_.items) {
            if (item.kind == ItemKind::kTag) {
                tag = item.tag;
                head = true;
            } else if (item.content()) {
                const bool name_after_number =
                    before != nullptr && before->kind == ItemKind::kNumber && item.kind == ItemKind::kName;
                const bool word_after_name = before != nullptr && before->kind == ItemKind::kName && item.kind == ItemKind::kWord;
                if (!head && (name_after_number || word_after_name || item.kind == ItemKind::kHan)) tag = Tag::kNone;
                item.tag = tag;
                item.head = head && tag != Tag::kNone;
                head = false;
                item.after_be = be;
                before = &item;
            } else if (item.kind == ItemKind::kSeparator || item.kind == ItemKind::kBreak || !head) {
                // A comma, an auxiliary or the article of a new phrase ends the old one.
                tag = Tag::kNone;
                head = false;
                before = nullptr;
            }
            if (item.kind != ItemKind::kGuard && !item.adverb) be = item.be;
        }
    }

    std::string_view text_;
    Stemmer stemmer_;
    Statement out_;
    bool all_capitals_ = false;
};

/// Index of the first item at or after `from` that ends a phrase.
std::size_t phrase_end(const std::vector<Item>& items, std::size_t from) {
    while (from < items.size() && items[from].kind != ItemKind::kTag && items[from].kind != ItemKind::kSeparator &&
           items[from].kind != ItemKind::kBreak) {
        ++from;
    }
    return from;
}

/// agent, verb, subject, rest; tags of the agent and of the verb fall away.
Statement reordered(const Statement& statement, const std::vector<std::pair<std::size_t, std::size_t>>& parts) {
    Statement out;
    out.question = statement.question;
    for (const auto& [begin, end] : parts) {
        for (std::size_t i = begin; i < end; ++i) out.items.push_back(statement.items[i]);
    }
    for (Item& item : out.items) {
        if (item.tag == Tag::kBy && item.kind != ItemKind::kTag) item.tag = Tag::kNone, item.head = false;
    }
    return out;
}

}  // namespace

Statement analyze_statement(std::string_view sentence) {
    return Reader(sentence).run();
}

bool undo_passive(const Statement& statement, Statement& out) {
    const auto& items = statement.items;
    for (std::size_t by = 1; by + 1 < items.size(); ++by) {
        if (items[by].kind != ItemKind::kTag || items[by].tag != Tag::kBy) continue;
        std::size_t begin = by;  // of the clause
        while (begin > 0 && items[begin - 1].kind != ItemKind::kSeparator && items[begin - 1].kind != ItemKind::kBreak) --begin;
        const std::size_t agent_end = phrase_end(items, by + 1);
        if (agent_end == by + 1) continue;
        if (items[by].key == "by") {  // [subject] be [verb] by [agent]
            std::size_t verb = by;
            while (verb > begin && !(items[verb - 1].content())) --verb;
            if (verb == begin || !items[verb - 1].after_be) continue;
            --verb;
            out = reordered(statement, {{0, begin}, {by + 1, agent_end}, {verb, by}, {begin, verb}, {agent_end, items.size()}});
            for (Item& item : out.items) item.after_be = item.after_be && item.start != items[verb].start;
            return true;
        }
        // Chinese: [subject] bei [agent] [verb]
        std::size_t verb = agent_end;
        while (verb > by + 1 && !items[verb - 1].content()) --verb;
        while (verb > by + 1 && !items[verb - 1].word_begin) --verb;
        if (verb <= by + 2) continue;  // no agent
        --verb;
        out = reordered(statement, {{0, begin}, {by + 1, verb}, {verb, agent_end}, {begin, by}, {agent_end, items.size()}});
        return true;
    }
    return false;
}

}  // namespace rag::core::grounding
