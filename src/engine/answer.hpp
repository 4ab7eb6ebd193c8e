// What Engine::ask takes and gives: an answer, which of its sentences the passages hold up, and where the time went. Values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"
#include "generate/decoder_generation.hpp"
#include "text/sentences.hpp"

namespace rag::core {

struct AskOptions {
    std::size_t k = 5;  // passages in the prompt, fewer where the context has no room
    SearchMode mode = SearchMode::kAuto;
    std::optional<std::string_view> where;
    GenerateOptions generation;
    TokenCallback on_token;  // see decoder_generation.hpp; may be empty
};

/// A sentence of the answer, and the span of a hit that was in the prompt and holds it up. Bytes.
struct AnswerCitation {
    std::size_t start = 0, end = 0;          // in Answer::generation.text
    std::size_t hit = 0;                     // index into Answer::hits
    std::size_t hit_start = 0, hit_end = 0;  // in that hit's text
    float score = 0;                         // (0, 1]
};

struct Answer {
    Generation generation;  // text, ids, why it ended, tokens, prefill and decode times
    std::vector<AnswerCitation> citations;
    std::vector<Range> unsupported;  // sentences without a citation
    std::vector<Hit> hits;           // what the search found, best first
    double search_ms = 0, prompt_ms = 0, citation_ms = 0;
};

}  // namespace rag::core
