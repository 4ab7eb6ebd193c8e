// Adding, replacing, removing and getting documents. The order of a write is told in writer.hpp.
#include <atomic>
#include <unordered_set>

#include "core/error.hpp"
#include "core/polled.hpp"
#include "core/utf8.hpp"
#include "engine/engine_state.hpp"
#include "engine/writer.hpp"
#include "search/metadata_filter.hpp"
#include "store/paced_files.hpp"

namespace rag::core {

void Engine::write(std::span<const DocumentInput> documents, const WriteOptions& options, bool replace,
                   std::vector<std::string>& ids) {
    const Call call(*this);
    if (call->options.read_only) fail(Code::kReadOnly, "{} is open read-only", quote(call->name, 400));
    ids.clear();
    const auto writing = call.write();
    {
        auto view = call->store->read();
        call->check_embedder(view, call->options.embedder.get());
    }
    std::size_t batch = options.batch_documents;
    if (batch == 0) batch = call->embeds() ? 128 : 1024;
    run_polled(options.progress, [&](const Progress& progress) {
        Writer(*call->store, *call->indexes, call->options, progress, replace).run(documents, batch, ids);
    });
}

void Engine::add(std::span<const DocumentInput> documents, const WriteOptions& options, std::vector<std::string>& ids) {
    write(documents, options, false, ids);
}

void Engine::upsert(std::span<const DocumentInput> documents, const WriteOptions& options, std::vector<std::string>& ids) {
    write(documents, options, true, ids);
}

namespace {

/// In one transaction; returns the keys of the chunks that are gone with it.
std::vector<std::int64_t> remove_documents(Store& store, Indexes& indexes, std::span<const std::string_view> ids,
                                           const std::optional<MetadataFilter>& filter, const Progress& progress,
                                           std::uint64_t& removed) {
    Pace pace(indexes.courtesy(), kWriterPatience);
    const PacedWrites paced(pace);
    auto transaction = store.write();
    // In memory there is one connection for all: searches would wait for this transaction.
    const auto step = [&](std::uint64_t done, std::uint64_t total) {
        report(progress, done, total);
        if (!store.in_memory()) pace.give_way();
    };
    std::vector<std::int64_t> documents;
    if (ids.empty()) {
        transaction.each_metadata([&](std::int64_t document, std::string_view metadata) {
            step(0, 0);
            if (filter->matches(metadata)) documents.push_back(document);
        });
    }
    for (const auto id : std::unordered_set<std::string_view>(ids.begin(), ids.end())) {
        step(0, ids.size());
        const auto head = transaction.find_head(id);
        if (head && (!filter || filter->matches(head->metadata))) documents.push_back(head->key);
    }
    std::vector<std::int64_t> chunks;
    for (const std::int64_t document : documents) {
        step(removed++, documents.size());
        const auto keys = transaction.remove_document(document);
        chunks.insert(chunks.end(), keys.begin(), keys.end());
    }
    indexes.announce(chunks);
    if (!documents.empty()) transaction.commit();
    return chunks;
}

}  // namespace

std::uint64_t Engine::remove(std::span<const std::string_view> ids, std::optional<std::string_view> where,
                             const Progress& progress) {
    const Call call(*this);
    if (ids.empty() && !where)
        fail(Code::kInvalidArgument, "nothing says which documents to delete: give ids, or where, or both");
    if (call->options.read_only) fail(Code::kReadOnly, "{} is open read-only", quote(call->name, 400));
    std::optional<MetadataFilter> filter;
    if (where) filter.emplace(*where);
    for (const auto id : ids) require_utf8(id, "an id to delete");
    const auto writing = call.write();
    std::uint64_t removed = 0;
    std::atomic<bool> committed{false};  // then it is too late to stop
    Progress asked;
    if (progress) asked = [&](std::uint64_t done, std::uint64_t total) { return progress(done, total) || committed; };
    run_polled(asked, [&](const Progress& inner) {
        const std::vector<std::int64_t> chunks = remove_documents(*call->store, *call->indexes, ids, filter, inner, removed);
        committed = true;
        call->indexes->remove(chunks);
    });
    return removed;
}

std::vector<std::optional<StoredDocument>> Engine::get(std::span<const std::string_view> ids, const Progress& progress) const {
    const Call call(*this);
    std::vector<std::optional<StoredDocument>> out;
    out.reserve(ids.size());
    // The caller is asked on his thread while the view is held on another: he may write.
    const Progress none;
    run_polled(ids.size() > 1 ? progress : none, [&](const Progress& inner) {
        auto view = call->store->read();
        for (const auto id : ids) {
            report(inner, out.size(), ids.size());
            auto row = view.find_document(id);
            if (!row) {
                out.emplace_back();
                continue;
            }
            out.emplace_back(StoredDocument{std::move(row->id), std::move(row->text), std::move(row->title),
                                            std::move(row->metadata), row->created_ms, row->updated_ms,
                                            view.chunks_of(row->key).size(), std::move(row->source), std::move(row->language)});
        }
    });
    return out;
}

std::uint64_t Engine::count() const {
    const Call call(*this);
    return static_cast<std::uint64_t>(call->store->read().counts().documents);
}

}  // namespace rag::core
