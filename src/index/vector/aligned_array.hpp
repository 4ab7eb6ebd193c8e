// Memory for rows, codes and links: aligned to cache lines, on huge pages where the system gives them, not initialised.
// Thread rule: that of the values in it. Not for what grows: the size is final.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace rag::core {

/// Memory aligned to a cache line, not initialised; large blocks on huge pages where the system gives them, because a walk over a
/// graph touches a row here and a row there, and would wait for the address of each. Throws std::bad_alloc. Freed by std::free.
void* allocate_aligned(std::size_t bytes);

/// The same, but a large block goes back to the system at once when it is freed: the allocator would keep what is below 32 MiB,
/// and a tail of a million rows is a thousand such blocks. Freed by free_block with the same size.
void* allocate_block(std::size_t bytes);
void free_block(void* memory, std::size_t bytes) noexcept;

/// While one lives, blocks of its thread are not on huge pages: the system prepares a page when it is first touched, a huge one
/// in up to 5 ms where the machine is virtual, and nothing else runs on that core meanwhile. For work beside searches.
class SmallPages {
  public:
    explicit SmallPages(bool wanted) noexcept;
    ~SmallPages();
    SmallPages(const SmallPages&) = delete;
    SmallPages& operator=(const SmallPages&) = delete;

  private:
    bool before_;
};

template <typename T>
class AlignedArray {
  public:
    AlignedArray() = default;
    explicit AlignedArray(std::size_t size);
    T* data() noexcept { return data_.get(); }
    const T* data() const noexcept { return data_.get(); }
    std::size_t size() const noexcept { return size_; }

  private:
    struct Free {
        std::size_t bytes = 0;
        void operator()(T* pointer) const noexcept { free_block(pointer, bytes); }
    };
    std::unique_ptr<T[], Free> data_;
    std::size_t size_ = 0;
};

/// Values that a longer array can go on from without a copy: more addresses are reserved than memory is used, and the longer
/// array writes behind the values it keeps, where readers of the shorter one do not look. Aligned and not initialised as above.
/// Thread rule: one thread at a time makes arrays from one another; any may read what was written.
template <typename T>
class GrowingArray {
  public:
    GrowingArray() = default;
    /// Throws std::bad_alloc.
    explicit GrowingArray(std::size_t size);
    /// Goes on behind the first `kept` values of `base` where that is its last such array and there is room: then kept() of them
    /// are there already. Else all are to be written.
    GrowingArray(const GrowingArray& base, std::size_t kept, std::size_t size);
    T* data() noexcept { return memory_ ? memory_->begin : nullptr; }
    const T* data() const noexcept { return memory_ ? memory_->begin : nullptr; }
    std::size_t kept() const noexcept { return kept_; }

  private:
    struct Memory {
        explicit Memory(std::size_t size);
        ~Memory() { free_block(begin, room * sizeof(T)); }
        Memory(const Memory&) = delete;
        Memory& operator=(const Memory&) = delete;
        std::size_t used;
        std::size_t room;
        T* begin;
    };
    std::shared_ptr<Memory> memory_;
    std::size_t kept_ = 0;
};

}  // namespace rag::core
