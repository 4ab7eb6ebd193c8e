// Searching and generating at the C boundary: modes and options in, the token callback, usage out.
#pragma once

#include <rag/rag.h>

#include <utility>

#include "arguments.hpp"
#include "engine/engine.hpp"
#include "generate/decoder_generation.hpp"
#include "handles.hpp"
#include "models.hpp"

namespace rag::capi {

struct GenerationCall {
    core::GenerateOptions options;
    core::TokenCallback on_token;
};

inline std::vector<std::shared_ptr<const core::CachedText>> prefix_of(const rag_cached_text* const* prefix, std::size_t count) {
    require_array(prefix, count, "prefix");
    std::vector<std::shared_ptr<const core::CachedText>> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(require(prefix[i], "prefix").text);
    return out;
}

inline GenerationCall generation_of(const rag_generate_options* options) {
    const auto known = read_struct(options, rag_generate_options RAG_GENERATE_OPTIONS_INIT, "rag_generate_options",
                                   offsetof(rag_generate_options, prefix));
    GenerationCall out;
    if (known.max_tokens != 0) out.options.max_tokens = known.max_tokens;
    core::SamplerOptions& sampler = out.options.sampler;
    sampler.temperature = known.temperature;
    if (known.top_p != 0) sampler.top_p = known.top_p;
    sampler.top_k = known.top_k;
    sampler.min_p = known.min_p;
    constexpr float kLargestPenalty = 1000;
    if (known.repeat_penalty != 0 && !(known.repeat_penalty >= 1 && known.repeat_penalty <= kLargestPenalty)) {
        fail(Code::kInvalidArgument, "repeat_penalty is {}, it must be 0 (off), or 1 to {}", known.repeat_penalty,
             kLargestPenalty);
    }
    if (known.repeat_penalty != 0) sampler.repeat_penalty = known.repeat_penalty;
    sampler.seed = known.seed;
    for (const std::string_view text : texts_of(known.stop, known.stop_count, "stop")) {
        if (text.empty())
            fail(Code::kInvalidArgument, "stop[{}] is empty, a text that ends the generation is expected",
                 out.options.stop.size());
        out.options.stop.emplace_back(text);
    }
    out.options.adapters = chosen_adapters(known.adapters, known.adapter_count);
    out.options.prefix = prefix_of(known.prefix, known.prefix_count);
    if (known.token != nullptr) {
        out.on_token = [function = known.token, user_data = known.user_data](std::int32_t id, std::string_view text) {
            const rag_token token{id, {text.data() == nullptr ? "" : text.data(), text.size()}};
            const int value = function(&token, user_data);
            if (value != 0) set_stop_value(value);
            return value == 0;
        };
    }
    return out;
}

inline core::SearchMode mode_of(std::uint32_t mode) {
    if (mode > RAG_SEARCH_BM25) {
        fail(Code::kInvalidArgument, "mode is {}, it must be 0 (auto), 1 (hybrid), 2 (vector) or 3 (bm25)", mode);
    }
    return static_cast<core::SearchMode>(mode);
}

inline rag_usage usage_of(const core::Generation& generation) {
    rag_usage out = RAG_USAGE_INIT;
    switch (generation.finish) {
        case core::FinishReason::kStop:
            out.finish = RAG_FINISH_STOP;
            break;
        case core::FinishReason::kLength:
            out.finish = RAG_FINISH_LENGTH;
            break;
        case core::FinishReason::kCancelled:
            out.finish = RAG_FINISH_STOPPED;
            break;
    }
    out.prompt_tokens = generation.prompt_tokens;
    out.new_tokens = generation.new_tokens;
    out.prefill_ms = generation.prefill_ms;
    out.decode_ms = generation.decode_ms;
    return out;
}

}  // namespace rag::capi
