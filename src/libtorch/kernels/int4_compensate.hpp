// Rounding of one output's weights to four bits with error compensation (GPTQ, Frantar et al. 2022,
// https://arxiv.org/abs/2210.17323): inputs are rounded one after another, and what a rounding leaves is made good by the inputs
// that are still to come, as much as they go together with it in a text sample.
// Over Google Highway. Thread rule: pure function; the caller spreads outputs over threads.
#pragma once

#include "libtorch/kernels/int4.hpp"

namespace rag::core::libtorch::kernels {

/// weights: [int4_groups(inputs) * 32], those behind `inputs` 0; changed on the way. factor: the upper Cholesky factor of the
/// inverse of the inputs' second moments, [inputs, inputs], its diagonal above 0. importance: [groups * 32], weights of the
/// squared errors for choosing scales and minima. out: one a group. False: a value is not finite or beyond half precision.
bool compensate_int4(float* weights, std::int64_t inputs, const float* factor, const float* importance, Int4Codes* out);

}  // namespace rag::core::libtorch::kernels
