#include "generate/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"

namespace rag::core {

namespace {

template <typename T>
void require(bool good, const char* name, T value, const char* range) {
    if (!good) fail(Code::kInvalidArgument, "{} is {}, it must be {}", name, value, range);
}

}  // namespace

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {
    require(options.temperature >= 0 && options.temperature <= 100, "temperature", options.temperature, "between 0 and 100");
    require(options.top_k >= 0, "top_k", options.top_k, "at least 0");
    require(options.top_p > 0 && options.top_p <= 1, "top_p", options.top_p, "above 0 and at most 1");
    require(options.min_p >= 0 && options.min_p <= 1, "min_p", options.min_p, "between 0 and 1");
    require(options.repeat_penalty > 0 && std::isfinite(options.repeat_penalty), "repeat_penalty", options.repeat_penalty,
            "above 0");
}

void Sampler::load(std::span<const float> logits, std::span<const std::int32_t> recent) {
    if (logits.empty()) fail(Code::kInvalidArgument, "there are no logits");
    scored_.resize(logits.size());
    best_ = -std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < logits.size(); ++i) {
        const float logit = logits[i];
        if (std::isnan(logit) || logit == std::numeric_limits<float>::infinity())
            fail(Code::kCorrupt, "the model's logit of token {} is {}", i, logit);
        scored_[i] = {logit, static_cast<std::int32_t>(i)};
    }
    if (options_.repeat_penalty != 1.0F) {
        const std::size_t count = std::min(recent.size(), kRepeatWindow);
        for (const std::int32_t id : recent.subspan(recent.size() - count)) {
            if (id < 0 || static_cast<std::size_t>(id) >= logits.size()) continue;
            // From the given logit, so that a token that was there twice is punished once.
            const float logit = logits[static_cast<std::size_t>(id)];
            scored_[static_cast<std::size_t>(id)].logit =
                logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
        }
    }
    for (const Scored& one : scored_) best_ = std::max(best_, one.logit);
    if (!std::isfinite(best_)) fail(Code::kCorrupt, "the model's logits are all {}", best_);
}

std::int32_t Sampler::greedy() const {
    const auto at = std::find_if(scored_.begin(), scored_.end(), [&](const Scored& one) { return one.logit == best_; });
    return at->id;
}

void Sampler::keep_top_k() {
    const auto k = static_cast<std::size_t>(options_.top_k);
    if (k == 0 || k >= scored_.size()) return;
    const auto better = [](const Scored& a, const Scored& b) { return a.logit != b.logit ? a.logit > b.logit : a.id < b.id; };
    std::nth_element(scored_.begin(), scored_.begin() + static_cast<std::ptrdiff_t>(k), scored_.end(), better);
    scored_.resize(k);
}

/// scored_ is sorted piece by piece from the top, as far as the probability needs it.
void Sampler::keep_top_p(double total) {
    const auto better = [](const Scored& a, const Scored& b) { return a.logit != b.logit ? a.logit > b.logit : a.id < b.id; };
    const double wanted = static_cast<double>(options_.top_p) * total;
    const double inverse = 1.0 / static_cast<double>(options_.temperature);
    double sum = 0;
    std::size_t sorted = 0;
    for (std::size_t piece = 64; sorted < scored_.size(); piece *= 4) {
        const std::size_t end = std::min(scored_.size(), sorted + piece);
        std::partial_sort(scored_.begin() + static_cast<std::ptrdiff_t>(sorted),
                          scored_.begin() + static_cast<std::ptrdiff_t>(end), scored_.end(), better);
        for (; sorted < end; ++sorted) {
            if (sum >= wanted && sorted > 0) {
                scored_.resize(sorted);
                return;
            }
            sum += std::exp((static_cast<double>(scored_[sorted].logit) - static_cast<double>(best_)) * inverse);
        }
    }
}

void Sampler::select() {
    keep_top_k();
    const double inverse = 1.0 / static_cast<double>(options_.temperature);
    const auto weight = [&](const Scored& one) {
        return std::exp((static_cast<double>(one.logit) - static_cast<double>(best_)) * inverse);
    };
    if (options_.top_p < 1) {
        double total = 0;
        for (const Scored& one : scored_) total += weight(one);
        keep_top_p(total);
    }
    if (options_.min_p > 0) {
        const auto threshold = static_cast<double>(options_.min_p);
        scored_.erase(std::remove_if(scored_.begin(), scored_.end(), [&](const Scored& one) { return weight(one) < threshold; }),
                      scored_.end());
    }
    weights_.clear();
    for (const Scored& one : scored_) weights_.push_back(weight(one));
}

std::int32_t Sampler::sample(std::span<const float> logits, std::span<const std::int32_t> recent) {
    load(logits, recent);
    if (options_.temperature == 0) return greedy();
    select();
    double total = 0;
    for (const double weight : weights_) total += weight;
    double left = random_.uniform() * total;
    std::size_t drawn = weights_.size() - 1;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
        left -= weights_[i];
        if (left < 0) {
            drawn = i;
            break;
        }
    }
    // Rounding may leave a little at the end: the last one that has a probability at all.
    while (weights_[drawn] == 0) --drawn;
    return scored_[drawn].id;
}

std::vector<Candidate> Sampler::candidates(std::span<const float> logits, std::span<const std::int32_t> recent) {
    load(logits, recent);
    if (options_.temperature == 0) return {{greedy(), 1.0}};
    select();
    double total = 0;
    for (const double weight : weights_) total += weight;
    std::vector<Candidate> out;
    for (std::size_t i = 0; i < scored_.size(); ++i) {
        if (weights_[i] > 0) out.push_back({scored_[i].id, weights_[i] / total});
    }
    std::sort(out.begin(), out.end(), [](const Candidate& a, const Candidate& b) {
        return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
    });
    return out;
}

}  // namespace rag::core
