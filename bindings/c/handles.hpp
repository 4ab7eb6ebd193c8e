// What the incomplete structs of rag.h are. Handles of objects hold a ForkGuard; handles of results are plain values.
#pragma once

#include <rag/rag.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "core/fork_guard.hpp"
#include "engine/answer.hpp"
#include "engine/engine.hpp"
#include "generate/decoder_generation.hpp"
#include "index/bm25/bm25_index.hpp"
#include "index/vector/vector_index.hpp"
#include "model/classifier.hpp"
#include "model/decoder.hpp"
#include "model/encoder.hpp"
#include "text/chunk.hpp"
#include "text/readers/reader.hpp"
#include "tokenizer/added_tokens.hpp"
#include "tokenizer/tokenizer.hpp"

struct rag_string {
    std::string text;
};
struct rag_strings {
    std::vector<std::string> texts;
};

struct rag_tokenizer {
    std::shared_ptr<const rag::core::Tokenizer> tokenizer;
};
struct rag_encoding {
    std::shared_ptr<const rag::core::Tokenizer> tokenizer;  // null: encoding.texts has the texts of all tokens
    rag::core::Encoding encoding;
    mutable std::once_flag overflow_once;  // what overflows is made when it is first asked for
    mutable std::vector<std::unique_ptr<rag_encoding>> overflow;
};
struct rag_decode_stream {
    std::shared_ptr<const rag::core::Tokenizer> tokenizer;
    rag::core::StreamDecoder decoder;
    std::string text;  // of the last call
};

struct rag_encoder {
    std::shared_ptr<rag::core::Encoder> model;
    rag::core::ForkGuard fork_guard;
};
struct rag_classifier {
    std::shared_ptr<rag::core::Classifier> model;
    rag::core::ForkGuard fork_guard;
};
struct rag_generator {
    std::shared_ptr<rag::core::Decoder> model;
    rag::core::ForkGuard fork_guard;
};

struct rag_cached_text {
    std::shared_ptr<const rag::core::CachedText> text;
};

struct rag_vector_index {
    std::unique_ptr<rag::core::VectorIndex> index;
    rag::core::ForkGuard fork_guard;
};
struct rag_bm25_index {
    std::unique_ptr<rag::core::Bm25Index> index;
    rag::core::ForkGuard fork_guard;
};

struct rag_engine {
    std::unique_ptr<rag::core::Engine> engine;
};
struct rag_documents {
    struct Entry {
        std::string id;  // as asked for
        std::optional<rag::core::StoredDocument> document;
    };
    std::vector<Entry> entries;
};
struct rag_changes {
    rag::core::Changes changes;
};
struct rag_hits {
    std::vector<rag::core::Hit> hits;
};
struct rag_links {
    std::vector<rag::core::Link> links;
};
struct rag_answer {
    rag_hits hits;
    rag::core::Answer answer;  // its hits are in `hits`
};
struct rag_reader {
    std::unique_ptr<rag::core::DocumentReader> reader;
    rag::core::ReadDocument document;  // of the last call of rag_reader_next
};
struct rag_chunks {
    std::vector<rag::core::Chunk> chunks;
};
struct rag_generation {
    rag::core::Generation generation;
};

namespace rag::capi {

inline core::Engine& use(rag_engine* engine) {
    return *require(engine, "engine").engine;
}

/// `tokenizer` may be null, see rag_encoding.
std::unique_ptr<rag_encoding> wrap_encoding(std::shared_ptr<const core::Tokenizer> tokenizer, core::Encoding encoding);

/// A text that a handle owns, terminated.
inline rag_text view(const std::string& text) noexcept {
    return {text.c_str(), text.size()};
}

}  // namespace rag::capi
