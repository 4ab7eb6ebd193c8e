#include "store/document_check.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/utf8.hpp"
#include "store/content_hash.hpp"
#include "store/sqlite.hpp"

namespace rag::core {
namespace {

/// Whole characters of the text, at least one.
bool is_part(std::string_view text, std::int64_t start, std::int64_t stop) {
    const auto inside = [&](std::int64_t at) {
        if (at < 0 || static_cast<std::uint64_t>(at) > text.size()) return false;
        const auto offset = static_cast<std::size_t>(at);
        return offset == text.size() || (static_cast<unsigned char>(text[offset]) & 0xC0U) != 0x80U;
    };
    return inside(start) && inside(stop) && start < stop;
}

}  // namespace

DocumentCheck::DocumentCheck(Connection& connection)
    : connection_(connection),
      last_change_(connection.query_integer("SELECT CAST(value AS INTEGER) FROM meta WHERE name='sequence'")),
      dimension_(connection.query_integer("SELECT CAST(value AS INTEGER) FROM meta WHERE name='dimension'")) {}

std::vector<std::string> DocumentCheck::check(std::int64_t key, bool vectors, const Progress& progress) {
    found_ = {};
    Statement row = connection_.prepare(
        "SELECT id, hash, checksum, text_checksum, created_ms, updated_ms, added, sequence, title, source, language, metadata, "
        "text FROM documents WHERE key=?");
    row.bind(1, key);
    if (!row.step()) return {};
    const std::string id = quote(row.text(0));
    const std::int64_t added = row.integer(6);
    const std::int64_t changed = row.integer(7);
    if (added < 1 || changed < added || changed > last_change_) {
        problem("document {}: its changes {} and {} are not among 1 to {}", id, added, changed, last_change_);
    }
    const std::string_view text = row.text(12);
    const DocumentFields fields{row.text(0), row.text(8),    row.text(9),    row.text(10),  row.text(11),
                                row.blob(1), row.integer(4), row.integer(5), row.integer(3)};
    if (stored_checksum(text) != row.integer(3)) problem("document {}: its text was changed (checksum)", id);
    if (document_checksum(fields) != row.integer(2)) {
        problem("document {}: its id, title, source, language, metadata or times were changed (checksum)", id);
    }
    if (find_invalid_utf8(text) != std::string_view::npos) problem("document {}: its text is not valid UTF-8", id);
    check_chunks(key, id, fields.title, text, vectors, progress);
    return std::move(found_);
}

void DocumentCheck::check_chunks(std::int64_t document, const std::string& id, std::string_view title, std::string_view text,
                                 bool vectors, const Progress& progress) {
    Statement rows = connection_.prepare(
        "SELECT c.key, c.ordinal, c.start, c.stop, c.parent_start, c.parent_stop, c.embedded, c.vector_checksum, c.hash, "
        "c.title_path, e.vector FROM chunks c LEFT JOIN embeddings e ON e.chunk=c.key WHERE c.document=? ORDER BY c.ordinal");
    rows.bind(1, document);
    std::int64_t expected = 0;
    for (; rows.step(); ++expected) {
        report(progress, 0, 0);
        const std::string name = fmt::format("chunk {} of document {}", rows.integer(0), id);
        if (rows.integer(1) != expected) problem("{}: it is number {} where {} is due", name, rows.integer(1), expected);
        const std::size_t before = found_.size();
        const std::vector<float> vector = read_vector(rows, name);
        if (!vectors) found_.resize(before);
        if (!is_part(text, rows.integer(2), rows.integer(3)) || !is_part(text, rows.integer(4), rows.integer(5))) {
            problem("{}: bytes {} to {} in {} to {} are no part of a text of {} bytes", name, rows.integer(2), rows.integer(3),
                    rows.integer(4), rows.integer(5), text.size());
            continue;
        }
        const auto start = static_cast<std::size_t>(rows.integer(2));
        const auto part = text.substr(start, static_cast<std::size_t>(rows.integer(3)) - start);
        const auto equals = [&](const ContentHash& hash) { return std::ranges::equal(hash, rows.blob(8)); };
        // A vector that came with the document is part of what the hash is of.
        if (!equals(chunk_hash(title, rows.text(9), part, {})) && !equals(chunk_hash(title, rows.text(9), part, vector))) {
            problem("{}: its text, title or title path were changed (checksum)", name);
        }
    }
    if (expected == 0) problem("document {}: it has no chunk", id);
}

/// The vector of a chunk's row, after checks; empty if there is none that could be read.
std::vector<float> DocumentCheck::read_vector(const Statement& row, const std::string& name) {
    std::vector<float> vector;
    const bool there = !row.is_null(10);
    if (there != (row.integer(6) == 1)) problem("{}: it is marked wrongly as having a vector or not", name);
    if (!there) return vector;
    const auto bytes = row.blob(10);
    if (dimension_ <= 0 || bytes.size() != static_cast<std::uint64_t>(dimension_) * sizeof(float)) {
        problem("{}: its vector has {} bytes, the dimension is {}", name, bytes.size(), dimension_);
        return vector;
    }
    if (stored_checksum(bytes) != row.integer(7)) problem("{}: its vector was changed (checksum)", name);
    vector.resize(bytes.size() / sizeof(float));
    std::memcpy(vector.data(), bytes.data(), bytes.size());
    for (const float value : vector) {
        if (std::isfinite(value)) continue;
        problem("{}: its vector holds {}", name, value);
        break;
    }
    return vector;
}

}  // namespace rag::core
