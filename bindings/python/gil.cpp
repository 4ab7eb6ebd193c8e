#include "gil.hpp"

#include <unistd.h>

namespace rag::python {
namespace {

// The unwinding of a cancelled thread ends here: a handler that is never left may hold it up for good.
template <typename Take>
auto take_or_wait(Take take) {
    try {
        return take();
    } catch (...) {
        for (;;) ::pause();
    }
}

}  // namespace

bool interpreter_ends() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing() != 0;
#else
    return _Py_IsFinalizing() != 0;
#endif
}

GilRelease::~GilRelease() {
    take_or_wait([this] { PyEval_RestoreThread(state_); });
}

GilAcquire::GilAcquire() : state_(take_or_wait([] { return PyGILState_Ensure(); })) {}

}  // namespace rag::python
