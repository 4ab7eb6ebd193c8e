// The lock that makes one Engine of one process the writer of a knowledge base: flock on a file of its own beside the database.
// It belongs to the open file, so it also keeps apart two engines in one process, and it goes with the process however that dies.
#pragma once

#include <filesystem>

namespace rag::core {

class WriterLock {
  public:
    /// Throws kBusy naming the process that holds it, or kIo.
    explicit WriterLock(const std::filesystem::path& file);
    ~WriterLock();
    WriterLock(const WriterLock&) = delete;
    WriterLock& operator=(const WriterLock&) = delete;

  private:
    int descriptor_ = -1;
};

}  // namespace rag::core
