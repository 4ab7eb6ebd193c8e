// Any text as an answer and a passage (the bytes before and behind the first NUL): every citation and every unsupported sentence
// lies inside its text, and only core::Error may come out.
// link: rag_generate
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "generate/citations.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const std::size_t cut = all.find('\0');
    const std::string_view answer = all.substr(0, cut);
    const std::string_view passage = cut == std::string_view::npos ? answer : all.substr(cut + 1);
    const std::vector<std::string_view> passages = {passage};
    const std::vector<rag::core::PromptSpan> spans = {{0, 0, passage.size()}};
    try {
        const rag::core::CitationReport report = rag::core::cite(answer, passages, spans);
        for (const auto& one : report.citations) {
            const bool inside = one.answer_start < one.answer_end && one.answer_end <= answer.size() && one.passage == 0 &&
                                one.passage_start < one.passage_end && one.passage_end <= passage.size() && one.score > 0 &&
                                one.score <= 1;
            if (!inside) std::abort();
        }
        for (const auto& one : report.unsupported) {
            if (one.start >= one.end || one.end > answer.size()) std::abort();
        }
    } catch (const rag::core::Error&) {
    }
    return 0;
}
