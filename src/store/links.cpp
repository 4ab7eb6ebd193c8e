// Links between chunks and documents, and what following them needs to know of chunks.
#include <cmath>

#include "core/error.hpp"
#include "store/sqlite.hpp"
#include "store/store.hpp"

namespace rag::core {
namespace {

void check_weight(const std::string& database, std::string_view document, double weight) {
    if (weight > 0 && !std::isinf(weight)) return;
    fail(Code::kCorrupt, "{} is damaged: a link of document {} has weight {}", quote(database, 400), quote(document), weight);
}

/// Rows of "source_document, source_ordinal, target_document, target_ordinal, type, weight".
void read_links(Statement& rows, const std::string& database, std::vector<LinkRow>& out) {
    while (rows.step()) {
        LinkRow link{
            {rows.integer(0), rows.integer(1)}, {rows.integer(2), rows.integer(3)}, std::string(rows.text(4)), rows.real(5)};
        check_weight(database, std::to_string(link.source.document), link.weight);
        out.push_back(std::move(link));
    }
}

}  // namespace

std::optional<ChunkEnd> StoreView::find_end(std::int64_t chunk) {
    Statement row = connection().prepare("SELECT document, ordinal FROM chunks WHERE key=?");
    row.bind(1, chunk);
    if (!row.step()) return std::nullopt;
    return ChunkEnd{row.integer(0), row.integer(1)};
}

std::optional<std::int64_t> StoreView::find_chunk_at(std::int64_t document, std::int64_t ordinal) {
    Statement row = connection().prepare("SELECT key FROM chunks WHERE document=? AND ordinal=?");
    row.bind(1, document).bind(2, ordinal);
    if (!row.step()) return std::nullopt;
    return row.integer(0);
}

std::optional<std::pair<std::size_t, std::size_t>> StoreView::span_of_chunks(std::int64_t document, std::int64_t first,
                                                                             std::int64_t last) {
    Statement row = connection().prepare("SELECT min(start), max(stop) FROM chunks WHERE document=? AND ordinal BETWEEN ? AND ?");
    row.bind(1, document).bind(2, first).bind(3, last);
    if (!row.step() || row.is_null(0)) return std::nullopt;
    return std::pair{static_cast<std::size_t>(row.integer(0)), static_cast<std::size_t>(row.integer(1))};
}

std::string StoreView::text_between(std::int64_t document, std::size_t start, std::size_t stop) {
    Statement row = connection().prepare("SELECT text FROM documents WHERE key=?");
    row.bind(1, document);
    const std::string_view text = row.step() ? row.text(0) : std::string_view();
    if (start > stop || stop > text.size()) {
        fail(Code::kCorrupt, "{} is damaged: bytes {} to {} of document {}, whose text has {}", quote(connection().name(), 400),
             start, stop, document, text.size());
    }
    return std::string(text.substr(start, stop - start));
}

std::optional<std::string> StoreView::document_id(std::int64_t document) {
    Statement row = connection().prepare("SELECT id FROM documents WHERE key=?");
    row.bind(1, document);
    if (!row.step()) return std::nullopt;
    return std::string(row.text(0));
}

std::vector<LinkRow> StoreView::links_of(std::int64_t document) {
    std::vector<LinkRow> links;
    Statement out = connection().prepare(
        "SELECT source_document, source_ordinal, target_document, target_ordinal, type, weight FROM links WHERE "
        "source_document=?");
    out.bind(1, document);
    read_links(out, connection().name(), links);
    Statement in = connection().prepare(
        "SELECT source_document, source_ordinal, target_document, target_ordinal, type, weight FROM links WHERE "
        "target_document=?1 AND source_document<>?1");
    in.bind(1, document);
    read_links(in, connection().name(), links);
    return links;
}

void StoreView::each_named_link(const NamedLinkVisitor& visit) {
    Statement rows = connection().prepare(
        "SELECT s.id, l.source_ordinal, t.id, l.target_ordinal, l.type, l.weight FROM links l "
        "JOIN documents s ON s.key=l.source_document JOIN documents t ON t.key=l.target_document "
        "WHERE (l.source_ordinal<0 OR EXISTS(SELECT 1 FROM chunks WHERE document=s.key AND ordinal=l.source_ordinal)) "
        "AND (l.target_ordinal<0 OR EXISTS(SELECT 1 FROM chunks WHERE document=t.key AND ordinal=l.target_ordinal)) "
        "ORDER BY l.source_document, l.source_ordinal, l.target_document, l.target_ordinal, l.type");
    while (rows.step()) {
        const NamedLink link{rows.text(0), rows.integer(1), rows.text(2), rows.integer(3), rows.text(4), rows.real(5)};
        check_weight(connection().name(), rows.text(0), link.weight);
        if (!visit(link)) return;
    }
}

void WriteTransaction::set_link(const LinkRow& link) {
    {
        Statement row = connection().prepare(
            "INSERT INTO links(source_document, source_ordinal, target_document, target_ordinal, type, weight) "
            "VALUES(?,?,?,?,?,?) ON CONFLICT DO UPDATE SET weight=excluded.weight WHERE weight<>excluded.weight");
        row.bind(1, link.source.document).bind(2, link.source.ordinal).bind(3, link.target.document);
        row.bind(4, link.target.ordinal).bind(5, std::string_view(link.type)).bind_real(6, link.weight);
        row.run();
    }
    if (connection().changes() > 0) touch_ends(link.source, link.target);
}

std::int64_t WriteTransaction::remove_links(const ChunkEnd& source, const ChunkEnd& target,
                                            std::optional<std::string_view> type) {
    {
        Statement row = connection().prepare(
            "DELETE FROM links WHERE source_document=? AND source_ordinal=? AND target_document=? AND target_ordinal=? AND "
            "(?6 OR type=?5)");
        row.bind(1, source.document).bind(2, source.ordinal).bind(3, target.document).bind(4, target.ordinal);
        row.bind(5, type.value_or(std::string_view())).bind(6, type ? std::int64_t{0} : std::int64_t{1});
        row.run();
    }
    const std::int64_t removed = connection().changes();
    if (removed > 0) touch_ends(source, target);
    return removed;
}

/// Both: a copy takes a link over with whichever of its documents it takes over last.
void WriteTransaction::touch_ends(const ChunkEnd& source, const ChunkEnd& target) {
    touch_document(source.document);
    touch_document(target.document);
}

}  // namespace rag::core
