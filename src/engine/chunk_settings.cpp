#include "engine/chunk_settings.hpp"

#include "core/error.hpp"
#include "core/log.hpp"

namespace rag::core {

std::string ChunkSettings::text() const {
    return fmt::format("{} {}, {} shared, chunker {}", tokens, embedder_tokens ? "tokens" : "words", overlap,
                       static_cast<std::uint32_t>(chunker));
}

ChunkSettings chunk_settings_of(const EngineOptions& options) {
    return {options.chunk_tokens, options.chunk_overlap, options.chunker, options.embedder != nullptr};
}

std::optional<ChunkSettings> stored_chunk_settings(StoreView& view) {
    const auto tokens = view.meta_number("chunk_tokens");
    if (!tokens) return std::nullopt;
    const std::int64_t overlap = view.meta_number("chunk_overlap").value_or(0);
    const std::int64_t chunker = view.meta_number("chunker").value_or(0);
    const std::int64_t unit = view.meta_number("chunk_unit").value_or(0);
    if (*tokens < 1 || overlap >= *tokens || chunker > static_cast<std::int64_t>(ChunkerKind::kSentences) || unit > 1) {
        fail(Code::kCorrupt, "the knowledge base is damaged: its chunks have {} tokens, {} shared, chunker {}, unit {}", *tokens,
             overlap, chunker, unit);
    }
    return ChunkSettings{static_cast<std::size_t>(*tokens), static_cast<std::size_t>(overlap), static_cast<ChunkerKind>(chunker),
                         unit == 1};
}

void store_chunk_settings(WriteTransaction& transaction, const ChunkSettings& settings) {
    transaction.set_meta("chunk_tokens", std::to_string(settings.tokens));
    transaction.set_meta("chunk_overlap", std::to_string(settings.overlap));
    transaction.set_meta("chunker", std::to_string(static_cast<std::uint32_t>(settings.chunker)));
    transaction.set_meta("chunk_unit", settings.embedder_tokens ? "1" : "0");
}

ChunkSettings settle_chunk_settings(Store& store, const EngineOptions& options, const ChunkSettings& decided) {
    auto view = store.read();
    const auto stored = stored_chunk_settings(view);
    if (!stored || *stored == decided || stored->embedder_tokens != decided.embedder_tokens) return decided;
    const bool left_to_us = options.chunk_tokens == 0 && options.chunk_overlap == 0 && options.chunker == ChunkerKind::kAuto;
    if (left_to_us) return *stored;
    if (!store.read_only()) {
        log(LogLevel::kWarning, "chunks of {} were cut by {}, from now on by {}: documents that are written again are cut anew",
            quote(store.name(), 400), stored->text(), decided.text());
    }
    return decided;
}

}  // namespace rag::core
