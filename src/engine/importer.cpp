#include "engine/importer.hpp"

#include "core/error.hpp"
#include "core/log.hpp"
#include "engine/link_check.hpp"
#include "engine/metric_setting.hpp"
#include "model/encoder.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kLinksAtOnce = 1024;

}  // namespace

Importer::Importer(Store& store, Indexes& indexes, const EngineOptions& options, const std::filesystem::path& path,
                   std::size_t batch_documents, const Progress& progress)
    : store_(store),
      options_(options),
      progress_(progress),
      batch_documents_(batch_documents),
      reader_(path),
      in_bytes_([this](std::uint64_t, std::uint64_t) { return !progress_ || progress_(reader_.done(), reader_.total()); }),
      writer_(store, indexes, options, in_bytes_, true) {
    // Without a header nobody says who made vectors, so none but given ones can be right.
    take(LineHeader{});
}

std::uint64_t Importer::run() {
    std::string_view line;
    while (reader_.next(line, kMaxLineBytes)) {
        report(progress_, reader_.done(), reader_.total());
        try {
            Line parsed = parse_line(line);
            if (auto* document = std::get_if<LineDocument>(&parsed)) {
                take(std::move(*document));
            } else if (const auto* link = std::get_if<LineLink>(&parsed)) {
                take(*link);
            } else {
                if (reader_.number() != 1) fail(Code::kInvalidArgument, "a header stands in the first line or nowhere");
                take(std::get<LineHeader>(parsed));
            }
        } catch (const Stopped&) {
            throw;
        } catch (const Error& error) {
            if (error.code() != Code::kInvalidArgument && error.code() != Code::kVersion) throw;
            fail(error.code(), "line {} of {}: {} ({} documents before it were stored)", reader_.number(),
                 quote(reader_.name(), 400), error.what(), stored_);
        }
    }
    store();
    store_links();
    return documents_;
}

/// Decides whether vectors and chunks of the file can be taken over.
void Importer::take(const LineHeader& header) {
    fingerprint_ = header.embedder;
    made_by_ = header.embedder_name;
    std::string own = writer_.preparation().fingerprint();
    if (own.empty()) own = store_.read().meta("embedder").value_or("");
    const Metric metric = take_metric(header);
    // What an embedder makes for one metric may have other lengths than what it makes for another.
    same_embedder_ = own == header.embedder && (own.empty() || metric == writer_.preparation().metric());
    made_for_ = metric;
    if (!own.empty() || header.embedder.empty() || metric != writer_.preparation().metric()) return;
    // A knowledge base without an embedder and without vectors becomes one of the file's embedder.
    if (store_.read().counts().embeddings != 0) return;
    same_embedder_ = true;
    writer_.set_origin({header.embedder, header.embedder_name});
}

/// The metric of the file, which a knowledge base takes over for which none was chosen and that has no vectors.
Metric Importer::take_metric(const LineHeader& header) {
    const Metric metric = header.metric.empty() ? Metric::kCosine : metric_of(header.metric, "the export");
    auto view = store_.read();
    if (!told_metric(view) && !metric_is_settled(view) && metric != Metric::kCosine) writer_.set_metric(metric);
    return metric;
}

/// Points `input` into `line`.
void Importer::convert(Read& read) const {
    const LineDocument& line = read.line;
    DocumentInput& input = read.input;
    if (!line.id.empty()) input.id = line.id;
    input.text = line.text;
    input.title = line.title;
    input.source = line.source;
    input.language = line.language;
    input.metadata = line.metadata;
    input.created_ms = line.created_ms;
    input.updated_ms = line.updated_ms;
    const bool given = line.chunks.size() == 1 && line.chunks[0].given;
    for (const LineChunk& chunk : line.chunks) {
        if (!chunk.given) continue;
        if (!given || chunk.start != 0 || chunk.stop != line.text.size() || !chunk.title_path.empty() || chunk.vector.empty())
            fail(Code::kInvalidArgument, "a vector that is given belongs to the only chunk, which is the whole text");
    }
    if (given) {
        input.vector = line.chunks[0].vector;
        return;
    }
    if (!same_embedder_) return;  // cut and embedded anew
    for (const LineChunk& chunk : line.chunks) {
        if (fingerprint_.empty() && !chunk.vector.empty())
            fail(Code::kInvalidArgument, "a vector says neither that it was given nor, in a header, which embedder made it");
        read.chunks.push_back({chunk.start, chunk.stop, chunk.parent_start, chunk.parent_stop, chunk.title_path, chunk.vector});
    }
    input.chunks = read.chunks;
}

