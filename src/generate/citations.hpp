// Citations: which sentence of an answer is held up by which words of the prompt. A citation exists only where a sentence aligns
// with a span that was in the prompt (alignment.hpp says what that takes); what the model wrote about its sources, such as [2],
// is not looked at. All other sentences are listed as unsupported. For English and Chinese alike. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "generate/alignment.hpp"
#include "generate/prompt.hpp"
#include "text/sentences.hpp"

namespace rag::core {

struct Citation {
    std::size_t answer_start = 0;  // bytes of the answer: a sentence
    std::size_t answer_end = 0;
    std::size_t passage = 0;        // index into `passages`
    std::size_t passage_start = 0;  // bytes of that passage's text: the words that hold it up
    std::size_t passage_end = 0;
    double score = 0;  // (0, 1]: coverage times how compact the words lie
};

struct CitationReport {
    std::vector<Citation> citations;  // in the order of the answer; one a sentence, from the best passage
    std::vector<Range> unsupported;   // sentences of the answer without one
};

/// `passages`: the texts that build_prompt was given, `spans`: what it said was in the prompt. Error(kInvalidArgument) for a span
/// that is not inside its passage, or texts that are no UTF-8.
CitationReport cite(std::string_view answer, std::span<const std::string_view> passages, std::span<const PromptSpan> spans,
                    const grounding::AlignmentOptions& options = {});

}  // namespace rag::core
