// What lies between and around the matched words of the evidence, and whether it may be left out: a part between two commas, a
// phrase of place or time, a modifier. Everything else may change who does what, so it may not. Rules, not a parser: each
// one is written down where it is applied.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "generate/statement.hpp"

namespace rag::core::grounding {

class EvidenceGap {
  public:
    /// `matched`: indexes of the matched items, increasing. Both must outlive the object.
    EvidenceGap(const Statement& evidence, const std::vector<std::size_t>& matched);

    /// Every gap may be left out. `junctions`: matched positions behind which a phrase that was moved touches the rest; there no
    /// clause may end.
    bool joined(const std::vector<std::size_t>& junctions) const;
    /// A negation, modal, hedge or quantifier of the same clause is not matched, or a denial anywhere in the sentence.
    bool guarded() const;
    /// No matched name, number or Han word is part of a longer one.
    bool whole_names() const;

  private:
    bool may_skip(std::size_t before, std::size_t after, bool junction) const;
    bool is_enclosed(std::span<const Item> gap) const;
    bool is_phrase(std::span<const Item> gap) const;
    bool is_modifier(const Item& before, std::span<const Item> gap, const Item& after) const;
    bool continues_left(std::size_t at) const;
    bool continues_right(std::size_t at) const;
    bool is_matched(std::size_t at) const { return matched_[at]; }

    const std::vector<Item>& items_;
    const std::vector<std::size_t>& positions_;
    std::vector<bool> matched_;
};

}  // namespace rag::core::grounding
