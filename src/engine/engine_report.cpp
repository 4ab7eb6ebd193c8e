// What an engine tells about itself: statistics, verification; and compaction, which changes no content.
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/error.hpp"
#include "core/polled.hpp"
#include "engine/bm25_settings.hpp"
#include "engine/engine_state.hpp"
#include "engine/metric_setting.hpp"
#include "text/words.hpp"

namespace rag::core {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Bytes on disk; a file that goes away meanwhile counts nothing.
std::uint64_t folder_bytes(const std::filesystem::path& folder) {
    std::uint64_t bytes = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        const auto size = entry.file_size(error);
        if (!error) bytes += size;
    }
    return bytes;
}

}  // namespace

std::string Engine::stats() const {
    const Call call(*this);
    const EngineOptions options = call->options_now();
    Json json;
    {
        auto view = call->store->read();
        const auto counts = view.counts();
        json["path"] = call->store->in_memory() ? Json() : Json(call->name);
        json["read_only"] = options.read_only;
        json["documents"] = counts.documents;
        json["chunks"] = counts.chunks;
        json["embeddings"] = counts.embeddings;
        json["dimension"] = stored_dimension(view);
        json["metric"] = name_of(stored_metric(view));
        json["sequence"] = view.sequence();
        const auto embedder = view.meta("embedder_name");
        json["vectors_made_by"] = embedder ? Json(*embedder) : Json();
        json["files"] = Json::array();
        for (const auto& file : view.files()) {
            json["files"].push_back(
                {{"kind", file.kind}, {"name", file.name}, {"sequence", file.sequence}, {"bytes", file.size}});
        }
    }
    if (!call->store->in_memory()) json["bytes"] = folder_bytes(call->store->folder());
    json["reranker"] = options.reranker ? Json(options.reranker->describe()) : Json();
    json["embedder"] = options.embedder ? Json(options.embedder->describe()) : Json();
    json["generator"] = options.generator ? Json(options.generator->describe()) : Json();
    json["chunk_tokens"] = options.chunk_tokens;
    json["chunk_overlap"] = options.chunk_overlap;
    json["chunker"] = static_cast<std::uint32_t>(options.chunker);
    json["bm25_settings"] = Json::parse(write_bm25_settings(call->indexes->bm25_options()));
    json["icu"] = icu_version();
    json["bm25"] = Json();  // null: not loaded yet
    if (const auto index = call->indexes->loaded_bm25()) {
        const auto stats = index->stats();
        json["bm25"] = {{"chunks", stats.documents},  {"removed", stats.removed}, {"segments", stats.segments},
                        {"postings", stats.postings}, {"bytes", stats.bytes},     {"average_length", stats.average_length},
                        {"analyzer", stats.analyzer}};
    }
    json["vector"] = Json();
    if (const auto index = call->indexes->loaded_vectors()) {
        const auto stats = index->stats();
        json["vector"] = {{"dtype", index->options().type == VectorType::kInt8 ? "int8" : "float32"},
                          {"chunks", stats.live},
                          {"removed", stats.dead},
                          {"segments", stats.segments},
                          {"tail", stats.tail_rows},
                          {"stragglers", stats.stragglers},
                          {"vector_bytes", stats.vector_bytes},
                          {"graph_bytes", stats.graph_bytes}};
    }
    return dump(json);
}

VerifyReport Engine::verify(const Progress& progress) {
    const Call call(*this);
    // Nothing may be written while the database and the indexes are compared.
    const auto writing = call.write();
    std::vector<std::string> problems;
    std::vector<std::string> rebuilt;
    StoreCounts counts;
    run_polled(progress, [&](const Progress& inner) {
        problems = call->store->verify(inner);
        try {
            call->indexes->verify(inner, problems, rebuilt);
            if (!rebuilt.empty()) call->indexes->save(false);
            auto view = call->store->read();
            counts = view.counts();
        } catch (const Stopped&) {
            throw;
        } catch (const Error& error) {
            // With a damaged database the indexes cannot be compared, and that is a finding too.
            if (error.code() == Code::kOutOfMemory) throw;
            problems.emplace_back(error.what());
        }
    });
    VerifyReport report;
    report.ok = problems.empty();
    report.json = dump(Json{{"ok", report.ok},
                            {"problems", problems},
                            {"rebuilt", rebuilt},
                            {"documents", counts.documents},
                            {"chunks", counts.chunks},
                            {"embeddings", counts.embeddings}});
    return report;
}

void Engine::compact(const Progress& progress) {
    const Call call(*this);
    if (call->options.read_only) fail(Code::kReadOnly, "{} is open read-only", quote(call->name, 400));
    const auto writing = call.write();
    run_polled(progress, [&](const Progress& inner) {
        call->indexes->compact(inner);
        call->store->vacuum(inner);
        call->indexes->save(true, inner);
    });
}

}  // namespace rag::core
