// Rows of activations on the way forward and back against plain loops in double precision: rows shorter and longer than a vector
// register, in float32 and bfloat16, with and without what may be left out; dropped shares and their repetition.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <random>

#include "libtorch/kernels/training_rows.hpp"

using namespace rag::core::libtorch::kernels;

namespace {

constexpr std::int64_t kColumns[] = {1, 7, 16, 33, 64, 97};

std::vector<float> numbers(std::uint64_t seed, std::int64_t count, float centre = 0.0F) {
    std::mt19937_64 generator(seed);
    std::vector<float> out(static_cast<std::size_t>(count));
    for (float& value : out) {
        value = centre + static_cast<float>(static_cast<double>(generator() >> 11) * 0x1p-52 - 1.0);
    }
    return out;
}

// Rounded to nearest even, as hardware does.
std::uint16_t to_bfloat16(float value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

float from_bfloat16(std::uint16_t half) {
    const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16U;
    float value = 0.0F;
    std::memcpy(&value, &bits, sizeof bits);
    return value;
}

// Numbers in one of the two types; value() is what the kernel sees.
struct Row {
    Row(NumberType kind, std::vector<float> values) : type(kind), wide(std::move(values)) {
        for (float& value : wide) {
            narrow.push_back(to_bfloat16(value));
            if (type == NumberType::kBFloat16) {
                value = from_bfloat16(narrow.back());
            }
        }
    }
    Row(NumberType kind, std::int64_t count) : Row(kind, std::vector<float>(static_cast<std::size_t>(count), 9.0F)) {}
    ConstNarrow in() const {
        return {type == NumberType::kBFloat16 ? static_cast<const void*>(narrow.data()) : wide.data(), type};
    }
    Narrow out() { return {type == NumberType::kBFloat16 ? static_cast<void*>(narrow.data()) : wide.data(), type}; }
    double value(std::int64_t i) const {
        const auto at = static_cast<std::size_t>(i);
        return static_cast<double>(type == NumberType::kBFloat16 ? from_bfloat16(narrow[at]) : wide[at]);
    }
    double tolerance() const { return type == NumberType::kBFloat16 ? 8e-3 : 2e-5; }

    NumberType type;
    std::vector<float> wide;
    std::vector<std::uint16_t> narrow;
};

double at(const std::vector<float>& values, std::int64_t i) {
    return static_cast<double>(values[static_cast<std::size_t>(i)]);
}

void check_near(double found, double expected, double tolerance) {
    CHECK(std::abs(found - expected) <= tolerance * std::max(1.0, std::abs(expected)));
}

// The slope of f at x.
template <typename Function>
double slope(Function f, double x) {
    return (f(x + 1e-5) - f(x - 1e-5)) / 2e-5;
}

double activated(Gate kind, double x) {
    const double cubic = std::sqrt(2.0 / std::acos(-1.0)) * (x + 0.044715 * x * x * x);
    return kind == Gate::kSilu ? x / (1.0 + std::exp(-x)) : 0.5 * x * (1.0 + std::tanh(cubic));
}

}  // namespace

TEST_CASE("RMSNorm of a sum, and its gradients", "[training rows]") {
    for (const NumberType type : {NumberType::kFloat32, NumberType::kBFloat16}) {
        for (const std::int64_t n : kColumns) {
            for (const bool adds : {true, false}) {
                const auto x = numbers(1, n), weight = numbers(2, n, 1.0F), of_sum = numbers(3, n);
                const Row add(type, numbers(4, n)), gradient(type, numbers(5, n));
                std::vector<float> sum(x.size()), to_sum(x.size()), to_weight(x.size(), 0.5F);
                Row out(type, n);
                const float inverse = rms_norm_forward(x.data(), adds ? add.in() : ConstNarrow{}, weight.data(), 0.25F, n, 1e-3F,
                                                       sum.data(), out.out());
                std::vector<double> s;
                double squares = 0.0;
                for (std::int64_t i = 0; i < n; ++i) {
                    s.push_back(at(x, i) + (adds ? add.value(i) : 0.0));
                    squares += s.back() * s.back();
                }
                const double root = 1.0 / std::sqrt(squares / static_cast<double>(n) + static_cast<double>(1e-3F));
                check_near(static_cast<double>(inverse), root, 1e-5);
                double common = 0.0;
                for (std::int64_t i = 0; i < n; ++i) {
                    const double w = at(weight, i) + 0.25;
                    check_near(at(sum, i), s[static_cast<std::size_t>(i)], 1e-6);
                    check_near(out.value(i), s[static_cast<std::size_t>(i)] * root * w, out.tolerance());
                    common += gradient.value(i) * w * s[static_cast<std::size_t>(i)] * root / static_cast<double>(n);
                }
                rms_norm_backward(gradient.in(), adds ? of_sum.data() : nullptr, sum.data(), weight.data(), 0.25F, inverse, n,
                                  to_sum.data(), to_weight.data());
                for (std::int64_t i = 0; i < n; ++i) {
                    const double normed = s[static_cast<std::size_t>(i)] * root;
                    const double own = root * (gradient.value(i) * (at(weight, i) + 0.25) - normed * common);
                    check_near(at(to_sum, i), own + (adds ? at(of_sum, i) : 0.0), 1e-4);
                    check_near(at(to_weight, i), 0.5 + gradient.value(i) * normed, 1e-4);
                }
            }
        }
    }
}

TEST_CASE("LayerNorm of a sum, and its gradients", "[training rows]") {
    for (const NumberType type : {NumberType::kFloat32, NumberType::kBFloat16}) {
        for (const std::int64_t n : kColumns) {
            for (const bool all : {true, false}) {
                const auto x = numbers(1, n), weight = numbers(2, n, 1.0F), bias = numbers(3, n), of_wide = numbers(6, n);
                const Row add(type, numbers(4, n)), gradient(type, numbers(5, n));
                std::vector<float> sum(x.size()), wide(x.size()), to_sum(x.size()), to_weight(x.size(), 0.5F),
                    to_bias(x.size(), 1.5F);
                Row out(type, n);
                const LayerNormMoments moments =
                    layer_norm_forward(x.data(), all ? add.in() : ConstNarrow{}, weight.data(), all ? bias.data() : nullptr, n,
                                       1e-3F, sum.data(), wide.data(), all ? out.out() : Narrow{nullptr, type});
                double mean = 0.0;
                double variance = 0.0;
                const auto s = [&](std::int64_t i) { return at(x, i) + (all ? add.value(i) : 0.0); };
                for (std::int64_t i = 0; i < n; ++i) {
                    mean += s(i) / static_cast<double>(n);
                }
                for (std::int64_t i = 0; i < n; ++i) {
                    variance += (s(i) - mean) * (s(i) - mean) / static_cast<double>(n);
                }
                const double root = 1.0 / std::sqrt(variance + static_cast<double>(1e-3F));
                check_near(static_cast<double>(moments.mean), mean, 1e-5);
                check_near(static_cast<double>(moments.inverse), root, 1e-4);
                const auto g = [&](std::int64_t i) { return gradient.value(i) + (all ? at(of_wide, i) : 0.0); };
                double average = 0.0;
                double common = 0.0;
                for (std::int64_t i = 0; i < n; ++i) {
                    const double normed = (s(i) - mean) * root;
                    const double expected = normed * at(weight, i) + (all ? at(bias, i) : 0.0);
                    check_near(at(wide, i), expected, 1e-4);
                    if (all) {
                        check_near(out.value(i), expected, out.tolerance());
                    }
                    average += g(i) * at(weight, i) / static_cast<double>(n);
                    common += g(i) * at(weight, i) * normed / static_cast<double>(n);
                }
                layer_norm_backward(all ? of_wide.data() : nullptr, gradient.in(), sum.data(), weight.data(), moments, n,
                                    to_sum.data(), to_weight.data(), all ? to_bias.data() : nullptr);
                for (std::int64_t i = 0; i < n; ++i) {
                    const double normed = (s(i) - mean) * root;
                    check_near(at(to_sum, i), root * (g(i) * at(weight, i) - average - normed * common), 1e-3);
                    check_near(at(to_weight, i), 0.5 + g(i) * normed, 1e-4);
                    check_near(at(to_bias, i), 1.5 + (all ? g(i) : 0.0), 1e-5);
                }
            }
        }
    }
}

TEST_CASE("gated activations and their gradients", "[training rows]") {
    for (const NumberType type : {NumberType::kFloat32, NumberType::kBFloat16}) {
        for (const Gate kind : {Gate::kSilu, Gate::kGeluTanh}) {
            for (const std::int64_t n : kColumns) {
                std::vector<float> far = numbers(1, n);
                for (float& value : far) {
                    value *= 20.0F;
                }
                const Row gate(type, far), up(type, numbers(2, n)), gradient(type, numbers(3, n));
                Row out(type, n), to_gate(type, n), to_up(type, n);
                gate_forward(kind, gate.in(), up.in(), n, out.out());
                gate_backward(kind, gradient.in(), gate.in(), up.in(), n, to_gate.out(), to_up.out());
                for (std::int64_t i = 0; i < n; ++i) {
                    const double value = activated(kind, gate.value(i));
                    check_near(out.value(i), value * up.value(i), out.tolerance());
                    check_near(to_up.value(i), gradient.value(i) * value, out.tolerance());
                    const double steep = slope([&](double x) { return activated(kind, x); }, gate.value(i));
                    check_near(to_gate.value(i), gradient.value(i) * up.value(i) * steep, std::max(out.tolerance(), 1e-4));
                }
            }
        }
    }
}

TEST_CASE("rotating there and back gives the same numbers", "[training rows]") {
    for (const std::int64_t half : {1, 8, 20}) {
        const std::int64_t heads = 3;
        const Row x(NumberType::kFloat32, numbers(1, heads * 2 * half));
        std::vector<float> cosines, sines;
        for (std::int64_t i = 0; i < half; ++i) {
            cosines.push_back(std::cos(0.3F * static_cast<float>(i + 1)));
            sines.push_back(std::sin(0.3F * static_cast<float>(i + 1)));
        }
        Row turned(NumberType::kFloat32, heads * 2 * half), back(NumberType::kFloat32, heads * 2 * half);
        rotate_forward(x.in(), heads, half, cosines.data(), sines.data(), false, turned.out());
        rotate_forward(turned.in(), heads, half, cosines.data(), sines.data(), true, back.out());
        for (std::int64_t head = 0; head < heads; ++head) {
            for (std::int64_t i = 0; i < half; ++i) {
                const std::int64_t low = head * 2 * half + i;
                check_near(turned.value(low), x.value(low) * at(cosines, i) - x.value(low + half) * at(sines, i), 1e-5);
                check_near(turned.value(low + half), x.value(low + half) * at(cosines, i) + x.value(low) * at(sines, i), 1e-5);
                check_near(back.value(low), x.value(low), 1e-5);
                check_near(back.value(low + half), x.value(low + half), 1e-5);
            }
        }
    }
}

TEST_CASE("a dropped share, the same again for the same seed, another for another", "[training rows]") {
    const std::int64_t n = 20'000;
    const Row x(NumberType::kFloat32, numbers(1, n, 3.0F));
    Row out(NumberType::kFloat32, n), again(NumberType::kFloat32, n), other(NumberType::kFloat32, n),
        parts(NumberType::kFloat32, n);
    drop_row(x.in(), n, 0.3, 42, 0, out.out());
    drop_row(x.in(), n, 0.3, 42, 0, again.out());
    drop_row(x.in(), n, 0.3, 43, 0, other.out());
    std::int64_t dropped = 0, both = 0;
    for (std::int64_t i = 0; i < n; ++i) {
        const bool zero = out.value(i) == 0.0;
        dropped += zero ? 1 : 0;
        both += zero && other.value(i) == 0.0 ? 1 : 0;
        if (!zero) {
            check_near(out.value(i), x.value(i) / 0.7, 1e-5);
        }
        CHECK(out.value(i) == again.value(i));
    }
    CHECK(std::abs(static_cast<double>(dropped) / static_cast<double>(n) - 0.3) < 0.015);
    CHECK(std::abs(static_cast<double>(both) / static_cast<double>(n) - 0.09) < 0.01);
}

TEST_CASE("numbers are added to and widened", "[training rows]") {
    for (const NumberType type : {NumberType::kFloat32, NumberType::kBFloat16}) {
        for (const std::int64_t n : kColumns) {
            const auto x = numbers(1, n);
            const Row add(type, numbers(2, n));
            std::vector<float> out(x.size());
            add_row(x.data(), add.in(), n, out.data());
            for (std::int64_t i = 0; i < n; ++i) {
                check_near(at(out, i), at(x, i) + add.value(i), 1e-6);
            }
        }
    }
}
