// What tells whether stored content is still what it was: hashes that an upsert compares, and checksums that verify() compares.
// XXH3 (xxHash specification 0.2.0): against accidents, not against an attacker. Every part is led by its length, so that letters
// that move from one field to the next are noticed. The results are stored: changing a function here is a new format.
// Thread rule: plain functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace rag::core {

using ContentHash = std::array<std::byte, 16>;

/// Of everything that the chunks and vectors of a document depend on. `settings`: how texts are cut and embedded, empty where the
/// caller gives the vector, which is then hashed instead.
ContentHash document_hash(std::string_view settings, std::string_view title, std::string_view text,
                          std::span<const float> vector);

/// Of everything that a chunk's vector and postings depend on, whichever embedder makes it. `given`: a vector that came with the
/// document; empty where the embedder makes it of the text.
ContentHash chunk_hash(std::string_view title, std::string_view title_path, std::string_view text, std::span<const float> given);

/// Of a text or of a vector's bytes, as SQLite keeps integers.
std::int64_t stored_checksum(std::span<const std::byte> bytes);
inline std::int64_t stored_checksum(std::string_view text) {
    return stored_checksum(std::as_bytes(std::span(text)));
}

/// All that a document's row says, but for keys and sequence numbers. The text comes in by its own checksum, so that a change of
/// metadata does not have to read it.
struct DocumentFields {
    std::string_view id, title, source, language, metadata;
    std::span<const std::byte> hash;
    std::int64_t created_ms = 0, updated_ms = 0;
    std::int64_t text_checksum = 0;
};
std::int64_t document_checksum(const DocumentFields& fields);

}  // namespace rag::core
