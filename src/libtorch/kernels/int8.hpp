// Weights of eight bits against inputs of sixteen: y = row scale * output scale * (whole number sum) + bias. Inputs of one byte
// cost SmolLM2 0.9 % of its perplexity, these nothing that can be measured, and beside reading the weights they are free. A
// matrix is a row of panels of 16 outputs, a panel a row of tiles of 64 inputs and kInt8TileBytes, in which byte 64 * (k / 4) + 4
// * output + k % 4 is input k: what a matrix tile (AMX), a dot product of four bytes (VNNI) and a vector of 16 outputs all read
// as it lies. Outputs and inputs that are missing in the last panel and tile are 0. Sums are exact, so all ways below give the
// same numbers. Thread rule: pure functions; the caller spreads panels over threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rag::core::libtorch::kernels {

constexpr std::int64_t kInt8Group = 64;
constexpr std::int64_t kInt8PanelRows = 16;
constexpr std::int64_t kInt8TileBytes = 1024;
/// Rows of x that one call of multiply_int8 takes.
constexpr std::int64_t kInt8Rows = 4;
/// Sums of more products do not fit into 32 bits.
constexpr std::int64_t kInt8MaxInputs = 65536;

constexpr std::int64_t int8_groups(std::int64_t inputs) {
    return (inputs + kInt8Group - 1) / kInt8Group;
}
constexpr std::int64_t int8_panels(std::int64_t outputs) {
    return (outputs + kInt8PanelRows - 1) / kInt8PanelRows;
}
/// Bytes of a whole matrix.
constexpr std::int64_t int8_bytes(std::int64_t outputs, std::int64_t inputs) {
    return int8_panels(outputs) * int8_groups(inputs) * kInt8TileBytes;
}

/// Puts an output's bytes [inputs] into place `row` (0..15) of its panel, and reads them there.
void write_int8(const std::int8_t* bytes, std::int64_t inputs, std::int64_t row, std::byte* panel);
void read_int8(const std::byte* panel, std::int64_t inputs, std::int64_t row, std::int8_t* bytes);

/// x[k] is about scale * numbers[k], numbers in -32767..32767. `numbers` has int8_groups(inputs) * 64 entries; in each four the
/// second and the third have changed places, as the products want them.
void quantize_int8_inputs(const float* x, std::int64_t inputs, std::int16_t* numbers, float* scale);

/// The scale and bias of a panel's outputs.
struct Int8Outputs {
    const float* scale;        // [16]
    const std::int32_t* sums;  // [16], of each output's bytes
    const float* bias;         // [count], or null
    std::int64_t count;        // 1 .. 16
};

/// Rows as quantize_int8_inputs leaves them, one after another.
struct Int8Inputs {
    const std::int16_t* numbers;  // [rows, groups * 64]
    const float* scales;          // [rows]
    std::int64_t rows;            // 1 .. kInt8Rows
    std::int64_t groups;
};

/// out[r * out_stride + n] for the outputs of one panel.
void multiply_int8(const std::byte* panel, const Int8Inputs& x, const Int8Outputs& outputs, float* out, std::int64_t out_stride);

/// Many rows as matrix tiles and VNNI read them: the numbers' upper bytes plus 128, and their lower bytes. Rows stand in blocks
/// of 16; a block is, group by group, a tile of upper bytes and a tile of lower ones, [16, 64] each, so that a product reads
/// memory in its order. What is behind the last row may be anything.
struct Int8Planes {
    const std::uint8_t* tiles;  // aligned to 64, int8_planes_bytes()
    const float* scales;        // [rows]
    std::int64_t rows;          // that are there
    std::int64_t groups;
};

constexpr std::int64_t kInt8BlockRows = 16;
constexpr std::int64_t int8_planes_bytes(std::int64_t rows, std::int64_t groups) {
    return (rows + kInt8BlockRows - 1) / kInt8BlockRows * groups * 2 * kInt8TileBytes;
}

/// Rounds x [inputs] as quantize_int8_inputs does, into row `row` of planes. Only where int8_planes_available().
void load_int8_planes_row(const float* x, std::int64_t inputs, std::int64_t row, std::uint8_t* tiles, float* scale);

/// Whether the processor has instructions for multiply_int8_planes: AMX or AVX512-VNNI.
bool int8_planes_available();
/// The same as multiply_int8, for any number of rows and one or two (`second` not null) neighbouring panels.
void multiply_int8_planes(const std::byte* panel, const Int8Planes& x, const Int8Outputs& first, const Int8Outputs* second,
                          float* out, std::int64_t out_stride);
/// The same for one panel and at most kInt8Rows rows, whose time is that of reading the weights: half the instructions of
/// multiply_int8.
void multiply_int8_planes_few(const std::byte* panel, const Int8Planes& x, const Int8Outputs& outputs, float* out,
                              std::int64_t out_stride);
/// As multiply_int8_planes by vectors alone, for comparison.
void multiply_int8_planes_by_vectors(const std::byte* panel, const Int8Planes& x, const Int8Outputs& first,
                                     const Int8Outputs* second, float* out, std::int64_t out_stride);

}  // namespace rag::core::libtorch::kernels
