// Rotary positions (Su et al. 2021, https://arxiv.org/abs/2104.09864) of the rows of one packed pass. Cosines and sines are
// computed anew for every pass, once for all layers: that costs a thousandth of the pass, needs no table of the longest context,
// and lets the frequencies follow the length of the sequence ("dynamic NTK"). Angles are rounded to float32 as transformers does.
// In: positions, [rows, stride] float32; out: the same rows, turned. Thread rule: on the model's worker.
#pragma once

#include "libtorch/device/device.hpp"

namespace rag::core::libtorch {

class RotaryRows {
  public:
    /// Keeps a reference to `config`.
    RotaryRows(const RotaryConfig& config, std::int64_t rows);

    /// The next rows stand at positions first .. first + rows - 1 of a sequence that has `length` tokens with this call.
    void add(std::int64_t first, std::int64_t rows, std::int64_t length);
    /// The next rows are turned already as at positions 0 .. rows - 1; rotate() turns them on to `first` .. first + rows - 1. The
    /// attention factor is in them already, and the frequencies are those of short sequences.
    void add_turns(std::int64_t first, std::int64_t rows);
    /// Turns one head of row `row` in place; x: [2 * half].
    void rotate(std::int64_t row, float* x) const;
    /// For models on a device, after the last row was added: turns the first `heads` heads of every row of x [rows, stride]
    /// there, in place.
    void place_on(c10::Device device);
    void rotate_on_device(const at::Tensor& x, std::int64_t heads) const;
    /// Heads [rows, heads, 2 * half] by the turns of rows `first` and on, in place.
    void rotate_heads_on_device(const at::Tensor& heads, std::int64_t first) const;
    /// [rows, half], row-major.
    std::span<const float> cosines() const noexcept { return cosines_; }
    std::span<const float> sines() const noexcept { return sines_; }

  private:
    const RotaryConfig& config_;
    std::int64_t half_;
    std::vector<float> cosines_;  // [rows, half]
    std::vector<float> sines_;
    at::Tensor device_cosines_;  // the same on a device, or undefined
    at::Tensor device_sines_;
};

}  // namespace rag::core::libtorch
