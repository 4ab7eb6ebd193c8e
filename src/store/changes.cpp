// StoreView::changes: the change feed, two ordered lists (documents by their last change, removals) read side by side.
#include <algorithm>

#include "core/error.hpp"
#include "store/sqlite.hpp"
#include "store/view.hpp"

namespace rag::core {
namespace {

/// A list that is read in the order of sequence numbers: the row that is next, if there is one.
class Cursor {
  public:
    Cursor(Statement rows, std::int64_t since) : rows_(std::move(rows)) {
        rows_.bind(1, since);
        advance();
    }
    bool done() const { return done_; }
    std::int64_t sequence() const { return rows_.integer(0); }
    std::string id() const { return std::string(rows_.text(1)); }
    bool is_first() const { return rows_.integer(2) == sequence(); }
    void advance() { done_ = !rows_.step(); }

  private:
    Statement rows_;
    bool done_ = false;
};

}  // namespace

Changes StoreView::changes(std::int64_t since, std::size_t limit) {
    Changes out;
    out.last = sequence();
    const std::int64_t kept_from = meta_number("removals_from").value_or(0);
    if (since < 0 || since > out.last)
        fail(Code::kInvalidArgument, "there is no change {}, the last one of {} is {}", since, quote(connection().name(), 400),
             out.last);
    if (since != 0 && since < kept_from) {
        fail(Code::kNotFound,
             "removals after change {} are not known any more, only those after {}: make a new copy, from change 0", since,
             kept_from);
    }
    Cursor documents(connection().prepare("SELECT sequence, id, added FROM documents WHERE sequence>? ORDER BY sequence, key"),
                     since);
    Cursor removals(connection().prepare("SELECT sequence, id FROM removals WHERE sequence>? ORDER BY sequence, id"), since);
    out.next = since;
    while (!documents.done() || !removals.done()) {
        const bool removal = documents.done() || (!removals.done() && removals.sequence() <= documents.sequence());
        const std::int64_t sequence = (removal ? removals : documents).sequence();
        // A page ends with a transaction; and where removals are missing, a copy that begins must not go on from in between.
        if (sequence != out.next && out.changes.size() >= limit && sequence > kept_from) {
            out.next = std::max(out.next, kept_from);
            return out;
        }
        out.next = sequence;
        if (removal) {
            out.changes.push_back({ChangeKind::kRemoved, sequence, removals.id()});
            removals.advance();
        } else {
            const auto kind = documents.is_first() ? ChangeKind::kAdded : ChangeKind::kUpdated;
            out.changes.push_back({kind, sequence, documents.id()});
            documents.advance();
        }
    }
    out.next = out.last;
    return out;
}

}  // namespace rag::core
