// A device of LibTorch's for tests: "ragtest", one of it. Its memory is the host's, but its pointers are not: whoever reads
// one without asking the device dies, as with an accelerator's. Operators run on the processor through LibTorch's fallback.
// Thread rule: as LibTorch's devices.
#pragma once

/// Makes the device known to LibTorch for the rest of the process; once. Exported, so that Python's tests can load this library.
extern "C" void rag_test_register_device();
