// Logits to the next token. Order of the steps, as in transformers: repeat penalty, temperature, top_k, top_p, min_p, draw.
// Deterministic: the same seed, options and logits give the same ids (exp of the C library decides last bits, so different
// machines may differ on a tie). Selection is partial: the vocabulary is never sorted. One object, one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "generate/random.hpp"

namespace rag::core {

/// Tokens before the next one that repeat_penalty looks at, prompt and new ones alike.
inline constexpr std::size_t kRepeatWindow = 64;

struct SamplerOptions {
    float temperature = 0.0F;  // 0: the most probable token (the lowest id of equals); at most 100
    std::int64_t top_k = 0;    // keep the k most probable; 0: all
    float top_p = 1.0F;  // keep the fewest most probable that together have at least this probability (Holtzman 2020); (0, 1]
    float min_p = 0.0F;  // keep what has at least this part of the best one's probability (Nguyen 2024); [0, 1]
    float repeat_penalty = 1.0F;  // positive logits of recent tokens are divided by it, others multiplied (Keskar 2019); > 0
    std::uint64_t seed = 0;
};

/// A token that may be drawn, with its probability among the candidates.
struct Candidate {
    std::int32_t id;
    double probability;
};

class Sampler {
  public:
    /// Error(kInvalidArgument) names the option that is out of range and its value.
    explicit Sampler(const SamplerOptions& options);

    /// `logits`: [vocab] float32, not changed; `recent`: the ids so far, of which the last kRepeatWindow count. Error(kCorrupt)
    /// names the first token whose logit is NaN or +infinity (-infinity: never drawn), or says that all are -infinity; no random
    /// number is used up then.
    std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> recent);

    /// What sample() draws from, most probable first (equals by id); for tests and for showing alternatives.
    std::vector<Candidate> candidates(std::span<const float> logits, std::span<const std::int32_t> recent);

  private:
    struct Scored {
        float logit;
        std::int32_t id;
    };

    void load(std::span<const float> logits, std::span<const std::int32_t> recent);
    std::int32_t greedy() const;
    /// Reduces scored_ to the candidates, sorted, and fills weights_ (not normalised).
    void select();
    void keep_top_k();
    void keep_top_p(double total);

    SamplerOptions options_;
    Random random_;
    std::vector<Scored> scored_;
    std::vector<double> weights_;
    float best_ = 0;
};

}  // namespace rag::core
