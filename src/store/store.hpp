// The truth of a knowledge base: one SQLite database in a folder (WAL, synchronous=FULL, so a returned commit is durable), or in
// memory. Derived index files lie beside it; the database lists them, and everything in them can be made again from it.
//
//   folder/knowledge.sqlite3 (-wal, -shm)   knowledge.lock   knowledge.mark   index-<sequence>-<lot>.<kind>.seg
//
// Thread rule: a Store may be used from any number of threads. Snapshots read while a WriteTransaction writes, each on its own
// connection; there is one WriteTransaction at a time, the next waits. In memory there is one connection, and views take turns.
// Process rule: one process writes (WriterLock), any number open read-only and see the last commit. Nothing works after fork.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/cancel.hpp"
#include "store/view.hpp"

namespace rag::core {

class Backup;
class CommitMark;
class Connection;
struct Mark;
class WriterLock;
class Store;

struct StoreOptions {
    std::optional<std::filesystem::path> folder;  // none: in memory
    bool read_only = false;
    Progress progress = nullptr;  // while an older format is brought to this one, in documents; on a thread of its own
    /// Opens a database that misses acknowledged commits as it is. A writer then goes on behind the numbers of what is lost, so
    /// that copies that follow the changes have to begin anew.
    bool accept_loss = false;
};

/// A consistent state to read, as of its first read. Give it back soon: an old snapshot keeps the log from being cut.
class StoreSnapshot : public StoreView {
  public:
    ~StoreSnapshot();
    StoreSnapshot(StoreSnapshot&& other) noexcept;
    StoreSnapshot(const StoreSnapshot&) = delete;
    StoreSnapshot& operator=(const StoreSnapshot&) = delete;

  private:
    friend class Store;
    StoreSnapshot(Store& store, std::unique_ptr<Connection> lent);                                 // of a folder
    StoreSnapshot(Store& store, Connection& shared, std::unique_lock<std::recursive_mutex> turn);  // in memory
    Store* store_;
    std::unique_ptr<Connection> lent_;
    std::unique_lock<std::recursive_mutex> turn_;
};

struct NewDocument {
    std::string_view id;
    std::string_view title;
    std::string_view text;
    std::string_view source;
    std::string_view language;
    std::string_view metadata;  // a JSON object
    ContentHash hash{};
    std::int64_t created_ms = 0;
    std::int64_t updated_ms = 0;
};

struct NewChunk {
    std::int64_t key = 0;  // above last_chunk_key()
    ChunkPlace place;
    std::string_view title_path;
    ContentHash hash{};             // see chunk_hash()
    std::span<const float> vector;  // empty: none
};

/// All changes or none: without commit() the destructor rolls back. Reads see the changes made so far.
class WriteTransaction : public StoreView {
  public:
    ~WriteTransaction();
    WriteTransaction(WriteTransaction&& other) noexcept;
    WriteTransaction(const WriteTransaction&) = delete;
    WriteTransaction& operator=(const WriteTransaction&) = delete;

    /// Returns the new document's key. The id must not be there (ask find_head first).
    std::int64_t insert_document(const NewDocument& document);
    /// Replaces all of a document but its key; `content.id` must be its id. Its chunks stay: see below.
    void update_document(std::int64_t document, const NewDocument& content);
    /// Replaces what chunks and vectors do not depend on.
    void update_attributes(std::int64_t document, std::string_view source, std::string_view language, std::string_view metadata,
                           std::int64_t updated_ms);
    /// For the change feed: what belongs to the document, but not to its row, was changed.
    void touch_document(std::int64_t document);
    void insert_chunk(std::int64_t document, const NewChunk& chunk);
    /// Puts chunks of a document, by their keys, to other places; what stands there must be moved or removed by the same
    /// transaction, before or in this call.
    void move_chunks(std::span<const std::pair<std::int64_t, ChunkPlace>> chunks);
    void remove_chunks(std::span<const std::int64_t> keys);
    /// Removes a document with its chunks, vectors and links; returns the keys of the chunks.
    std::vector<std::int64_t> remove_document(std::int64_t document);
    /// Adds a link, or gives one with these ends and this type another weight. For the change feed both documents were changed,
    /// unless the link was there just so.
    void set_link(const LinkRow& link);
    /// Removes links with these ends; of one type, or (none) of all. Returns how many there were.
    std::int64_t remove_links(const ChunkEnd& source, const ChunkEnd& target, std::optional<std::string_view> type);
    /// Gives a chunk another vector; `hash`: its own from now on.
    void set_vector(std::int64_t chunk, const ContentHash& hash, std::span<const float> vector);
    /// The same text, cut and embedded in another way. kInternal if there is no such document; kCorrupt if its row is not what
    /// was written: it would pass for whole afterwards.
    void set_document_hash(std::int64_t document, const ContentHash& hash);
    /// The number of this transaction's changes; it has made some from then on.
    std::int64_t raise_sequence();
    void set_meta(std::string_view name, std::string_view value);
    /// See schema.hpp.
    void set_format(std::int64_t version);
    /// The derived file of its kind from now on; the former is returned and may be deleted after the commit.
    std::optional<DerivedFile> set_file(const DerivedFile& file);
    /// Lists no file of this kind any more; what is returned may be deleted after the commit.
    std::optional<DerivedFile> drop_file(std::string_view kind);
    /// Durable when it returns. On failure nothing of the transaction happened.
    void commit();

