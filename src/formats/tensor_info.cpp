#include "formats/tensor_info.hpp"

#include <limits>

#include "core/byte_reader.hpp"
#include "core/error.hpp"

namespace rag::core {

std::string describe_shape(std::span<const std::int64_t> shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", shape[i]);
    return text + "]";
}

std::uint64_t count_elements(std::span<const std::int64_t> shape, std::string_view what) {
    std::uint64_t count = 1;
    for (const std::int64_t dimension : shape) {
        if (dimension < 0) fail(Code::kCorrupt, "{}: dimension {} of shape {}", what, dimension, describe_shape(shape));
        count = checked_multiply(count, static_cast<std::uint64_t>(dimension), what);
    }
    if (count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        fail(Code::kCorrupt, "{}: shape {} has {} elements", what, describe_shape(shape), count);
    return count;
}

}  // namespace rag::core
