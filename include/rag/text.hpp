// Files as documents (rag::Reader), cleaning (rag::clean) and chunks (rag::chunk): what an engine is fed with, without one.
//
//   rag::Reader reader("handbook.html");
//   while (auto document = reader.next()) engine.upsert({*document});
#pragma once

#include <rag/error.hpp>
#include <rag/tokenizer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rag {

/// What a text is written in; see rag_text_kind.
enum class TextKind : std::uint32_t {
    kText = RAG_KIND_TEXT,
    kMarkdown = RAG_KIND_MARKDOWN,
    kRst = RAG_KIND_RST,
    kHtml = RAG_KIND_HTML,
    kCode = RAG_KIND_CODE,
    kCodeIndented = RAG_KIND_CODE_INDENTED,
    kCodeShell = RAG_KIND_CODE_SHELL
};

/// How documents are cut; see rag_chunker.
enum class Chunker : std::uint32_t { kAuto = RAG_CHUNKER_AUTO, kTokens = RAG_CHUNKER_TOKENS, kSentences = RAG_CHUNKER_SENTENCES };

struct Document {
    std::string id;  ///< empty: librag makes one
    std::string text;
    std::string title;
    std::string metadata;             ///< a JSON object; empty: {}
    std::vector<float> vector;        ///< empty: the embedder's, if there is one
    std::string source = {};          ///< where it came from, such as a URI
    std::string language = {};        ///< such as "en" or "zh-Hans"
    TextKind kind = TextKind::kText;  ///< how it is cut into chunks; not kept
};

/// What cleaning does; see rag_text_clean.
struct Cleaning {
    bool control = true;
    bool whitespace = true;
    bool nfc = true;
};

/// Empty texts are not given; see rag_read_options.
struct ReadOptions {
    std::string format, encoding, id, title, source;
    std::string text_field, title_field, id_field;
    char delimiter = 0;
    Cleaning cleaning;
    Progress progress;  ///< bytes read, bytes in all
};

namespace detail {

inline std::uint32_t keep_of(const Cleaning& cleaning) noexcept {
    return (cleaning.control ? 0U : std::uint32_t{RAG_KEEP_CONTROL}) |
           (cleaning.whitespace ? 0U : std::uint32_t{RAG_KEEP_WHITESPACE}) | (cleaning.nfc ? 0U : std::uint32_t{RAG_KEEP_FORM});
}

}  // namespace detail

/// The documents of a file, one by one. One thread at a time.
class Reader {
  public:
    explicit Reader(std::string_view path, ReadOptions options = {}) : Reader(std::move(options)) {
        rag_reader* handle = nullptr;
        const rag_read_options known = to_c();
        detail::check(rag_reader_open(detail::text(path), &known, &handle));
        handle_.reset(handle);
    }
    /// Of bytes in memory, which are copied; `name` stands for the file's.
    static Reader of_bytes(std::string_view bytes, std::string_view name, ReadOptions options = {}) {
        Reader reader(std::move(options));
        rag_reader* handle = nullptr;
        const rag_read_options known = reader.to_c();
        detail::check(rag_reader_open_bytes(bytes.data(), bytes.size(), detail::text(name), &known, &handle));
        reader.handle_.reset(handle);
        return reader;
    }

    /// Nothing at the end. After an error in one row the next call goes on behind it; after any other it is at the end.
    std::optional<Document> next() {
        rag_read_document raw = RAG_READ_DOCUMENT_INIT;
        const rag_status status = rag_reader_next(handle_.get(), &raw);
        if (state_->bridge) state_->bridge->rethrow();
        detail::check(status);
        if (raw.found == 0) return std::nullopt;
        Document out;
        out.id = detail::copy(raw.id);
        out.text = detail::copy(raw.text);
        out.title = detail::copy(raw.title);
        out.metadata = detail::copy(raw.metadata);
        out.source = detail::copy(raw.source);
        out.language = detail::copy(raw.language);
        out.kind = static_cast<TextKind>(raw.kind);
        return out;
    }

    /// Documents (rows) passed over so far because they have no text.
    std::uint64_t blank_count() const noexcept { return rag_reader_blank_count(handle_.get()); }

