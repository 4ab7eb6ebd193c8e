#include "store/vector_stage.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/log.hpp"
#include "store/content_hash.hpp"
#include "store/sqlite.hpp"

namespace rag::core {
namespace {

// Of this file alone: another number is begun anew.
constexpr std::int64_t kStageVersion = 0x52535432;

std::span<const std::byte> bytes_of(const ContentHash& hash) {
    return std::span<const std::byte>(hash);
}

ContentHash hash_of(std::span<const std::byte> blob) {
    ContentHash hash{};
    if (blob.size() == hash.size()) std::copy(blob.begin(), blob.end(), hash.begin());
    return hash;
}

/// Of all that a chunk's row and the document's say.
std::int64_t checksum_of(const StagedDocument& document, const StagedChunk& chunk) {
    std::string all = fmt::format("{} {} {} {} {} {} {} ", document.key, chunk.place.ordinal, chunk.place.start, chunk.place.stop,
                                  chunk.place.parent_start, chunk.place.parent_stop, chunk.title_path);
    const auto add = [&all](std::span<const std::byte> bytes) {
        all.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    add(bytes_of(document.before));
    add(bytes_of(document.after));
    add(bytes_of(chunk.hash));
    add(std::as_bytes(std::span(chunk.vector)));
    return stored_checksum(all);
}

void remove_file(const std::string& file) {
    std::error_code error;
    for (const char* suffix : {"", "-journal"}) std::filesystem::remove(file + suffix, error);
}

}  // namespace

VectorStage::VectorStage(const std::optional<std::filesystem::path>& folder, const std::string& origin, std::size_t dimension)
    : file_(folder ? (*folder / kName).string() : std::string(":memory:")), dimension_(dimension) {
    try {
        open(origin);
    } catch (const Error& error) {
        connection_.reset();
        if (!folder || error.code() == Code::kOutOfMemory) throw;
        log(LogLevel::kWarning, "{} is begun anew: {}", quote(file_, 400), error.what());
        remove_file(file_);
        open(origin);
    }
}

VectorStage::~VectorStage() = default;

void VectorStage::open(const std::string& origin) {
    connection_ = std::make_unique<Connection>(file_, Connection::Access::kCreate);
    Connection& stage = *connection_;
    stage.execute("PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=NORMAL");
    if (stage.query_integer("SELECT count(*) FROM sqlite_schema") == 0) {
        stage.execute("BEGIN IMMEDIATE");
        stage.execute("CREATE TABLE origin(value TEXT NOT NULL) STRICT");
        stage.execute(
            "CREATE TABLE documents(key INTEGER PRIMARY KEY, before BLOB NOT NULL, after BLOB NOT NULL, chunks INTEGER NOT NULL) "
            "STRICT");
        stage.execute(
            "CREATE TABLE chunks(document INTEGER NOT NULL, ordinal INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT "
            "NULL, parent_start INTEGER NOT NULL, parent_stop INTEGER NOT NULL, title_path TEXT NOT NULL, hash BLOB NOT NULL, "
            "vector BLOB NOT NULL, checksum INTEGER NOT NULL, UNIQUE(document, ordinal)) STRICT");
        stage.prepare("INSERT INTO origin(value) VALUES(?)").bind(1, std::string_view(origin)).run();
        stage.execute(fmt::format("PRAGMA user_version={}", kStageVersion).c_str());
        stage.execute("COMMIT");
    }
    if (stage.query_integer("PRAGMA user_version") != kStageVersion) fail(Code::kCorrupt, "it is of another version");
    Statement row = stage.prepare("SELECT value FROM origin");
    if (!row.step() || row.text(0) != origin) fail(Code::kCorrupt, "it is of another embedder or other chunks");
}

/// A damaged file would fail again and again: it goes, and the next call begins anew.
template <typename Call>
auto VectorStage::guarded(const Call& call) {
    try {
        return call(*connection_);
    } catch (const Error& error) {
        if (error.code() != Code::kCorrupt) throw;
        discard();
        fail(Code::kIo, "{}; it is deleted, and re-embedding begins anew when it is called again", error.what());
    }
}

bool VectorStage::has(std::int64_t key, const ContentHash& before) {
    return guarded([&](Connection&) {
        const auto document = read(key);
        return document && document->before == before;
    });
}

std::optional<StagedDocument> VectorStage::find(std::int64_t key) {
    return guarded([&](Connection&) { return read(key); });
}

std::optional<StagedDocument> VectorStage::read(std::int64_t key) {
    StagedDocument document;
    document.key = key;
    std::int64_t chunks = 0;
    {
        Statement row = connection_->prepare("SELECT before, after, chunks FROM documents WHERE key=?");
        row.bind(1, key);
        if (!row.step()) return std::nullopt;
        document.before = hash_of(row.blob(0));
        document.after = hash_of(row.blob(1));
        chunks = row.integer(2);
    }
    Statement rows = connection_->prepare(
        "SELECT ordinal, start, stop, parent_start, parent_stop, title_path, hash, vector, checksum FROM chunks WHERE document=? "
        "ORDER BY ordinal");
    rows.bind(1, key);
    while (rows.step()) {
        StagedChunk chunk;
        chunk.place = {rows.integer(0), static_cast<std::size_t>(rows.integer(1)), static_cast<std::size_t>(rows.integer(2)),
                       static_cast<std::size_t>(rows.integer(3)), static_cast<std::size_t>(rows.integer(4))};
        chunk.title_path = rows.text(5);
        chunk.hash = hash_of(rows.blob(6));
        const auto blob = rows.blob(7);
        if (blob.size() != dimension_ * sizeof(float)) return std::nullopt;
        chunk.vector.resize(dimension_);
        std::memcpy(chunk.vector.data(), blob.data(), blob.size());
        if (checksum_of(document, chunk) != rows.integer(8)) return std::nullopt;
        document.chunks.push_back(std::move(chunk));
    }
    if (chunks < 1 || static_cast<std::int64_t>(document.chunks.size()) != chunks) return std::nullopt;
    return document;
}

void VectorStage::put(const std::vector<StagedDocument>& documents) {
    guarded([&](Connection& stage) {
        stage.execute("BEGIN IMMEDIATE");
        try {
            for (const StagedDocument& document : documents) put_one(document);
            stage.execute("COMMIT");
        } catch (...) {
            if (stage.in_transaction()) sqlite3_exec(stage.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
            throw;
        }
    });
}

void VectorStage::put_one(const StagedDocument& document) {
    connection_->prepare("DELETE FROM chunks WHERE document=?").bind(1, document.key).run();
    connection_->prepare("INSERT OR REPLACE INTO documents(key, before, after, chunks) VALUES(?,?,?,?)")
        .bind(1, document.key)
        .bind(2, bytes_of(document.before))
        .bind(3, bytes_of(document.after))
        .bind(4, static_cast<std::int64_t>(document.chunks.size()))
        .run();
    for (const StagedChunk& chunk : document.chunks) {
        connection_
            ->prepare(
                "INSERT INTO chunks(document, ordinal, start, stop, parent_start, parent_stop, title_path, hash, vector, "
                "checksum) VALUES(?,?,?,?,?,?,?,?,?,?)")
            .bind(1, document.key)
            .bind(2, chunk.place.ordinal)
            .bind(3, static_cast<std::int64_t>(chunk.place.start))
            .bind(4, static_cast<std::int64_t>(chunk.place.stop))
            .bind(5, static_cast<std::int64_t>(chunk.place.parent_start))
            .bind(6, static_cast<std::int64_t>(chunk.place.parent_stop))
            .bind(7, chunk.title_path)
            .bind(8, bytes_of(chunk.hash))
            .bind(9, std::as_bytes(std::span(chunk.vector)))
            .bind(10, checksum_of(document, chunk))
            .run();
    }
}

void VectorStage::discard() {
    connection_.reset();
    if (file_ != ":memory:") remove_file(file_);
}

std::optional<std::string> VectorStage::origin_in(const std::filesystem::path& folder) noexcept {
    try {
        std::error_code error;
        if (!std::filesystem::exists(folder / kName, error)) return std::nullopt;
        Connection stage((folder / kName).string(), Connection::Access::kReadWrite);
        Statement row = stage.prepare("SELECT value FROM origin");
        if (row.step()) return std::string(row.text(0));
    } catch (...) {  // whoever needs it says what is wrong with it
    }
    return std::nullopt;
}

void VectorStage::remove_from(const std::filesystem::path& folder) {
    remove_file((folder / kName).string());
}

}  // namespace rag::core
