#include "store/content_hash.hpp"

#include <bit>
#include <cstring>
#include <initializer_list>

#include "core/checksum.hpp"

namespace rag::core {
namespace {

using Bytes = std::span<const std::byte>;

std::uint64_t mix(std::uint64_t state, Bytes bytes) {
    return checksum64(bytes, state ^ (bytes.size() * 0x9E3779B97F4A7C15ULL));
}

ContentHash hash_of(std::initializer_list<Bytes> parts) {
    ContentHash hash{};
    for (std::uint64_t half = 0; half < 2; ++half) {
        std::uint64_t state = half;
        for (const Bytes part : parts) state = mix(state, part);
        std::memcpy(hash.data() + half * sizeof(state), &state, sizeof(state));
    }
    return hash;
}

Bytes bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

}  // namespace

ContentHash document_hash(std::string_view settings, std::string_view title, std::string_view text,
                          std::span<const float> vector) {
    return hash_of({bytes_of(settings), bytes_of(title), bytes_of(text), std::as_bytes(vector)});
}

ContentHash chunk_hash(std::string_view title, std::string_view title_path, std::string_view text, std::span<const float> given) {
    return hash_of({bytes_of(title), bytes_of(title_path), bytes_of(text), std::as_bytes(given)});
}

std::int64_t stored_checksum(Bytes bytes) {
    return std::bit_cast<std::int64_t>(checksum64(bytes));
}

std::int64_t document_checksum(const DocumentFields& fields) {
    const std::array<std::int64_t, 3> numbers = {fields.created_ms, fields.updated_ms, fields.text_checksum};
    std::uint64_t state = 2;
    for (const std::string_view text : {fields.id, fields.title, fields.source, fields.language, fields.metadata}) {
        state = mix(state, bytes_of(text));
    }
    state = mix(state, fields.hash);
    return std::bit_cast<std::int64_t>(mix(state, std::as_bytes(std::span(numbers))));
}

}  // namespace rag::core
