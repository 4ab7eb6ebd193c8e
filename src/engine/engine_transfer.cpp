// What leaves a knowledge base and comes into it as a whole: changes, backup, export, import.
#include <cstring>
#include <exception>
#include <optional>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/polled.hpp"
#include "engine/engine_state.hpp"
#include "engine/importer.hpp"
#include "engine/metric_setting.hpp"
#include "exchange/document_line.hpp"
#include "store/backup.hpp"

namespace rag::core {
namespace {

LineHeader header_of(StoreView& view, bool vectors) {
    LineHeader header;
    view.each_named_link([&](const NamedLink&) {
        header.links = true;
        return false;
    });
    const Metric metric = stored_metric(view);
    if (metric != Metric::kCosine) header.metric = name_of(metric);
    if (!vectors) return header;
    header.dimension = stored_dimension(view);
    header.embedder = view.meta("embedder").value_or("");
    header.embedder_name = view.meta("embedder_name").value_or("");
    return header;
}

std::vector<LineChunk> chunks_of(StoreView& view, const DocumentRow& row, std::size_t dimension) {
    std::vector<LineChunk> out;
    for (StoredChunk& stored : view.stored_chunks(row.key)) {
        LineChunk chunk{
            stored.place.start, stored.place.stop, stored.place.parent_start, stored.place.parent_stop, {}, {}, false};
        if (chunk.stop > row.text.size() || chunk.start > chunk.stop) {
            fail(Code::kCorrupt, "document {} is damaged: its chunk {} is bytes {} to {} of {}", quote(row.id),
                 stored.place.ordinal, chunk.start, chunk.stop, row.text.size());
        }
        chunk.title_path = std::move(stored.title_path);
        if (stored.embedded) {
            chunk.vector.resize(dimension);
            if (!view.read_vector(stored.key, chunk.vector))
                fail(Code::kCorrupt, "document {} is damaged: its chunk {} has lost its vector", quote(row.id),
                     stored.place.ordinal);
            // The hash tells vectors that were given from those that an embedder made.
            const auto text = std::string_view(row.text).substr(chunk.start, chunk.stop - chunk.start);
            chunk.given = stored.hash == chunk_hash(row.title, chunk.title_path, text, chunk.vector);
        }
        out.push_back(std::move(chunk));
    }
    return out;
}

/// A document's line; nothing for a damaged one, and what is wrong with it. Without a dimension: no vectors and no chunks.
std::optional<std::string> line_of(StoreView& view, std::int64_t key, std::optional<std::size_t> dimension,
                                   std::string& problem) {
    try {
        const auto problems = view.check_document(key);
        if (!problems.empty()) {
            problem = problems.front();
            return std::nullopt;
        }
        const auto row = view.document_at(key);
        if (!row) fail(Code::kCorrupt, "it is listed, but its row is not there");
        LineDocument line{row->id,       row->text,       row->title,      row->source, row->language,
                          row->metadata, row->created_ms, row->updated_ms, {}};
        if (dimension) line.chunks = chunks_of(view, *row, *dimension);
        return write_line(line) + "\n";
    } catch (const Error& error) {
        if (error.code() != Code::kCorrupt) throw;
        problem = error.what();
        return std::nullopt;
    }
}

void leave_out(std::string_view id, std::string_view problem, const ExportOptions& options) {
    if (!options.on_damaged) {
        fail(Code::kCorrupt,
             "document {} is damaged and cannot be exported: {}; upsert it anew where its page can be read, or export the rest "
             "(on_damaged)",
             quote(id), problem);
    }
    if (!options.on_damaged(id, problem)) throw Stopped();
}

/// What cannot be read of the links ends them, and is told as what has no id.
void each_link_line(StoreView& view, const ExportOptions& options, const std::function<void(const std::string&)>& write) {
    std::string problem;
    const auto line = [](const NamedLink& link) {
        return write_line(LineLink{std::string(link.source), std::string(link.target), link.source_ordinal, link.target_ordinal,
                                   std::string(link.type), link.weight}) +
               "\n";
    };
    std::exception_ptr thrown;  // by `write`, whose failures are not the links'
    try {
        view.each_named_link([&](const NamedLink& link) {
            try {
                write(line(link));
            } catch (...) {
                thrown = std::current_exception();
            }
            return thrown == nullptr;
        });
    } catch (const Error& error) {
        if (error.code() != Code::kCorrupt) throw;
        problem = error.what();
    }
    if (thrown) std::rethrow_exception(thrown);
    if (problem.empty()) return;
    if (!options.on_damaged) fail(Code::kCorrupt, "links cannot be exported: {}", problem);
    if (!options.on_damaged({}, problem)) throw Stopped();
}

}  // namespace

Changes Engine::changes(std::int64_t since, std::size_t limit) const {
    const Call call(*this);
    return call->store->read().changes(since, limit);
}

void Engine::backup(const std::filesystem::path& folder, const Progress& progress) const {
    const Call call(*this);
    std::unique_ptr<Backup> backup;
    run_polled(progress, [&](const Progress& inner) { backup = call->store->backup(folder, inner); });
    backup->publish();  // after the last moment at which the caller may stop
}

std::uint64_t Engine::export_lines(const LineSink& write, const ExportOptions& options) const {
    const Call call(*this);
    auto view = call->store->read_apart();
    const LineHeader header = header_of(view, options.vectors);
    const std::vector<std::int64_t> keys = view.listed_documents();
    write(write_line(header) + "\n");
    std::uint64_t done = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (i % 16 == 0) report(options.progress, i, keys.size());
        std::string problem;
        const auto line = line_of(view, keys[i], options.vectors ? std::optional(header.dimension) : std::nullopt, problem);
        if (line) {
            write(*line);
            ++done;
        } else {
            leave_out(view.listed_id(keys[i]), problem, options);
        }
    }
    std::uint64_t links = 0;
    each_link_line(view, options, [&](const std::string& line) {
        if (links++ % 256 == 0) report(options.progress, keys.size(), keys.size());
        write(line);
    });
    report(options.progress, keys.size(), keys.size());
    return done;
}

std::uint64_t Engine::export_file(const std::filesystem::path& path, const ExportOptions& options) const {
    if (path.empty()) fail(Code::kInvalidArgument, "the path of the export is empty");
    AtomicFile file(path);
    const auto count = export_lines([&](std::string_view line) { file.write(std::as_bytes(std::span(line))); }, options);
    file.commit();
    return count;
}

std::uint64_t Engine::import_file(const std::filesystem::path& path, const ImportOptions& options) {
    const Call call(*this);
    if (call->options.read_only) fail(Code::kReadOnly, "{} is open read-only", quote(call->name, 400));
    const auto writing = call.write();
    {
        auto view = call->store->read();
        call->check_embedder(view, call->options.embedder.get());
    }
    std::size_t batch = options.batch_documents;
    if (batch == 0) batch = call->embeds() ? 128 : 1024;
    std::uint64_t count = 0;
    run_polled(options.progress, [&](const Progress& progress) {
        count = Importer(*call->store, *call->indexes, call->options, path, batch, progress).run();
    });
    return count;
}

}  // namespace rag::core
