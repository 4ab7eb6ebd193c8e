// Weights of four bits: groups of 32 along the inputs, each with a scale and a minimum in half precision, value = scale * code +
// minimum. Five bits a weight. A matrix is a row of panels of 16 outputs, a panel a row of tiles of 32 inputs, so that one vector
// of integers holds the same two inputs of 16 outputs and nothing has to be added across lanes. A tile has kInt4TileBytes:
//   16 scales, 16 minima (half precision, one an output), then 4 x 32 words of 16 bits: word 2 * output + parity of the j-th 32
//   holds the codes of the inputs 8j + parity, + 2, + 4, + 6 of that output, the lowest in the lowest four bits.
// Outputs and inputs that are missing in the last panel and tile have scale, minimum and codes 0. This is also the layout on
// disk. Over Google Highway. Thread rule: pure functions; the caller spreads panels over threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rag::core::libtorch::kernels {

constexpr std::int64_t kInt4Group = 32;
constexpr std::int64_t kInt4PanelRows = 16;
constexpr std::int64_t kInt4TileBytes = 320;
/// Rows of x that one call of multiply_int4 takes.
constexpr std::int64_t kInt4Rows = 4;

constexpr std::int64_t int4_groups(std::int64_t inputs) {
    return (inputs + kInt4Group - 1) / kInt4Group;
}
constexpr std::int64_t int4_panels(std::int64_t outputs) {
    return (outputs + kInt4PanelRows - 1) / kInt4PanelRows;
}
/// Bytes of a whole matrix.
constexpr std::int64_t int4_bytes(std::int64_t outputs, std::int64_t inputs) {
    return int4_panels(outputs) * int4_groups(inputs) * kInt4TileBytes;
}

/// The 32 weights of one output in one group.
struct Int4Codes {
    std::uint16_t scale;    // half precision
    std::uint16_t minimum;  // half precision
    std::uint8_t codes[kInt4Group];
};

/// Rounded to the nearest number of half precision, ties to even; what is larger becomes infinite.
std::uint16_t float_to_half(float value);

/// The scale, minimum and codes with the least squared error that a search over clipped ranges finds; each candidate range is
/// refined by least squares for its codes. `importance`: 32 weights of the squared errors, or null for equal ones; the codes of
/// values that do not matter are still the nearest. False: a value is not finite or beyond half precision.
bool round_int4(const float* values, const float* importance, Int4Codes& out);

/// Writes the codes of output `row` (0..15) into a tile.
void write_int4(const Int4Codes& codes, std::int64_t row, std::byte* tile);
/// The values of output `row` of a tile; the plain way, which the fast ones must equal.
void read_int4(const std::byte* tile, std::int64_t row, float* values);

/// A row of x in groups of 32 numbers of 16 bits: x[k] is about scale[k / 32] * numbers[k]. `sums`: of each group of x. Arrays of
/// int4_groups(inputs) (* 32) entries; inputs that are missing in the last group are 0.
void quantize_int4_inputs(const float* x, std::int64_t inputs, std::int16_t* numbers, float* scales, float* sums);

/// Rows of x as quantize_int4_inputs leaves them, one after another.
struct Int4Inputs {
    const std::int16_t* numbers;  // [rows, groups * 32]
    const float* scales;          // [rows, groups]
    const float* sums;            // [rows, groups]
    std::int64_t rows;            // 1 .. kInt4Rows
    std::int64_t groups;
};

/// out[r * out_stride + n] = x[r] * W[n] + bias[n] for the `outputs` (1 .. 16) outputs of one panel. bias may be null.
void multiply_int4(const std::byte* panel, const Int4Inputs& x, std::int64_t outputs, const float* bias, float* out,
                   std::int64_t out_stride);

/// A panel as plain rows of bfloat16, rounded to nearest even: out is [16, groups * 32].
void unpack_int4(const std::byte* panel, std::int64_t groups, std::uint16_t* out);

}  // namespace rag::core::libtorch::kernels
