// The first stage: rewrites text before anything is cut, one stretch between two added tokens at a time. Most normalizers are
// local: what happens to a character depends only on its neighbours up to the nearest ASCII character on either side, and ASCII
// becomes ASCII or nothing, character by character. Those are LocalNormalizers, which see runs of characters, never the whole
// text, and which NormalizerPlan runs several at a time. The others rewrite the whole stretch. Immutable, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "tokenizer/char_text.hpp"

namespace rag::core {

class NormalizedText;
class NormalizerPlan;
class TextRewrite;

class Normalizer {
  public:
    virtual ~Normalizer() = default;
    virtual void normalize(NormalizedText& text) const = 0;
    /// Puts this stage, or what it is made of, at the end of a plan, which must not outlive it.
    virtual void add_to(NormalizerPlan& plan) const;
    /// True: may put text in front of everything that comes from no character.
    virtual bool may_insert() const { return false; }
};

/// What becomes of each ASCII character by itself: another one, or nothing.
using AsciiMap = std::array<std::int16_t, 128>;
inline constexpr std::int16_t kDropped = -1;

class LocalNormalizer : public Normalizer {
  public:
    void normalize(NormalizedText& text) const final;
    void add_to(NormalizerPlan& plan) const final;
    virtual void normalize_run(CharText& text) const = 0;
    /// Applies this stage on top of `map`. An ASCII text must come out of normalize_run() exactly as through the map.
    virtual void map_ascii(AsciiMap& map) const = 0;
    /// True only when `text` comes out as it went in; told at a glance, so false says nothing.
    virtual bool keeps(std::string_view) const { return false; }
};

}  // namespace rag::core
