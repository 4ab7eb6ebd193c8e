// The formula of BM25 in its variants, as one posting's score and as the bound that pruning needs. All of them are functions of
// the saturation s = tf / (tf + k1 n), n = 1 - b + b length / average, that grow with it:
//   Lucene  w s                     idf = ln(1 + (N - df + 0.5) / (df + 0.5))   (Lucene 8 and later: no factor k1 + 1)
//   Okapi   w (k1 + 1) s            idf = ln((N - df + 0.5) / (df + 0.5)), 0 where that is negative (Robertson et al. 1994)
//   BM25+   w ((k1 + 1) s + delta)  idf = ln((N + 1) / df)                      (Lv and Zhai, CIKM 2011)
//   BM25L   w (k1 + 1) (c + delta) / (k1 + c + delta), c = tf / n,  idf = ln((N + 1) / (df + 0.5))  (Lv and Zhai, SIGIR 2011)
// w = idf * (k3 + 1) count / (k3 + count) of the query's term (Robertson et al. 1994; k3 infinite: count).
// Frequencies and lengths of an index count in units (see Bm25Options::title_weight). Plain values: any thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace rag::core {

enum class Bm25Variant : std::uint32_t { kLucene = 0, kOkapi = 1, kPlus = 2, kL = 3 };

struct Bm25Formula {
    Bm25Variant variant = Bm25Variant::kLucene;
    float k1 = 0;
    float delta = 0;
    float slope = 1;  // k1 + 1, or 1 where the variant leaves it out
    // Of a document, in units: k1 n, or n for BM25L.
    float norm_constant = 0;
    float norm_slope = 0;

    /// `average` is in units, as lengths are.
    static Bm25Formula make(Bm25Variant variant, double k1, double b, double delta, double unit, double average) {
        Bm25Formula out;
        out.variant = variant;
        out.k1 = static_cast<float>(k1);
        out.delta = static_cast<float>(delta);
        out.slope = variant == Bm25Variant::kLucene ? 1.0F : static_cast<float>(k1 + 1);
        const double scale = unit * (variant == Bm25Variant::kL ? 1.0 : k1);
        out.norm_constant = static_cast<float>(scale * (1 - b));
        out.norm_slope = average > 0 ? static_cast<float>(scale * b / average) : 0.0F;
        return out;
    }

    float norm(std::uint32_t length) const noexcept { return norm_constant + norm_slope * static_cast<float>(length); }

    template <Bm25Variant kVariant>
    float score_as(float weight, float frequency, std::uint32_t length) const noexcept {
        if constexpr (kVariant == Bm25Variant::kL) {
            const float c = frequency / std::max(norm(length), 1e-6F) + delta;  // a forged file may say length 0
            return weight * (slope * c / (k1 + c));
        } else if constexpr (kVariant == Bm25Variant::kPlus) {
            return weight * (slope * (frequency / (frequency + norm(length))) + delta);
        } else {
            return weight * slope * (frequency / (frequency + norm(length)));
        }
    }
    float score(float weight, float frequency, std::uint32_t length) const noexcept {
        switch (variant) {
            case Bm25Variant::kL:
                return score_as<Bm25Variant::kL>(weight, frequency, length);
            case Bm25Variant::kPlus:
                return score_as<Bm25Variant::kPlus>(weight, frequency, length);
            default:
                return score_as<Bm25Variant::kLucene>(weight, frequency, length);
        }
    }

    /// No posting whose saturation is at most `saturation` scores more.
    float bound(float weight, float saturation) const noexcept {
        constexpr float kSlack = 1.00001F;  // scores are rounded in another order
        const float s = std::min(saturation, 1.0F);
        if (variant == Bm25Variant::kPlus) return weight * (slope * s + delta) * kSlack;
        if (variant != Bm25Variant::kL) return weight * slope * s * kSlack;
        if (s >= 1.0F) return weight * slope * kSlack;
        const float c = k1 * s / (1.0F - s) * kSlack + delta;
        return weight * (k1 + c > 0 ? slope * c / (k1 + c) : slope) * kSlack;
    }

    static double idf(Bm25Variant variant, std::uint64_t documents, std::uint64_t with_term) noexcept {
        const auto n = static_cast<double>(documents);
        const auto df = static_cast<double>(with_term);
        switch (variant) {
            case Bm25Variant::kOkapi:
                return std::max(0.0, std::log((n - df + 0.5) / (df + 0.5)));
            case Bm25Variant::kPlus:
                return std::log((n + 1) / df);
            case Bm25Variant::kL:
                return std::log((n + 1) / (df + 0.5));
            default:
                return std::log(1 + (n - df + 0.5) / (df + 0.5));
        }
    }
};

}  // namespace rag::core
