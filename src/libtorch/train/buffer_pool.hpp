// Memory for what a training step makes and the next one takes again. Handing blocks of megabytes back to the system and getting
// them anew costs a quarter of the time of a training step: every page is cleared and faulted in again. Blocks are cut from large
// regions, lowest address first, and join their neighbours when they come back, so that what is kept is the most that was in use
// at once. LibTorch asks its allocator on the worker's thread, so the operators' own results come from here too.
// Thread rule: allocate(), end_step() and give_back() on the trainer's worker; memory may be freed on any thread, also after the
// pool is gone.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

struct PoolRegion;

class BufferPool {
  public:
    BufferPool() = default;
    ~BufferPool();
    BufferPool(const BufferPool&) = delete;
    BufferPool& operator=(const BufferPool&) = delete;

    static constexpr std::size_t kSmallest = std::size_t{1} << 16;  // below, malloc is as fast
    /// Page-aligned, uninitialised; goes back through free_pooled(). Throws std::bad_alloc.
    void* allocate(std::size_t bytes);
    /// Returns regions to the system that nothing was taken from for some steps.
    void end_step();

    /// Returns to the system what is not in use, but for the addresses: before something else needs memory, such as saving. Costs
    /// nothing when nothing was taken since the last time.
    void give_back();

    /// While it lives, tensors on the CPU of at least kSmallest bytes that this thread makes come from `pool`. The first one puts
    /// an allocator in front of LibTorch's, which gives every other thread what that gives.
    class Use {
      public:
        explicit Use(BufferPool& pool);
        ~Use();
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;
    };

  private:
    std::vector<PoolRegion*> regions_;
    std::uint64_t step_ = 0;
    bool given_back_ = true;  // nothing was taken since
};

/// Gives memory back to the pool that it came from; false where it came from none.
bool free_pooled(void* data) noexcept;

}  // namespace rag::core::libtorch
