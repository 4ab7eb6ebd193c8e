#include "index/vector/aligned_array.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <limits>
#include <new>

namespace rag::core {
namespace {

thread_local bool small_pages = false;

void want_huge_pages(void* memory, std::size_t bytes) noexcept {
    if (!small_pages) static_cast<void>(::madvise(memory, bytes, MADV_HUGEPAGE));  // a wish: refused is fine
}

}  // namespace

SmallPages::SmallPages(bool wanted) noexcept : before_(small_pages) {
    small_pages = small_pages || wanted;
}
SmallPages::~SmallPages() {
    small_pages = before_;
}

void* allocate_aligned(std::size_t bytes) {
    constexpr std::size_t kLine = 64;
    constexpr std::size_t kHugePage = std::size_t{2} << 20;
    const std::size_t unit = bytes < 2 * kHugePage ? kLine : kHugePage;
    if (bytes > std::numeric_limits<std::size_t>::max() - unit) throw std::bad_alloc();
    const std::size_t rounded = std::max(unit, (bytes + unit - 1) / unit * unit);
    void* memory = std::aligned_alloc(unit, rounded);
    if (memory == nullptr) throw std::bad_alloc();
    if (unit == kHugePage) want_huge_pages(memory, rounded);
    return memory;
}

namespace {

constexpr std::size_t kOwnMapping = std::size_t{256} << 10;
constexpr std::size_t kHuge = std::size_t{2} << 20;

std::size_t round_to(std::size_t bytes, std::size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

/// What the system maps for a block: whole pages.
std::size_t mapped_size(std::size_t bytes) {
    return round_to(bytes, std::size_t{4} << 10);
}

}  // namespace

void* allocate_block(std::size_t bytes) {
    if (bytes < kOwnMapping) return allocate_aligned(bytes);
    if (bytes > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc();
    const std::size_t size = mapped_size(bytes);
    // Huge pages begin at multiples of their size: so much more is mapped, and what is not needed given back.
    const std::size_t room = size < 2 * kHuge ? 0 : kHuge;
    void* mapped = ::mmap(nullptr, size + room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    if (room == 0) return mapped;
    auto* const begin = static_cast<char*>(mapped);
    const auto address = reinterpret_cast<std::uintptr_t>(begin);
    const std::size_t before = round_to(address, kHuge) - address;
    if (before > 0) ::munmap(begin, before);
    if (room > before) ::munmap(begin + before + size, room - before);
    want_huge_pages(begin + before, size);
    return begin + before;
}

void free_block(void* memory, std::size_t bytes) noexcept {
    if (bytes < kOwnMapping) return std::free(memory);
    ::munmap(memory, mapped_size(bytes));
}

template <typename T>
AlignedArray<T>::AlignedArray(std::size_t size) : size_(size) {
    if (size > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = size * sizeof(T);
    data_ = std::unique_ptr<T[], Free>(static_cast<T*>(allocate_block(bytes)), Free{bytes});
}
namespace {

// Smaller arrays are copied in less than a millisecond.
constexpr std::size_t kLeastReserved = 2 * kHuge;
// Addresses cost nothing; after so many times the size the values are copied once.
constexpr std::size_t kReservedTimes = 16;
constexpr std::size_t kMostReserved = std::size_t{64} << 30;

/// Bytes to map for an array of so many.
std::size_t with_room(std::size_t bytes) {
    if (bytes < kLeastReserved || bytes >= kMostReserved / kReservedTimes) return bytes;
    return bytes * kReservedTimes;
}

}  // namespace

template <typename T>
GrowingArray<T>::Memory::Memory(std::size_t size) : used(size), room(size), begin(nullptr) {
    if (size > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = size * sizeof(T);
    const std::size_t wanted = with_room(bytes);
    if (wanted > bytes) {
        try {
            begin = static_cast<T*>(allocate_block(wanted));
            room = wanted / sizeof(T);
            return;
        } catch (const std::bad_alloc&) {
            // Where addresses are limited, without room.
        }
    }
    begin = static_cast<T*>(allocate_block(bytes));
}

template <typename T>
GrowingArray<T>::GrowingArray(std::size_t size) : memory_(std::make_shared<Memory>(size)) {}

template <typename T>
GrowingArray<T>::GrowingArray(const GrowingArray& base, std::size_t kept, std::size_t size) {
    if (base.memory_ && base.memory_->used == kept && size >= kept && size <= base.memory_->room) {
        memory_ = base.memory_;
        memory_->used = size;
        kept_ = kept;
    } else {
        memory_ = std::make_shared<Memory>(size);
    }
}

template class GrowingArray<float>;
template class GrowingArray<std::int8_t>;
template class AlignedArray<float>;
template class AlignedArray<std::int8_t>;
template class AlignedArray<std::uint32_t>;
template class AlignedArray<char>;

}  // namespace rag::core
