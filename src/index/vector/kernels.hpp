// The arithmetic of vector search: dot products and squared distances of padded rows, chosen at run time for the processor
// (Google Highway), and scalar twins that tests hold them to.
// Shapes: float rows have a multiple of kFloatPad elements, int8 rows a multiple of kCodePad, the padding is zero.
// Pure functions: any thread. Not for normalising or quantising (rows.hpp, codes.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace rag::core {

constexpr std::size_t kFloatPad = 16;  // 64 bytes, one AVX-512 register
constexpr std::size_t kCodePad = 64;

constexpr std::size_t padded_floats(std::size_t dimension) {
    return (dimension + kFloatPad - 1) / kFloatPad * kFloatPad;
}
constexpr std::size_t padded_codes(std::size_t dimension) {
    return (dimension + kCodePad - 1) / kCodePad * kCodePad;
}

/// One distance function of a pair as hnswlib calls it while a graph is built; a and b point to a PairRow, `shape` to a
/// PairShape.
using PairDistance = float (*)(const void* a, const void* b, const void* shape);

/// What a PairDistance needs to know of a row besides its values. Only codes have a scale and the squared length of their floats.
struct PairRow {
    const void* values;  // floats or codes; not used where PairShape has bytes
    float scale;
    float squared_length;
};

/// How rows lie: their values, if so many bytes are not 0, and then a PairRow.
struct PairShape {
    std::size_t length;  // padded elements
    std::size_t bytes = 0;
};

/// What encode() tells of a row besides its codes.
struct CodeSums {
    float scale;           // largest magnitude / 127
    float squared_length;  // of the values
    float squared_error;   // of the codes, in steps of the scale; of codes that are all zero it means nothing
};

/// 1 / scale; 0 where that is no float: a row so small is all zeros as far as float32 can tell.
inline float code_steps(float scale) {
    const float inverse = 1.0F / scale;
    return scale > 0 && inverse <= std::numeric_limits<float>::max() ? inverse : 0.0F;
}

struct Kernels {
    const char* target;  // "AVX3", "AVX2", "scalar", ...
    float (*dot)(const float* a, const float* b, std::size_t length);
    float (*squared_l2)(const float* a, const float* b, std::size_t length);
    std::int32_t (*dot_i8)(const std::int8_t* a, const std::int8_t* b, std::size_t length);
    /// out[i] = kernel(query, base + rows[i] * length) for i < count; the next rows are prefetched meanwhile.
    /// rows nullptr: rows 0, 1, ... count - 1.
    void (*dot_rows)(const float* query, const float* base, const std::uint32_t* rows, std::size_t count, std::size_t length,
                     float* out);
    void (*squared_l2_rows)(const float* query, const float* base, const std::uint32_t* rows, std::size_t count,
                            std::size_t length, float* out);
    void (*dot_i8_rows)(const std::int8_t* query, const std::int8_t* base, const std::uint32_t* rows, std::size_t count,
                        std::size_t length, std::int32_t* out);
    /// codes[i] = values[i] / scale, rounded to the nearest (ties to even); the same on every processor. `length` is a multiple
    /// of kFloatPad. Where 1 / scale is no float, all codes are zero.
    CodeSums (*encode)(const float* values, std::size_t length, std::int8_t* codes);
    PairDistance pair_dot;  // -dot
    PairDistance pair_squared_l2;
    PairDistance pair_dot_i8;  // -scale_a * scale_b * dot
    PairDistance pair_squared_l2_i8;
};

/// The fastest kernels of this processor.
const Kernels& kernels();
/// Their slow twins, in double precision where it matters.
const Kernels& scalar_kernels();

}  // namespace rag::core
