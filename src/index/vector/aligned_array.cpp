#include "index/vector/aligned_array.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <limits>
#include <new>

namespace rag::core {

void* allocate_aligned(std::size_t bytes) {
    constexpr std::size_t kLine = 64;
    constexpr std::size_t kHugePage = std::size_t{2} << 20;
    const std::size_t unit = bytes < 2 * kHugePage ? kLine : kHugePage;
    if (bytes > std::numeric_limits<std::size_t>::max() - unit) throw std::bad_alloc();
    const std::size_t rounded = std::max(unit, (bytes + unit - 1) / unit * unit);
    void* memory = std::aligned_alloc(unit, rounded);
    if (memory == nullptr) throw std::bad_alloc();
    if (unit == kHugePage) static_cast<void>(::madvise(memory, rounded, MADV_HUGEPAGE));  // a wish: refused is fine
    return memory;
}

template <typename T>
AlignedArray<T>::AlignedArray(std::size_t size) : size_(size) {
    if (size > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
    data_.reset(static_cast<T*>(allocate_aligned(size * sizeof(T))));
}
template class AlignedArray<float>;
template class AlignedArray<std::int8_t>;
template class AlignedArray<std::uint32_t>;
template class AlignedArray<char>;

}  // namespace rag::core
