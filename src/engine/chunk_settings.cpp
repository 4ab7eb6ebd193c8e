#include "engine/chunk_settings.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/log.hpp"
#include "model/encoder.hpp"

namespace rag::core {
namespace {

// The chunk length for retrieval that most embedders were trained with, also where they would take more.
constexpr std::size_t kDefaultTokens = 254;
constexpr std::size_t kDefaultWords = 200;
constexpr const char* kChosenTokensMeta = "chunk_tokens_chosen";
constexpr const char* kChosenOverlapMeta = "chunk_overlap_chosen";

}  // namespace

bool ChunkSettings::cuts_as(const ChunkSettings& other) const {
    return tokens == other.tokens && overlap == other.overlap && chunker == other.chunker &&
           embedder_tokens == other.embedder_tokens;
}

std::string ChunkSettings::text() const {
    return fmt::format("{} {}, {} shared, chunker {}", tokens, embedder_tokens ? "tokens" : "words", overlap,
                       static_cast<std::uint32_t>(chunker));
}

ChunkSettings chunk_settings_of(const EngineOptions& options) {
    return {options.chunk_tokens,        options.chunk_overlap,       options.chunker,
            options.embedder != nullptr, options.chosen_chunk_tokens, options.chosen_chunk_overlap};
}

void set_chunk_settings(EngineOptions& options, const ChunkSettings& settings) {
    options.chunk_tokens = settings.tokens;
    options.chunk_overlap = settings.overlap;
    options.chunker = settings.chunker;
    options.chosen_chunk_tokens = settings.chosen_tokens;
    options.chosen_chunk_overlap = settings.chosen_overlap;
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
    // Where it was not told yet, somebody may have chosen what is there.
    const std::int64_t chosen_tokens = view.meta_number(kChosenTokensMeta).value_or(*tokens);
    const std::int64_t chosen_overlap = view.meta_number(kChosenOverlapMeta).value_or(overlap);
    return ChunkSettings{static_cast<std::size_t>(*tokens),       static_cast<std::size_t>(overlap),
                         static_cast<ChunkerKind>(chunker),       unit == 1,
                         static_cast<std::size_t>(chosen_tokens), static_cast<std::size_t>(chosen_overlap)};
}

void store_chunk_settings(WriteTransaction& transaction, const ChunkSettings& settings) {
    transaction.set_meta("chunk_tokens", std::to_string(settings.tokens));
    transaction.set_meta("chunk_overlap", std::to_string(settings.overlap));
    transaction.set_meta("chunker", std::to_string(static_cast<std::uint32_t>(settings.chunker)));
    transaction.set_meta("chunk_unit", settings.embedder_tokens ? "1" : "0");
    transaction.set_meta(kChosenTokensMeta, std::to_string(settings.chosen_tokens));
    transaction.set_meta(kChosenOverlapMeta, std::to_string(settings.chosen_overlap));
}

std::size_t longest_chunk_of(const Encoder& embedder) {
    const auto limit = embedder.max_tokens() - embedder.special_tokens() - embedder.prompt_tokens();
    if (limit < 1) fail(Code::kUnsupported, "the embedder takes {} tokens of text", limit);
    return static_cast<std::size_t>(limit);
}

std::size_t decide_chunk_tokens(const EngineOptions& options) {
    std::size_t longest = options.chunk_tokens;
    if (options.embedder) {
        const std::size_t limit = longest_chunk_of(*options.embedder);
        if (longest > limit) {
            fail(Code::kInvalidArgument, "chunk_tokens is {}, the embedder takes {} and {} special ones", longest, limit,
                 options.embedder->special_tokens());
        }
        if (longest == 0) longest = std::min(limit, kDefaultTokens);
    }
    if (longest == 0) longest = kDefaultWords;
    if (options.chunk_overlap >= longest)
        fail(Code::kInvalidArgument, "chunk_overlap is {}, it must be below the {} tokens of a chunk", options.chunk_overlap,
             longest);
    return longest;
}

bool asks_too_long(const EngineOptions& options) {
    return options.embedder && options.chunk_tokens > longest_chunk_of(*options.embedder);
}

ChunkSettings fit_chosen_settings(StoreView& view, const EngineOptions& options) {
    ChunkSettings settings = chunk_settings_of(options);
    const auto stored = stored_chunk_settings(view);
    const bool chosen_before = stored && stored->embedder_tokens && stored->chosen_tokens == options.chunk_tokens;
    if (!chosen_before || options.chunk_overlap >= options.chunk_tokens)
        settings.tokens = decide_chunk_tokens(options);  // says why
    settings.chosen_tokens = options.chunk_tokens;
    settings.chosen_overlap = options.chunk_overlap;
    settings.tokens = std::min(settings.tokens, longest_chunk_of(*options.embedder));
    settings.overlap = std::min(settings.overlap, settings.tokens - 1);
    return settings;
}

ChunkSettings chunk_settings_for(const Encoder& embedder, StoreView& view, const EngineOptions& current) {
    ChunkSettings settings = chunk_settings_of(current);
    if (!settings.embedder_tokens) {
        const auto stored = stored_chunk_settings(view);
        if (stored && stored->embedder_tokens) settings = *stored;
    }
    const std::size_t limit = longest_chunk_of(embedder);
    if (!settings.embedder_tokens) settings.chosen_tokens = settings.chosen_overlap = 0;  // words say nothing of tokens
    settings.tokens = std::min(settings.chosen_tokens == 0 ? kDefaultTokens : settings.chosen_tokens, limit);
    settings.overlap = std::min(settings.chosen_overlap, settings.tokens - 1);
    settings.embedder_tokens = true;
    return settings;
}

std::string hashed_settings(const ChunkSettings& settings, std::string_view fingerprint) {
    // Nothing for what is usual, so that documents stored before there was a choice keep their hash.
    std::string chunker;
    if (settings.chunker != ChunkerKind::kAuto) chunker = fmt::format(", chunker {}", static_cast<unsigned>(settings.chunker));
    if (!settings.embedder_tokens) return fmt::format("{} words, {} shared", settings.tokens, settings.overlap) + chunker;
    return fmt::format("{} tokens, {} shared, {}", settings.tokens, settings.overlap, fingerprint) + chunker;
}

ChunkSettings settle_chunk_settings(Store& store, const EngineOptions& options, const ChunkSettings& decided) {
    auto view = store.read();
    const auto stored = stored_chunk_settings(view);
    if (!stored || stored->embedder_tokens != decided.embedder_tokens) return decided;
    const bool left_to_us = options.chunk_tokens == 0 && options.chunk_overlap == 0 && options.chunker == ChunkerKind::kAuto;
    // As long as this embedder takes, in a base of a librag that did not tell yet: so long it is because nobody chose.
    if (left_to_us && stored->cuts_as(decided) && !view.meta(kChosenTokensMeta)) return decided;
    if (left_to_us) return *stored;
    if (!stored->cuts_as(decided) && !store.read_only()) {
        log(LogLevel::kWarning, "chunks of {} were cut by {}, from now on by {}: documents that are written again are cut anew",
            quote(store.name(), 400), stored->text(), decided.text());
    }
    return decided;
}

}  // namespace rag::core
