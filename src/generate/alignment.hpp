// Whether one statement says what another says: local alignment of its content (Smith and Waterman 1981, with the weights of the
// words as scores), then the checks that word overlap alone cannot make: every name, number, guard and Han character is there,
// each under the same preposition, in the same order but for whole phrases that may stand elsewhere, nothing between them that
// changes who does what, and the same negations and hedges. Built to say no when in doubt. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "generate/statement.hpp"

namespace rag::core::grounding {

struct AlignmentOptions {
    /// Part of the claim's weight that has to be covered. Names, numbers, guards and Han characters all have to be, whatever this
    /// is; below 1 it lets single lower-case words be extra, but never replaced. Measured on sentences of XQuAD with one foreign
    /// word put in: 0.8 cites 82 percent of them, 0.9 50, 1.0 under 1, while right sentences are cited alike at all three.
    double min_coverage = 1.0;
};

/// Why a claim is not supported; for tests, measurements and explanation.
enum class Verdict {
    kSupported,
    kTooLittle,    // fewer than two content words: nothing to check
    kNotCovered,   // words, names or numbers that are not there, or replaced
    kPreposition,  // "from A" against "to A", possessives, active against passive
    kOrder,        // other order: who does what is swapped
    kGap,          // something in between that changes the sense
    kPolarity,     // a negation, modal or hedge in reach of the matched part
    kPartOfName,   // a longer name, number with unit, or word than the one claimed
    kQuestion      // the evidence only asks
};

struct Alignment {
    Verdict verdict = Verdict::kNotCovered;
    double coverage = 0;     // weight matched of the claim's weight
    double compactness = 0;  // weight matched of the weight in the window of the evidence
    std::size_t start = 0;   // the window: bytes in the evidence's sentence
    std::size_t end = 0;
};

/// Weight of an item, by how rare its key is; above 0.
using ItemWeight = std::function<double(const Item& item)>;

Alignment align(const Statement& claim, const Statement& evidence, const ItemWeight& weight, const AlignmentOptions& options);

}  // namespace rag::core::grounding