  private:
    friend class Store;
    WriteTransaction(Connection& connection, std::unique_lock<std::recursive_mutex> turn, CommitMark* mark);
    void touch_ends(const ChunkEnd& source, const ChunkEnd& target);
    void count_removals();
    std::unique_lock<std::recursive_mutex> turn_;
    CommitMark* mark_;  // null in memory
    bool open_ = true;
    std::int64_t raised_ = 0;   // the sequence number of this transaction's changes; 0: no change yet
    std::int64_t removed_ = 0;  // documents that it removed
};

class Store {
  public:
    /// Opens a knowledge base, or creates it in a folder that is empty or does not exist (not read-only). Errors: kNotFound
    /// (read-only and nothing there), kInvalidArgument (a file, or a folder of something else), kVersion, kCorrupt, kBusy
    /// (another writer), kIo; kCorrupt too where acknowledged commits are missing, because the log was removed, cut or damaged:
    /// both sequence numbers are named, see accept_loss and commit_mark.hpp. Stopped by options.progress: the older format is as
    /// it was.
    static std::unique_ptr<Store> open(const StoreOptions& options);
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    StoreSnapshot read();
    /// The same for one that is kept for long: of a knowledge base in memory it is a copy, so that nobody waits for its end.
    StoreSnapshot read_apart();
    /// kReadOnly if opened so.
    WriteTransaction write();

    bool read_only() const noexcept { return read_only_; }
    bool in_memory() const noexcept { return !folder_.has_value(); }
    /// Absolute; only with a folder.
    const std::filesystem::path& folder() const { return *folder_; }
    /// The folder as text, or ":memory:", for messages and statistics.
    std::string name() const;

    /// A number that changes when another connection (of any process) has committed. Costs microseconds. Never negative.
    std::int64_t data_version();

    /// Checks the database by itself and against its rules: pages, foreign keys, every letter and every vector against its
    /// checksum, offsets, sequence numbers. One line a problem that names the document; empty: none. Stops with Stopped.
    std::vector<std::string> verify(const Progress& progress = {});
    /// Gives the space of deleted content back to the file system: all or nothing, beside any readers. Needs as much free space
    /// as the content takes, twice. Not within a transaction. Stops with Stopped.
    void vacuum(const Progress& progress = {});
    /// At the end of a writer's work: vacuum() where an eighth of the database or more is free and all of it is small enough
    /// (64 MiB) for that to take no more than moments. A full disk leaves it as it is. Not within a transaction.
    void tidy();
    /// Writes the last commit, with the index files of its state, as a knowledge base of its own that publish() brings to
    /// `folder`, which must not exist or be empty. Others may read and write meanwhile. After a failure, Stopped or a crash there
    /// is no such folder. kAlreadyExists: something is there; kCorrupt: a page of this one is damaged, or a document (the first
    /// one is named); kIo.
    std::unique_ptr<Backup> backup(const std::filesystem::path& folder, const Progress& progress = {});
    /// Deletes index files that the database does not list, such as those of a crash. Writers only.
    void sweep();

  private:
    friend class StoreSnapshot;
    Store() = default;
    void open_folder(const StoreOptions& options);
    void open_database(const StoreOptions& options);
    void open_reader();
    void require_commits(const std::optional<Mark>& mark, bool accept_loss);
    void notice_writer();
    std::unique_ptr<Connection> connect(bool write) const;
    void give_back(std::unique_ptr<Connection> connection) noexcept;

    std::optional<std::filesystem::path> folder_;
    std::string database_;
    bool read_only_ = false;
    std::atomic<bool> immutable_ = false;  // read as a file that nobody changes, see open_reader()
    std::string files_seen_;               // what the files looked like then; guarded by turn_
    std::int64_t openings_ = 0;            // of main_; guarded by turn_
    std::unique_ptr<WriterLock> lock_;
    std::unique_ptr<CommitMark> mark_;  // a writer's; guarded by turn_
    std::recursive_mutex turn_;         // over main_
    std::unique_ptr<Connection> main_;  // the writer's, or the one in memory; a reader's watch
    std::mutex idle_mutex_;
    std::vector<std::unique_ptr<Connection>> idle_;  // readers'
};

}  // namespace rag::core
