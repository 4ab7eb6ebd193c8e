// Giving the GIL away around calls into librag, and taking it in callbacks from there. pybind11's own guards do it in destructors
// that may not throw; but before Python 3.14 a thread that asks for the GIL while the interpreter ends is cancelled, which
// unwinds the stack and, out of such a destructor, ends the process by abort(). Here that thread waits for the end of the process
// instead, as Python 3.14 itself has it: a daemon thread that is inside a search when the program ends does no harm.
#pragma once

#include <pybind11/pybind11.h>

namespace rag::python {

/// True once the interpreter has begun to end: no callback may take the GIL any more. Any thread.
bool interpreter_ends() noexcept;

/// Without the GIL in its scope. Made with the GIL held.
class GilRelease {
  public:
    GilRelease() : state_(PyEval_SaveThread()) {}
    ~GilRelease();
    GilRelease(const GilRelease&) = delete;
    GilRelease& operator=(const GilRelease&) = delete;

  private:
    PyThreadState* state_;
};

/// With the GIL in its scope, on any thread. Ask interpreter_ends() first where the caller can be told to stop.
class GilAcquire {
  public:
    GilAcquire();
    ~GilAcquire() { PyGILState_Release(state_); }
    GilAcquire(const GilAcquire&) = delete;
    GilAcquire& operator=(const GilAcquire&) = delete;

  private:
    PyGILState_STATE state_;
};

}  // namespace rag::python
