// How librag's own packed matrices lie in a safetensors file (docs/quantised-folders.md): suffixes of their names, sizes, and
// where the shapes are that padding hides. Stateless, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

inline constexpr std::string_view kInt8Suffix = ".int8";
inline constexpr std::string_view kInt4Suffix = ".int4";
static_assert(kInt8Suffix.size() == kInt4Suffix.size());
/// int8: [outputs, inputs + kInt8ScaleBytes].
inline constexpr std::int64_t kInt8ScaleBytes = 4;
/// int4: [panels of kInt4Outputs, groups of kInt4Inputs, kInt4TileBytes].
inline constexpr std::int64_t kInt4Outputs = 16, kInt4Inputs = 32, kInt4TileBytes = 320;
/// The key of __metadata__ whose value is a JSON object: tensors of int4 whose last panel or group is not full, by name, with
/// their shapes [outputs, inputs].
inline constexpr const char* kPaddedShapes = "librag.padded";

using PaddedShapes = std::map<std::string, std::vector<std::int64_t>>;
std::string write_padded_shapes(const PaddedShapes& shapes);
/// Throws kCorrupt naming `file`.
PaddedShapes read_padded_shapes(std::string_view json, std::string_view file);

}  // namespace rag::core
