// Objects with threads, locks or database connections cannot be used in the child of a fork(). An object holds a ForkGuard and
// calls check() at its entries: in the child that throws kInvalidState instead of hanging on a lock whose owner does not exist.
// One relaxed load; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace rag::core {

class ForkGuard {
  public:
    /// Remembers the process that made the object.
    ForkGuard() noexcept;
    bool in_child() const noexcept;
    /// Throws Error(kInvalidState) naming `what` ("the engine", ...) in a child of the process that made it.
    void check(std::string_view what) const;

  private:
    std::uint32_t generation_;
};

}  // namespace rag::core
