// SQLite's own files, with a look at who waits before each write. A commit writes some hundred pages to the log, and every
// thousand pages the log is copied into the database: milliseconds in which SQLite calls nobody, on a core that a search may be
// waiting for. For store/ and what writes through it. Source: sqlite.org/vfs.html, "VFS shims".
//
// Thread rule: connections of any thread may use the files; a PacedWrites is for the thread that made it.
#pragma once

#include "core/courtesy.hpp"

namespace rag::core {

/// The name to open databases with: SQLite's default files, but that writes of a thread with a PacedWrites give way first.
/// Throws kInternal if SQLite has no files at all.
const char* paced_files();

/// While it lives, what SQLite writes for this thread gives way as `pace` does: between pages, where SQLite holds locks that
/// writers and checkpoints wait for, but no reader. They nest; the innermost counts.
class PacedWrites {
  public:
    explicit PacedWrites(Pace& pace) noexcept;
    ~PacedWrites();
    PacedWrites(const PacedWrites&) = delete;
    PacedWrites& operator=(const PacedWrites&) = delete;

  private:
    Pace* before_;
};

}  // namespace rag::core
