// Texts of every kind (the first byte: kind, chunker and size), cut into chunks: offsets on characters, everything that is not
// white space in a chunk, sizes within the limit, parents around their chunks.
// link: rag_text rag_core
#include <cstdint>
#include <cstdlib>

#include "core/utf8.hpp"
#include "text/chunk.hpp"
#include "text/words.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rag::core;
    if (size < 2) return 0;
    const auto require = [](bool condition) {
        if (!condition) std::abort();
    };
    const auto kind = static_cast<TextKind>(data[0] % kTextKinds);
    ChunkOptions options;
    options.chunker = static_cast<ChunkerKind>(data[0] / kTextKinds % kChunkerKinds);
    options.max_tokens = 1 + data[1] % 64;
    options.overlap_tokens = data[1] < 128 ? 0 : options.max_tokens / 2;
    const std::string text = replace_invalid_utf8({reinterpret_cast<const char*>(data) + 2, size - 2});
    const auto covers = [&](std::size_t from, std::size_t to) {
        const Range rest = trim_range(text, {from, to});
        require(rest.start >= rest.end);
    };
    std::size_t covered = 0;
    for (const Chunk& chunk : chunk_text(text, kind, options, count_words)) {
        require(chunk.start < chunk.stop && chunk.stop <= text.size() && chunk.stop > covered);
        require(chunk.parent_start <= chunk.start && chunk.parent_stop >= chunk.stop && chunk.parent_stop <= text.size());
        const std::string_view part = std::string_view(text).substr(chunk.start, chunk.stop - chunk.start);
        require(find_invalid_utf8(part) == std::string_view::npos);
        require(find_invalid_utf8(chunk.title_path) == std::string_view::npos);
        require(count_words(part) <= options.max_tokens || count_code_points(part) == 1);
        if (chunk.start > covered) covers(covered, chunk.start);
        covered = chunk.stop;
    }
    covers(covered, text.size());
    return 0;
}