void Importer::take(LineDocument&& document) {
    std::size_t size = document.text.size();
    for (const LineChunk& chunk : document.chunks) size += chunk.vector.size() * sizeof(float);
    store_links();
    // One transaction changes a document once: the second of the same id begins the next.
    const bool repeated = !document.id.empty() && ids_.contains(document.id);
    if (checked_.size() >= batch_documents_ || repeated || (!checked_.empty() && bytes_ + size > kBatchBytes)) store();
    Read& read = batch_.emplace_back();
    try {
        read.line = std::move(document);
        convert(read);
        const std::string name = read.line.id.empty() ? "the document" : fmt::format("document {}", quote(read.line.id));
        checked_.push_back(writer_.preparation().check_one(read.input, name));
        const Metric own = writer_.preparation().metric();
        if (!same_embedder_ && !options_.embedder && read.input.vector.empty() && !read.line.chunks.empty() &&
            !read.line.chunks[0].vector.empty()) {
            if (own != made_for_) {
                fail(Code::kInvalidArgument,
                     "{} has vectors that {} made for the metric {}, this knowledge base has {}: open it "
                     "with that embedder, which makes them anew",
                     name, made_by_.empty() ? std::string("(unknown)") : quote(made_by_, 80), name_of(made_for_), name_of(own));
            }
            fail(Code::kInvalidArgument, "{} has vectors of the embedder {}, which is not that of this knowledge base", name,
                 made_by_.empty() ? std::string("(unknown)") : quote(made_by_, 80));
        }
        writer_.require_vectors(std::span(&checked_.back(), 1));
    } catch (...) {
        batch_.pop_back();
        if (checked_.size() > batch_.size()) checked_.pop_back();
        throw;
    }
    if (!read.line.id.empty()) ids_.insert(read.line.id);
    bytes_ += size;
    ++documents_;
}

void Importer::store() {
    if (checked_.empty()) return;
    writer_.write_batch(checked_);
    stored_ += checked_.size();
    checked_.clear();
    batch_.clear();
    ids_.clear();
    bytes_ = 0;
}

std::optional<ChunkEnd> Importer::find_end(const std::string& id, std::int64_t chunk) const {
    auto view = store_.read();
    const auto head = view.find_head(id);
    if (!head) fail(Code::kInvalidArgument, "there is no document {} to link", quote(id));
    if (chunk != LineLink::kWhole && !view.find_chunk_at(head->key, chunk)) return std::nullopt;
    return ChunkEnd{head->key, chunk == LineLink::kWhole ? ChunkEnd::kWhole : chunk};
}

/// Links of chunks that a text does not have any more, because it was cut anew, are left out.
void Importer::take(const LineLink& link) {
    store();  // its ends may be among them
    const auto source = find_end(link.source, link.source_chunk);
    const auto target = find_end(link.target, link.target_chunk);
    if (!source || !target) {
        log(LogLevel::kInfo, "line {} of {} links a chunk that is not there: left out", reader_.number(),
            quote(reader_.name(), 400));
        return;
    }
    const LinkRow row{*source, *target, link.type, link.weight};
    check_link(row, link.source, link.target);
    links_.push_back(row);
    if (links_.size() >= kLinksAtOnce) store_links();
}

void Importer::store_links() {
    if (links_.empty()) return;
    auto transaction = store_.write();
    for (const LinkRow& link : links_) transaction.set_link(link);
    transaction.commit();
    links_.clear();
}

}  // namespace rag::core
