// A backup that is made but not yet seen: Store::backup gives it, publish() puts it in its place. Without that, it goes away.
#pragma once

#include <filesystem>
#include <memory>

namespace rag::core {

class WriterLock;

/// The folder that a backup grows in, beside its target. It holds the lock of the knowledge base in it, by which others tell a
/// backup under way from what a crash left. Thread rule: one thread at a time.
class Backup {
  public:
    explicit Backup(const std::filesystem::path& target);
    ~Backup();
    Backup(const Backup&) = delete;
    Backup& operator=(const Backup&) = delete;

    const std::filesystem::path& folder() const noexcept { return folder_; }
    /// Durable and under its own name when it returns. kAlreadyExists: something has come there; kIo.
    void publish();

  private:
    std::string prefix() const;
    void sweep() const;
    std::filesystem::path target_;
    std::filesystem::path folder_;
    std::unique_ptr<WriterLock> lock_;
};

}  // namespace rag::core
