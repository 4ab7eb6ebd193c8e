// rag_reader_*, rag_text_*, rag_chunks_*: reading, cleaning and cutting texts over C.
#include "arguments.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "text/chunk.hpp"
#include "text/clean.hpp"
#include "text/words.hpp"

namespace core = rag::core;
using rag::capi::Code;
using rag::capi::fail;
using rag::capi::guard;
using rag::capi::optional_name;
using rag::capi::require;
using rag::capi::text_of;
using rag::capi::view;

namespace {

constexpr uint32_t kKeepAll = RAG_KEEP_CONTROL | RAG_KEEP_WHITESPACE | RAG_KEEP_FORM;

constexpr std::uint64_t kBytesPerPoll = 1U << 18;  // counted in a few milliseconds

core::CleanOptions cleaning_of(uint32_t keep) {
    if ((keep & ~kKeepAll) != 0) fail(Code::kInvalidArgument, "keep is {}, it must be 0 to {}", keep, kKeepAll);
    return {(keep & RAG_KEEP_CONTROL) == 0, (keep & RAG_KEEP_WHITESPACE) == 0, (keep & RAG_KEEP_FORM) == 0};
}

core::ReadOptions options_of(const rag_read_options* options) {
    const auto known = rag::capi::read_struct(options, rag_read_options RAG_READ_OPTIONS_INIT, "rag_read_options");
    core::ReadOptions out;
    out.format = text_of(known.format, "options.format");
    out.encoding = text_of(known.encoding, "options.encoding");
    out.id = text_of(known.id, "options.id");
    out.title = text_of(known.title, "options.title");
    out.source = text_of(known.source, "options.source");
    out.text_field = optional_name(known.text_field, "options.text_field");
    out.title_field = optional_name(known.title_field, "options.title_field");
    out.id_field = optional_name(known.id_field, "options.id_field");
    const std::string_view delimiter = text_of(known.delimiter, "options.delimiter");
    if (delimiter.size() > 1)
        fail(Code::kInvalidArgument, "options.delimiter is {}, it must be one character", core::quote(delimiter));
    if (!delimiter.empty()) out.delimiter = delimiter.front();
    out.cleaning = cleaning_of(known.keep);
    out.clean = known.keep != kKeepAll;
    out.progress = rag::capi::progress_of(known.progress, known.user_data);
    return out;
}

}  // namespace

extern "C" {

rag_status rag_reader_open(rag_text path, const rag_read_options* options, rag_reader** reader) noexcept {
    return guard([&] {
        require(reader, "reader") = nullptr;
        *reader = new rag_reader{core::DocumentReader::open_file(rag::capi::path_of(path, "path"), options_of(options)), {}};
    });
}

rag_status rag_reader_open_bytes(const void* bytes, size_t size, rag_text name, const rag_read_options* options,
                                 rag_reader** reader) noexcept {
    return guard([&] {
        require(reader, "reader") = nullptr;
        rag::capi::require_array(static_cast<const char*>(bytes), size, "bytes");
        const std::string_view content(static_cast<const char*>(bytes), size);
        const std::string file(text_of(name, "name"));
        *reader = new rag_reader{core::DocumentReader::open_bytes(content, file, options_of(options)), {}};
    });
}

rag_status rag_reader_next(rag_reader* reader, rag_read_document* document) noexcept {
    return guard([&] {
        rag::capi::write_struct(document, rag_read_document RAG_READ_DOCUMENT_INIT, "rag_read_document");
        rag_reader& source = require(reader, "reader");
        if (!source.reader->next(source.document)) return;
        rag_read_document value = RAG_READ_DOCUMENT_INIT;
        value.found = 1;
        value.id = view(source.document.id);
        value.text = view(source.document.text);
        value.title = view(source.document.title);
        value.metadata = view(source.document.metadata);
        value.source = view(source.document.source);
        value.language = view(source.document.language);
        value.kind = static_cast<uint32_t>(source.document.kind);
        rag::capi::write_struct(document, value, "rag_read_document");
    });
}

uint64_t rag_reader_blank_count(const rag_reader* reader) noexcept {
    return reader == nullptr ? 0 : reader->reader->blank();
}

void rag_reader_free(rag_reader* reader) noexcept {
    delete reader;
}

rag_status rag_reader_formats(rag_strings** suffixes) noexcept {
    return guard([&] {
        require(suffixes, "suffixes") = nullptr;
        *suffixes = new rag_strings{core::readable_suffixes()};
    });
}

rag_status rag_text_clean(rag_text text, uint32_t keep, rag_progress_fn progress, void* user_data,
                          rag_string** cleaned) noexcept {
    return guard([&] {
        require(cleaned, "cleaned") = nullptr;
        *cleaned = new rag_string{
            core::clean_text(rag::capi::bytes_of(text, "text"), cleaning_of(keep), rag::capi::progress_of(progress, user_data))};
    });
}

rag_status rag_text_chunk(rag_text text, const rag_chunk_options* options, rag_chunks** chunks) noexcept {
    return guard([&] {
        require(chunks, "chunks") = nullptr;
        const auto known = rag::capi::read_struct(options, rag_chunk_options RAG_CHUNK_OPTIONS_INIT, "rag_chunk_options");
        const std::string_view content = text_of(text, "text");
        if (content.size() > core::kMaxDocumentBytes)
            fail(Code::kInvalidArgument, "text has {} bytes, at most {} are taken", content.size(), core::kMaxDocumentBytes);
        core::ChunkOptions out;
        if (known.max_tokens != 0) out.max_tokens = known.max_tokens;
        out.overlap_tokens = known.overlap_tokens;
        out.chunker = core::chunker_of(known.chunker);
        core::TokenCounter count = core::count_words;
        if (known.tokenizer != nullptr) {
            count = [tokenizer = known.tokenizer->tokenizer](std::string_view part) { return tokenizer->count_tokens(part); };
        }
        const core::Progress progress = rag::capi::progress_of(known.progress, known.user_data);
        std::uint64_t counted = 0;
        std::uint64_t reported = 0;
        const core::TokenCounter polled = [&](std::string_view part) {
            counted += part.size() + 1;
            if (counted - reported > kBytesPerPoll) core::report(progress, reported = counted, 0);
            return count(part);
        };
        *chunks = new rag_chunks{core::chunk_text(content, core::text_kind_of(known.kind), out, progress ? polled : count)};
    });
}

size_t rag_chunks_count(const rag_chunks* chunks) noexcept {
    return chunks == nullptr ? 0 : chunks->chunks.size();
}

rag_status rag_chunks_at(const rag_chunks* chunks, size_t index, rag_chunk* chunk) noexcept {
    return guard([&] {
        const auto& all = require(chunks, "chunks").chunks;
        rag_chunk value = RAG_CHUNK_INIT;
        if (index < all.size()) {
            value.start = all[index].start;
            value.end = all[index].stop;
            value.parent_start = all[index].parent_start;
            value.parent_end = all[index].parent_stop;
            value.title_path = view(all[index].title_path);
        }
        rag::capi::write_struct(chunk, value, "rag_chunk");
        if (index >= all.size()) fail(Code::kInvalidArgument, "index is {}, there are {} chunks", index, all.size());
    });
}

void rag_chunks_free(rag_chunks* chunks) noexcept {
    delete chunks;
}

}  // extern "C"
