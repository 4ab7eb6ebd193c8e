// Small knowledge bases for the engine's tests: texts made of numbered words, and vectors that the test gives, so that no model
// is needed and every document is the best hit of its own query.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "engine/engine.hpp"
#include "engine_document.hpp"
#include "test_files.hpp"

namespace rag::test {

inline constexpr std::size_t kDimension = 24;

/// A unit vector that only `seed` has.
inline std::vector<float> vector_of(std::uint32_t seed, std::size_t dimension = kDimension) {
    std::mt19937 random(seed * 2654435761U + 1);
    std::normal_distribution<float> normal;
    std::vector<float> vector(dimension);
    float square = 0;
    for (auto& value : vector) {
        value = normal(random);
        square += value * value;
    }
    for (auto& value : vector) value /= std::sqrt(square);
    return vector;
}

/// "doc7": text with the word "marker7" that no other document has, its own vector, metadata {"n": 7, "even": false}.
inline Document numbered(std::uint32_t n, bool with_vector = true) {
    Document out;
    out.id = "doc" + std::to_string(n);
    out.text = "This is the text of a document about marker" + std::to_string(n) + " and ordinary things.";
    out.metadata = "{\"n\":" + std::to_string(n) + ",\"even\":" + (n % 2 == 0 ? "true" : "false") + "}";
    if (with_vector) out.vector = vector_of(n);
    return out;
}

inline std::vector<std::string> add(core::Engine& engine, const std::vector<Document>& documents,
                                    const core::WriteOptions& options = {}) {
    std::vector<std::string> ids;
    engine.add(inputs(documents), options, ids);
    return ids;
}
inline std::vector<std::string> upsert(core::Engine& engine, const std::vector<Document>& documents) {
    std::vector<std::string> ids;
    engine.upsert(inputs(documents), {}, ids);
    return ids;
}
inline void add_numbered(core::Engine& engine, std::uint32_t from, std::uint32_t to, bool with_vector = true) {
    std::vector<Document> documents;
    for (std::uint32_t n = from; n < to; ++n) documents.push_back(numbered(n, with_vector));
    add(engine, documents);
}

inline std::unique_ptr<core::Engine> open_engine(const std::optional<std::filesystem::path>& path = {}, bool read_only = false) {
    core::EngineOptions options;
    options.path = path;
    options.read_only = read_only;
    return core::Engine::open(options);
}

inline std::vector<core::Hit> search_text(const core::Engine& engine, const std::string& text, std::size_t k = 10) {
    core::Query query;
    query.text = text;
    query.k = k;
    query.mode = core::SearchMode::kBm25;
    return engine.search(query);
}
inline std::vector<core::Hit> search_vector(const core::Engine& engine, const std::vector<float>& vector, std::size_t k = 10) {
    core::Query query;
    query.vector = vector;
    query.k = k;
    return engine.search(query);
}
inline std::uint64_t remove(core::Engine& engine, const std::vector<std::string>& ids) {
    return engine.remove(std::vector<std::string_view>(ids.begin(), ids.end()), std::nullopt);
}
inline std::optional<core::StoredDocument> get(const core::Engine& engine, const std::string& id) {
    return engine.get(std::vector<std::string_view>{id}).front();
}

/// True if document n is found by id, by its word and by its vector.
inline bool found_everywhere(const core::Engine& engine, std::uint32_t n) {
    const std::string id = "doc" + std::to_string(n);
    const auto words = search_text(engine, "marker" + std::to_string(n), 1);
    const auto near = search_vector(engine, vector_of(n), 1);
    return get(engine, id) && words.size() == 1 && words[0].document_id == id && near.size() == 1 && near[0].document_id == id;
}

struct Failure {
    core::Code code = core::Code::kOk;
    std::string text;
};
inline Failure failure_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const core::Error& error) {
        return {error.code(), error.what()};
    }
    return {};
}

}  // namespace rag::test
