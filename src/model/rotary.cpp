#include "model/rotary.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr double kMaxContext = 1 << 24;

double required(const std::optional<double>& value, const char* key, const RopeFields& rope, const std::string& source) {
    if (!value) fail(Code::kCorrupt, "{}: rotary positions of type {} without {}", quote(source, 400), quote(rope.type), key);
    return *value;
}

/// 1 / theta^(2 i / head_dim), rounded where transformers rounds.
std::vector<float> plain_frequencies(double theta, std::int64_t head_dim) {
    std::vector<float> out;
    for (std::int64_t i = 0; i < head_dim / 2; ++i) {
        const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
        out.push_back(1.0F / static_cast<float>(std::pow(theta, static_cast<double>(exponent))));
    }
    return out;
}

/// Long waves are stretched by the factor, short ones stay, those between are mixed.
void scale_llama3(const RopeFields& rope, std::int64_t original, std::vector<float>& frequencies, const std::string& source) {
    const double factor = required(rope.factor, "factor", rope, source);
    const double low = required(rope.low_freq_factor, "low_freq_factor", rope, source);
    const double high = required(rope.high_freq_factor, "high_freq_factor", rope, source);
    const auto context = static_cast<double>(original);
    for (float& frequency : frequencies) {
        const double wave = 2.0 * std::numbers::pi / static_cast<double>(frequency);
        if (wave > context / low) {
            frequency = static_cast<float>(static_cast<double>(frequency) / factor);
        } else if (wave >= context / high) {
            const double smooth = (context / wave - low) / (high - low);
            frequency = static_cast<float>((1.0 - smooth) * static_cast<double>(frequency) / factor +
                                           smooth * static_cast<double>(frequency));
        }
    }
}

/// By how much YaRN sharpens attention over a context that is `scale` times as long.
double yarn_magnitude(double scale, double mscale) {
    return scale <= 1.0 ? 1.0 : 0.1 * mscale * std::log(scale) + 1.0;
}

void scale_yarn(const RopeFields& rope, double theta, const RotarySizes& sizes, std::int64_t original, RotaryConfig& out,
                const std::string& source) {
    const double factor = rope.factor.value_or(static_cast<double>(sizes.max_positions) / static_cast<double>(original));
    if (rope.attention_factor) {
        out.attention_factor = static_cast<float>(*rope.attention_factor);
    } else if (rope.mscale.value_or(0.0) != 0.0 && rope.mscale_all_dim.value_or(0.0) != 0.0) {
        out.attention_factor =
            static_cast<float>(yarn_magnitude(factor, *rope.mscale) / yarn_magnitude(factor, *rope.mscale_all_dim));
    } else {
        out.attention_factor = static_cast<float>(yarn_magnitude(factor, 1.0));
    }
    if (theta <= 1.0) fail(Code::kCorrupt, "{}: rotary positions of type \"yarn\" with a base of {}", quote(source, 400), theta);
    // The pair that turns `rotations` times over the original context.
    const auto dim = static_cast<double>(sizes.head_dim);
    const auto pair_of = [&](double rotations) {
        return dim * std::log(static_cast<double>(original) / (rotations * 2.0 * std::numbers::pi)) / (2.0 * std::log(theta));
    };
    double low = pair_of(rope.beta_fast.value_or(32.0));
    double high = pair_of(rope.beta_slow.value_or(1.0));
    if (rope.truncate) {
        low = std::floor(low);
        high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, dim - 1.0);
    if (low == high) high += 0.001;
    for (std::size_t i = 0; i < out.frequencies.size(); ++i) {
        const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
        const auto plain = static_cast<double>(out.frequencies[i]);
        out.frequencies[i] = static_cast<float>(plain / factor * ramp + plain * (1.0 - ramp));
    }
}

}  // namespace

RotaryConfig make_rotary(const RopeFields& rope, const RotarySizes& sizes, const std::string& source) {
    if (rope.partial_rotary_factor.value_or(1.0) != 1.0)
        fail(Code::kUnsupported, "{}: partial_rotary_factor {}; heads are rotated as a whole", quote(source, 400),
             *rope.partial_rotary_factor);
    const double theta = rope.theta.value_or(sizes.default_theta);
    const std::int64_t original = rope.original_context.value_or(sizes.max_positions);
    RotaryConfig out;
    out.frequencies = plain_frequencies(theta, sizes.head_dim);
    if (rope.type == "linear") {
        const double factor = required(rope.factor, "factor", rope, source);
        for (float& frequency : out.frequencies) frequency = static_cast<float>(static_cast<double>(frequency) / factor);
    } else if (rope.type == "dynamic") {
        out.dynamic_factor = required(rope.factor, "factor", rope, source);
        out.dynamic_theta = theta;
        out.original_context = sizes.max_positions;
        if (out.dynamic_factor < 1.0 || sizes.head_dim <= 2)
            fail(Code::kCorrupt, "{}: rotary positions of type \"dynamic\" with a factor of {} and heads of {} dimensions",
                 quote(source, 400), out.dynamic_factor, sizes.head_dim);
    } else if (rope.type == "llama3") {
        scale_llama3(rope, original, out.frequencies, source);
    } else if (rope.type == "yarn") {
        scale_yarn(rope, theta, sizes, original, out, source);
    } else if (rope.type != "default") {
        fail(Code::kUnsupported, "{}: rotary positions of type {}; default, linear, dynamic, llama3 and yarn are supported",
             quote(source, 400), quote(rope.type));
    }
    const bool usable = std::all_of(out.frequencies.begin(), out.frequencies.end(), [](float f) { return std::isfinite(f); });
    if (!usable || !std::isfinite(out.attention_factor) || out.attention_factor <= 0.0F)
        fail(Code::kCorrupt, "{}: rotary positions of type {} with a base of {} and a factor of {} are no numbers",
             quote(source, 400), quote(rope.type), theta, rope.factor.value_or(1.0));
    return out;
}

std::int64_t scaled_context(const RopeFields& rope, std::int64_t max_positions) {
    auto longest = static_cast<double>(max_positions);
    if (rope.type == "linear" || rope.type == "dynamic") {
        longest *= std::max(rope.factor.value_or(1.0), 1.0);
    } else if (rope.type == "yarn" && rope.original_context) {
        longest = std::max(longest, static_cast<double>(*rope.original_context) * rope.factor.value_or(1.0));
    }
    return static_cast<std::int64_t>(std::min(longest, kMaxContext));
}

}  // namespace rag::core
