#include "libtorch/layers/rotary.hpp"

#include "libtorch/device/device_rows.hpp"

namespace rag::core::libtorch {
namespace {

// The frequencies of a sequence longer than the original context (bloc97 and emozilla's dynamic NTK scaling, as in transformers).
std::vector<float> dynamic_frequencies(const RotaryConfig& config, std::int64_t length) {
    const auto head_dim = static_cast<double>(2 * config.frequencies.size());
    const double stretch = config.dynamic_factor * static_cast<double>(length) / static_cast<double>(config.original_context);
    const double base = config.dynamic_theta * std::pow(stretch - (config.dynamic_factor - 1.0), head_dim / (head_dim - 2.0));
    std::vector<float> out;
    for (std::size_t i = 0; i < config.frequencies.size(); ++i) {
        out.push_back(static_cast<float>(std::pow(base, -2.0 * static_cast<double>(i) / head_dim)));
    }
    return out;
}

}  // namespace

RotaryRows::RotaryRows(const RotaryConfig& config, std::int64_t rows)
    : config_(config), half_(static_cast<std::int64_t>(config.frequencies.size())) {
    cosines_.reserve(static_cast<std::size_t>(rows * half_));
    sines_.reserve(static_cast<std::size_t>(rows * half_));
}

void RotaryRows::add(std::int64_t first, std::int64_t rows, std::int64_t length) {
    const bool dynamic = config_.dynamic_factor > 0.0 && length > config_.original_context;
    const std::vector<float> stretched = dynamic ? dynamic_frequencies(config_, length) : std::vector<float>();
    const std::vector<float>& frequencies = dynamic ? stretched : config_.frequencies;
    const auto factor = static_cast<double>(config_.attention_factor);
    for (std::int64_t row = 0; row < rows; ++row) {
        for (const float frequency : frequencies) {
            const auto angle = static_cast<double>(static_cast<float>(first + row) * frequency);
            cosines_.push_back(static_cast<float>(factor * std::cos(angle)));
            sines_.push_back(static_cast<float>(factor * std::sin(angle)));
        }
    }
}

void RotaryRows::add_turns(std::int64_t first, std::int64_t rows) {
    // The difference of the rounded angles, not the rounded angle of the difference: far out those are a thousandth apart.
    for (std::int64_t row = 0; row < rows; ++row) {
        for (const float frequency : config_.frequencies) {
            const auto from = static_cast<double>(static_cast<float>(row) * frequency);
            const auto to = static_cast<double>(static_cast<float>(first + row) * frequency);
            cosines_.push_back(static_cast<float>(std::cos(to - from)));
            sines_.push_back(static_cast<float>(std::sin(to - from)));
        }
    }
}

void RotaryRows::place_on(c10::Device device) {
    if (!device.is_cpu()) {
        const auto rows = static_cast<std::int64_t>(cosines_.size()) / half_;
        device_cosines_ = floats_on(device, cosines_, {rows, half_});
        device_sines_ = floats_on(device, sines_, {rows, half_});
    }
}

void RotaryRows::rotate_on_device(const at::Tensor& x, std::int64_t heads) const {
    rotate_heads_on_device(x.narrow(1, 0, heads * 2 * half_).view({x.size(0), heads, 2 * half_}), 0);
}

void RotaryRows::rotate_heads_on_device(const at::Tensor& heads, std::int64_t first) const {
    device_rotate(heads, device_cosines_.narrow(0, first, heads.size(0)), device_sines_.narrow(0, first, heads.size(0)));
}

void RotaryRows::rotate(std::int64_t row, float* x) const {
    const float* cosine = cosines_.data() + row * half_;
    const float* sine = sines_.data() + row * half_;
    float* high = x + half_;
    for (std::int64_t i = 0; i < half_; ++i) {
        const float a = x[i];
        const float b = high[i];
        x[i] = a * cosine[i] - b * sine[i];
        high[i] = b * cosine[i] + a * sine[i];
    }
}

}  // namespace rag::core::libtorch
