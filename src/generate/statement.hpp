// A sentence as what it states: content words, names, numbers and characters of Han text in order, each with the preposition that
// governs it, and the words that decide about truth (negations, modals, hedges, quantifiers) marked as guards. Made for comparing
// a sentence of an answer with one of a passage, see alignment.hpp. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core::grounding {

/// What governs a phrase. English prepositions and conjunctions that mean the same here share one; Chinese ones map onto them.
enum class Tag : std::uint8_t {
    kNone,
    kPlace,
    kFrom,
    kTo,
    kBy,
    kOf,
    kWith,
    kFor,
    kAbout,
    kAgainst,
    kOver,
    kUnder,
    kBefore,
    kAfter,
    kBetween,
    kThrough,
    kAs,
    kThan,
    kLike,
    kBecause,
    kWhen,
    kAlthough,
    kOther
};

enum class ItemKind : std::uint8_t {
    kWord,       // a content word in lower case, or one that begins the sentence
    kName,       // capitalised inside the sentence, or with a digit or capitals inside
    kNumber,     // with sign, percent and currency
    kHan,        // one character of a content word in Han or Kana
    kGuard,      // negation, modal, hedge, quantifier, "or": has to be on both sides
    kLight,      // articles, auxiliaries, pronouns, what only holds a sentence together
    kTag,        // a preposition or subordinating conjunction
    kSeparator,  // comma, brackets, dash
    kBreak       // semicolon, colon, "and", "but", "which" ...
};

struct Item {
    ItemKind kind = ItemKind::kLight;
    std::string key;        // what is compared: the stem, the number, the character
    std::string surface;    // folded, not stemmed; names are compared by it
    std::size_t start = 0;  // bytes in the text of the statement
    std::size_t end = 0;
    Tag tag = Tag::kNone;     // of the phrase that it stands in; of a kTag the one it gives
    bool head = false;        // first content of its phrase
    bool denial = false;      // kGuard that can deny a whole sentence: "false", "denied"
    bool negation = false;    // kGuard: not, never, without ...
    bool possessive = false;  // "Acme's"
    bool after_be = false;    // directly behind a form of "be": a passive, or a predicate
    bool be = false;          // a form of "be"
    bool adverb = false;      // ends in -ly, or a Chinese adverb of time and manner
    bool word_begin = true;   // Han: first and last character of a dictionary word
    bool word_end = true;
    bool pronoun = false;  // he, it, they ...: stands for something said before

    bool content() const noexcept { return kind <= ItemKind::kGuard; }
};

struct Statement {
    std::vector<Item> items;  // in the order of the text
    bool question = false;    // ends in a question mark
};

/// `sentence`: one sentence; offsets are bytes in it. Markers such as [2] and list numbers have to be blanked before.
Statement analyze_statement(std::string_view sentence);

/// The statement with its passive turned round ("B was acquired by A" -> "A acquired B", and with Chinese bei), for comparison
/// only; false if there is none.
bool undo_passive(const Statement& statement, Statement& out);

/// What a word alone tells. The tables are in statement_words.cpp.
struct WordRole {
    enum Class : std::uint8_t { kContent, kLight, kGuard, kTag, kBreak } group = kContent;
    Tag tag = Tag::kNone;
    bool denial = false;
    bool negation = false;
    bool be = false;
    bool pronoun = false;
    bool adverb = false;
    bool modal = false;       // also a name when capitalised: Will, May
    std::string_view number;  // the digits of a number word
};
/// `folded`: lower case; `stem`: its Snowball stem.
WordRole english_role(std::string_view folded, std::string_view stem);
/// A dictionary word in Han.
WordRole han_role(std::string_view word);

}  // namespace rag::core::grounding
