// The normalizers of a tokenizer in the order in which they run, sequences taken apart, neighbouring local ones joined to one
// pass with what they do to ASCII worked out once. Built by one thread, then immutable; the normalizers must outlive it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

class NormalizerPlan {
  public:
    /// nullptr: no normalizer.
    explicit NormalizerPlan(const Normalizer* normalizer);
    void add(const Normalizer& normalizer) { steps_.push_back({&normalizer, {}}); }
    void add_local(const LocalNormalizer& normalizer);

    void run(NormalizedText& text) const;

  private:
    struct LocalPass {
        std::vector<const LocalNormalizer*> stages;
        AsciiMap ascii{};
        bool keeps_ascii = true;   // ASCII comes out as it went in
        bool drops_ascii = false;  // some of it does not come out at all

        void run(NormalizedText& text) const;
        std::uint32_t run_begin(std::string_view text, std::uint32_t from, std::uint32_t special) const;
        std::uint32_t run_end(std::string_view text, std::uint32_t special) const;
        bool is_dropped(char byte) const { return ascii[static_cast<unsigned char>(byte)] == kDropped; }
        void map_ascii(TextRewrite& rewrite, std::uint32_t end) const;
        void rewrite_run(TextRewrite& rewrite, CharText& chars, std::uint32_t end) const;
    };
    struct Step {
        const Normalizer* whole;  // nullptr: a pass of local ones
        LocalPass local;
    };
    std::vector<Step> steps_;
};

}  // namespace rag::core
