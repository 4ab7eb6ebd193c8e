// Rows of activations on the way forward and back, each in one pass where operators would take several: norms with the sum before
// them, gated activations, rotary positions. Sums and norms in float32; T is float or hwy::bfloat16_t (std::uint16_t here),
// rounded to nearest even. Thread rule: pure functions.
#pragma once

#include <cstdint>

#include "libtorch/kernels/number_type.hpp"

namespace rag::core::libtorch::kernels {

/// Numbers of one of the two types that training computes with.
struct Narrow {
    void* data = nullptr;
    NumberType type = NumberType::kFloat32;  // or kBFloat16
};
struct ConstNarrow {
    const void* data = nullptr;  // null: there are none
    NumberType type = NumberType::kFloat32;
};

/// x + add into `sum` (which may be x; add may be null), RMSNorm of it with weight + offset into `out`. Returns 1 / root.
float rms_norm_forward(const float* x, ConstNarrow add, const float* weight, float offset, std::int64_t columns, float epsilon,
                       float* sum, Narrow out);
/// From the gradients of `out` and of `sum` (null: none) that of x into `to_sum`, and of the weight, added to `to_weight` (may be
/// null).
void rms_norm_backward(ConstNarrow gradient, const float* of_sum, const float* sum, const float* weight, float offset,
                       float inverse, std::int64_t columns, float* to_sum, float* to_weight);

struct LayerNormMoments {
    float mean = 0.0F;
    float inverse = 0.0F;  // 1 / deviation
};
/// x + add into `sum` (which may be x; add may be null), LayerNorm of it (bias may be null) into `wide` and `out`.
LayerNormMoments layer_norm_forward(const float* x, ConstNarrow add, const float* weight, const float* bias, std::int64_t columns,
                                    float epsilon, float* sum, float* wide, Narrow out);
/// From the gradients of `wide` (null: none) and `out` (null: none) that of the sum, and those of weight and bias, added (null:
/// not).
void layer_norm_backward(const float* of_wide, ConstNarrow of_out, const float* sum, const float* weight,
                         LayerNormMoments moments, std::int64_t columns, float* to_sum, float* to_weight, float* to_bias);

enum class Gate : std::uint32_t { kSilu, kGeluTanh };
/// out = act(gate) * up; all of out's type.
void gate_forward(Gate kind, ConstNarrow gate, ConstNarrow up, std::int64_t columns, Narrow out);
void gate_backward(Gate kind, ConstNarrow gradient, ConstNarrow gate, ConstNarrow up, std::int64_t columns, Narrow to_gate,
                   Narrow to_up);

/// Both halves of each of `heads` heads by the row's angles (cosines and sines: [half]); `back`: the other way round.
void rotate_forward(ConstNarrow x, std::int64_t heads, std::int64_t half, const float* cosines, const float* sines, bool back,
                    Narrow out);

/// Each number is replaced by 0 with probability `share`, else divided by 1 - share: which ones depends on `seed` and the
/// number's place `first` + c alone. out may be x.
void drop_row(ConstNarrow x, std::int64_t columns, double share, std::uint64_t seed, std::uint64_t first, Narrow out);

/// out = x + add, or with x null the wide copy of add.
void add_row(const float* x, ConstNarrow add, std::int64_t columns, float* out);

}  // namespace rag::core::libtorch::kernels
