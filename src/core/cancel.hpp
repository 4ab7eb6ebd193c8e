// Cooperative cancellation: a long call polls stop_requested() at least every 100 ms (models: once a layer or micro-batch) and
// throws Stopped, which the C binding turns into RAG_STOPPED. Thread rule: the function may be called from worker threads.
#pragma once

#include <functional>

#include "core/error.hpp"

namespace rag::core {

/// Reports that the caller asked to stop. What was acknowledged before stays.
class Stopped : public Error {
  public:
    Stopped() : Error(Code::kStopped, "stopped by the caller") {}
};

/// Called with work done and work in all (0 if not known); returns false to stop.
using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

inline void report(const Progress& progress, std::uint64_t done, std::uint64_t total) {
    if (progress && !progress(done, total)) throw Stopped();
}

}  // namespace rag::core
