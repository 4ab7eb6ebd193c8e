#include "core/fork_guard.hpp"

#include <pthread.h>

#include <atomic>

#include "core/error.hpp"

namespace rag::core {
namespace {

std::atomic<std::uint32_t> g_generation{0};

void count_fork() {
    g_generation.fetch_add(1, std::memory_order_relaxed);
}

/// Registered once a process image; the handler only touches an atomic, so it is safe in a child of a threaded parent.
std::uint32_t generation() noexcept {
    static const int registered = ::pthread_atfork(nullptr, nullptr, &count_fork);
    static_cast<void>(registered);
    return g_generation.load(std::memory_order_relaxed);
}

}  // namespace

ForkGuard::ForkGuard() noexcept : generation_(generation()) {}

bool ForkGuard::in_child() const noexcept {
    return generation_ != g_generation.load(std::memory_order_relaxed);
}

void ForkGuard::check(std::string_view what) const {
    if (in_child()) {
        fail(Code::kInvalidState,
             "{} was made before fork() and cannot be used in the child: open it again there, or start processes with spawn",
             what);
    }
}

}  // namespace rag::core
