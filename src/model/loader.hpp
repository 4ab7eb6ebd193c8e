// The way from librag.so to librag_torch.so: found, loaded and checked on the first use of a model, so that a program which only
// searches never maps LibTorch. Any thread; the first call takes some tenths of a second, later ones a lock-free load.
#pragma once

#include "model/backend.hpp"

namespace rag::core {

/// The backend, which lives for ever: LibTorch cannot be unloaded, so neither is librag_torch.so.
///
/// librag_torch.so is looked for in the folder of librag.so, then in the folder that the environment variable RAG_BACKEND_DIR
/// names. LibTorch is found by its run path ($ORIGIN/../torch/lib, then the folder known when it was built), then in the folder
/// that RAG_LIBTORCH_DIR names (torch's own folder or the lib folder in it).
///
/// Throws kNoBackend with a text that says what was tried and what to install (the next call tries again), kVersion when the two
/// libraries are of different versions, kInvalidState in the child of a fork() after the backend was loaded, and after
/// end_backend().
Backend& backend();

/// As Backend::end, where one is loaded; backend() throws kInvalidState from then on. Nothing in the child of a fork().
void end_backend() noexcept;

}  // namespace rag::core
