// How far the commits of a knowledge base have come, said outside its write-ahead log: knowledge.mark beside the database. SQLite
// takes a log that was removed, cut or damaged for one that ends earlier, so the commits in it would be gone without a word.
//
//   "RAGMARK1"  writer[32] (meta's "writer")  sequence u64  checksum u64 (XXH3 of what is before)      56 bytes, little-endian
//
// Written after a commit is durable, never before: a mark that is too old tells nothing, one that is too new cannot be. It
// belongs to the database of one writer: each signs with a name of its own at its first commit, and the mark counts only for that
// name, so a copy from another time that is put in the database's place opens as it is. Thread rule: one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rag::core {

class Connection;

inline constexpr const char* kMarkName = "knowledge.mark";
inline constexpr std::size_t kMarkBytes = 56;
/// The name of the writer that changed the content last, in the table meta.
inline constexpr std::string_view kWriterMeta = "writer";
inline constexpr std::size_t kWriterNameBytes = 32;

struct Mark {
    std::string writer;  // kWriterNameBytes
    std::int64_t sequence = 0;
    bool operator==(const Mark&) const = default;
};

std::array<std::byte, kMarkBytes> write_mark(const Mark& mark);
/// Nothing for bytes that are no whole mark.
std::optional<Mark> parse_mark(std::span<const std::byte> bytes);
/// Nothing where there is none, none that can be read, or a damaged one (which is logged): it then protects from nothing.
std::optional<Mark> read_mark(const std::filesystem::path& folder);

/// The writer's side.
class CommitMark {
  public:
    explicit CommitMark(const std::filesystem::path& folder);
    ~CommitMark();
    CommitMark(const CommitMark&) = delete;
    CommitMark& operator=(const CommitMark&) = delete;

    /// What the transaction that changes content must say in meta, until one has.
    const std::string& writer() const noexcept { return writer_; }
    bool is_signed() const noexcept { return signed_; }
    /// After a commit that changed content and is durable. The mark is a help: where it cannot be written that is logged, once.
    void committed(Connection& connection, std::int64_t sequence) noexcept;

  private:
    bool is_in_database(Connection& connection);
    void write(std::int64_t sequence);

    std::filesystem::path file_;
    std::string writer_;
    int descriptor_ = -1;
    bool signed_ = false;       // the database or its log says writer_
    bool in_database_ = false;  // the database itself does, so that it does without the log
    bool failed_ = false;
    std::uint64_t commits_ = 0;
};

}  // namespace rag::core
