// An outline as a tree: which section lies in which, what the headings around it are, how many tokens each has. Thread-safe once
// the tokens are in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/chunkers/outline.hpp"

namespace rag::core {

/// Sections are numbered by their index in the outline + 1; 0 is the document.
class SectionTable {
  public:
    explicit SectionTable(std::vector<Section> outline);
    /// Adds tokens to what stands in a section itself.
    void add_tokens(std::uint32_t section, std::size_t tokens) noexcept { tokens_[section] += tokens; }
    /// From here on tokens() counts what lies in a section too.
    void sum_tokens() noexcept;

    std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(outline_.size()); }
    std::uint32_t parent(std::uint32_t section) const noexcept { return parents_[section]; }
    std::uint32_t depth(std::uint32_t section) const noexcept { return section == 0 ? 0 : outline_[section - 1].depth; }
    /// The deepest section that holds both.
    std::uint32_t common(std::uint32_t a, std::uint32_t b) const noexcept;
    std::size_t tokens(std::uint32_t section) const noexcept { return tokens_[section]; }
    /// Headings from the outermost to this one; empty for the document.
    std::string path(std::uint32_t section) const;
    const Section& at(std::uint32_t section) const noexcept { return outline_[section - 1]; }

  private:
    std::vector<Section> outline_;
    std::vector<std::uint32_t> parents_;
    std::vector<std::size_t> tokens_;
};

}  // namespace rag::core
