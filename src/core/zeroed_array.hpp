// A large array of plain numbers that begins as all zeros: memory that the system clears when it is first touched, so that what
// is never used costs neither time nor memory. Not thread-safe by itself.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

namespace rag::core {

template <typename T>
class ZeroedArray {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_default_constructible_v<T>);
    static_assert(alignof(T) <= alignof(std::max_align_t));

  public:
    /// Throws std::bad_alloc.
    explicit ZeroedArray(std::size_t count) : memory_(static_cast<T*>(std::calloc(count == 0 ? 1 : count, sizeof(T)))) {
        if (memory_ == nullptr) throw std::bad_alloc();
    }
    T& operator[](std::size_t at) const noexcept { return memory_.get()[at]; }

  private:
    struct Free {
        void operator()(T* memory) const noexcept { std::free(memory); }
    };
    std::unique_ptr<T, Free> memory_;
};

}  // namespace rag::core
