// One tensor as it lies in a model file, whatever the format: name, element type, shape, bytes. formats/ lists tensors of every
// type; whoever uses one decides whether it knows the type, so that a file with an exotic tensor that nobody asks for still
// opens. Immutable after the file is open; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// Element types. kOther: listed by name only (type_name), `bytes` may be empty although the shape is not.
/// Those with Q are GGUF's blocks along the innermost dimension: of 32 elements Q8_0 to Q5_1, of 256 Q2_K to Q6_K.
enum class TensorType : std::uint8_t {
    kF64,
    kF32,
    kF16,
    kBF16,
    kI64,
    kI32,
    kI16,
    kI8,
    kU64,
    kU32,
    kU16,
    kU8,
    kBool,
    kQ8_0,
    kQ4_0,
    kQ4_1,
    kQ5_0,
    kQ5_1,
    kQ2K,
    kQ3K,
    kQ4K,
    kQ5K,
    kQ6K,
    kOther,
};

struct TensorInfo {
    std::string name;
    TensorType type = TensorType::kOther;
    std::string type_name;             // as the format calls it: "F32", "BF16", "Q6_K"
    std::vector<std::int64_t> shape;   // outermost first, row-major; empty for a scalar
    std::span<const std::byte> bytes;  // inside the mapped file; alignment is not promised
    std::string_view file;             // path, for messages; lives as long as the object that lists the tensor
};

/// "[30522, 384]", as the messages print it.
std::string describe_shape(std::span<const std::int64_t> shape);

/// Product of the dimensions. Throws kCorrupt naming `what` for a negative dimension or a product above 2^63 - 1.
std::uint64_t count_elements(std::span<const std::int64_t> shape, std::string_view what);

}  // namespace rag::core