    /// Suffixes that readers know, without their dots, sorted.
    static std::vector<std::string> formats() {
        rag_strings* raw = nullptr;
        detail::check(rag_reader_formats(&raw));
        const detail::Handle<rag_strings, rag_strings_free> owner(raw);
        std::vector<std::string> out;
        for (std::size_t i = 0; i < rag_strings_count(raw); ++i) out.push_back(detail::copy(rag_strings_at(raw, i)));
        return out;
    }

  private:
    /// Where the C side points to: it stays where it is when the reader moves.
    struct State {
        ReadOptions options;
        std::optional<detail::ProgressBridge> bridge;
    };
    explicit Reader(ReadOptions options) : state_(std::make_unique<State>()) {
        state_->options = std::move(options);
        if (state_->options.progress) state_->bridge.emplace(state_->options.progress);
    }

    rag_read_options to_c() {
        const ReadOptions& options = state_->options;
        const auto optional = [](const std::string& text) { return text.empty() ? rag_text{nullptr, 0} : detail::text(text); };
        rag_read_options out = RAG_READ_OPTIONS_INIT;
        out.keep = detail::keep_of(options.cleaning);
        out.format = optional(options.format);
        out.encoding = optional(options.encoding);
        out.id = optional(options.id);
        out.title = optional(options.title);
        out.source = optional(options.source);
        out.text_field = optional(options.text_field);
        out.title_field = optional(options.title_field);
        out.id_field = optional(options.id_field);
        if (options.delimiter != 0) out.delimiter = {&options.delimiter, 1};
        if (state_->bridge) {
            out.progress = state_->bridge->function();
            out.user_data = state_->bridge->data();
        }
        return out;
    }

    std::unique_ptr<State> state_;
    detail::Handle<rag_reader, rag_reader_free> handle_;
};

/// Without control characters, with plain white space, in normal form C; cleaning twice does nothing more.
inline std::string clean(std::string_view text, const Cleaning& cleaning = {}, const Progress& progress = nullptr) {
    rag_string* cleaned = nullptr;
    detail::ProgressBridge bridge(progress);
    const rag_status status =
        rag_text_clean(detail::text(text), detail::keep_of(cleaning), bridge.function(), bridge.data(), &cleaned);
    bridge.rethrow();
    detail::check(status);
    return detail::take(cleaned);
}

/// Bytes of the text: text.substr(start, end - start) is the chunk.
struct Chunk {
    std::uint64_t start = 0, end = 0;
    std::uint64_t parent_start = 0, parent_end = 0;  ///< the smallest section that holds more than the chunk, else the chunk
    std::string title_path;                          ///< headings above it, outermost first, joined by " > "
};

struct ChunkOptions {
    TextKind kind = TextKind::kText;
    Chunker chunker = Chunker::kAuto;
    std::uint32_t max_tokens = 200;
    std::uint32_t overlap_tokens = 0;      ///< below max_tokens
    const Tokenizer* tokenizer = nullptr;  ///< null: words are counted
};

/// `progress`: bytes counted, 0.
inline std::vector<Chunk> chunk(std::string_view text, const ChunkOptions& options = {}, const Progress& progress = nullptr) {
    rag_chunk_options known = RAG_CHUNK_OPTIONS_INIT;
    known.kind = static_cast<std::uint32_t>(options.kind);
    known.chunker = static_cast<std::uint32_t>(options.chunker);
    known.max_tokens = options.max_tokens;
    known.overlap_tokens = options.overlap_tokens;
    known.tokenizer = options.tokenizer != nullptr ? options.tokenizer->handle() : nullptr;
    detail::ProgressBridge bridge(progress);
    known.progress = bridge.function();
    known.user_data = bridge.data();
    rag_chunks* raw = nullptr;
    const rag_status status = rag_text_chunk(detail::text(text), &known, &raw);
    const detail::Handle<rag_chunks, rag_chunks_free> owner(raw);
    bridge.rethrow();
    detail::check(status);
    std::vector<Chunk> out;
    out.reserve(rag_chunks_count(raw));
    for (std::size_t i = 0; i < rag_chunks_count(raw); ++i) {
        rag_chunk view = RAG_CHUNK_INIT;
        detail::check(rag_chunks_at(raw, i, &view));
        out.push_back({view.start, view.end, view.parent_start, view.parent_end, detail::copy(view.title_path)});
    }
    return out;
}

}  // namespace rag
