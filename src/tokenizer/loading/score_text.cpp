#include "tokenizer/loading/score_text.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

namespace rag::core {
namespace {

constexpr int kLargestPower = 308;

std::array<double, kLargestPower + 1> make_powers() {
    std::array<double, kLargestPower + 1> powers{};
    for (std::size_t i = 0; i < powers.size(); ++i) {
        const std::string text = fmt::format("1e{}", i);
        std::from_chars(text.data(), text.data() + text.size(), powers[i]);
    }
    return powers;
}

// digits * 10^exponent, as serde_json's f64_from_parts goes about it.
double from_parts(std::uint64_t digits, int exponent) {
    static const auto kPowers = make_powers();
    auto value = static_cast<double>(digits);
    for (; exponent < -kLargestPower; exponent += kLargestPower) value /= kPowers[kLargestPower];
    const double power = kPowers[static_cast<std::size_t>(exponent < 0 ? -exponent : exponent)];
    return exponent < 0 ? value / power : value * power;
}

}  // namespace

double score_by_serde_json(double score) {
    const std::string text = fmt::format("{}", std::fabs(score));  // the shortest that reads as the same double
    std::uint64_t digits = 0;
    int exponent = 0;
    bool fraction = false;
    std::size_t at = 0;
    for (; at < text.size() && text[at] != 'e'; ++at) {
        if (text[at] == '.') {
            fraction = true;
            continue;
        }
        digits = digits * 10 + static_cast<std::uint64_t>(text[at] - '0');  // at most 17 of them count
        exponent -= fraction ? 1 : 0;
    }
    if (at < text.size()) {
        int written = 0;
        const char* const begin = text.data() + at + (text[at + 1] == '+' ? 2 : 1);
        std::from_chars(begin, text.data() + text.size(), written);
        exponent += written;
    }
    const double value = from_parts(digits, exponent);
    return std::copysign(value, score);
}

std::optional<double> score_for_serde_json(double score) {
    constexpr int kMost = 4;  // reading is off by one or two
    if (!std::isfinite(score)) return std::nullopt;
    double above = score, below = score;
    for (int i = 0; i <= kMost; ++i) {
        if (std::isfinite(above) && score_by_serde_json(above) == score) return above;
        if (std::isfinite(below) && score_by_serde_json(below) == score) return below;
        above = std::nextafter(above, std::numeric_limits<double>::infinity());
        below = std::nextafter(below, -std::numeric_limits<double>::infinity());
    }
    return std::nullopt;
}

}  // namespace rag::core
