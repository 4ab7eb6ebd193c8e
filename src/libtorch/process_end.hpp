// The end of the process while models compute. LibTorch and oneDNN destroy their static objects in exit(); a worker that still
// computes then reads freed memory. So before that every job ends at its next poll, later ones are refused, and the thread that
// called exit() waits until no worker is inside LibTorch.
// Thread rule: any thread. In the child of a fork, where the workers do not exist, nothing waits.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

/// Made by a worker around all that it does with LibTorch.
class RunningJob {
  public:
    /// Throws kInvalidState when the process ends.
    RunningJob();
    ~RunningJob();
    RunningJob(const RunningJob&) = delete;
    RunningJob& operator=(const RunningJob&) = delete;
};

/// Throws kInvalidState when the process ends.
void check_process_goes_on();

/// Stops what runs, refuses what comes, and returns when no worker is inside LibTorch, after ten seconds at the latest.
void end_computing() noexcept;

/// Has exit() call end_computing(). Handlers run last come, first served, and LibTorch makes some of its static objects when an
/// operator is used first: so again after jobs that may have been the first of their kind.
void end_computing_at_exit() noexcept;

}  // namespace rag::core::libtorch
