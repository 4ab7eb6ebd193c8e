// rag_engine_ask and rag_answer_*: cited answers over C.
#include "engine/answer.hpp"

#include "arguments.hpp"
#include "generation.hpp"
#include "guard.hpp"
#include "handles.hpp"

namespace core = rag::core;
using rag::capi::Code;
using rag::capi::fail;
using rag::capi::guard;
using rag::capi::require;

extern "C" {

rag_status rag_engine_ask(rag_engine* engine, rag_text question, const rag_ask_options* options, rag_answer** answer) noexcept {
    return guard([&]() -> rag_status {
        require(answer, "answer") = nullptr;
        const core::Engine& target = *require(engine, "engine").engine;
        const auto known = rag::capi::read_struct(options, rag_ask_options RAG_ASK_OPTIONS_INIT, "rag_ask_options");
        core::AskOptions out;
        if (known.k != 0) out.k = known.k;
        out.mode = rag::capi::mode_of(known.mode);
        if (rag::capi::given(known.where)) out.where = rag::capi::text_of(known.where, "where");
        rag::capi::GenerationCall call = rag::capi::generation_of(known.generation);
        out.generation = std::move(call.options);
        out.on_token = std::move(call.on_token);
        auto made = std::make_unique<rag_answer>();
        made->answer = target.ask(rag::capi::text_of(question, "question"), out);
        made->hits.hits = std::move(made->answer.hits);
        const bool stopped = made->answer.generation.finish == core::FinishReason::kCancelled;
        *answer = made.release();
        return stopped ? RAG_STOPPED : RAG_OK;
    });
}

rag_text rag_answer_text(const rag_answer* answer) noexcept {
    if (answer == nullptr) return {nullptr, 0};
    const std::string& text = answer->answer.generation.text;
    return {text.c_str(), text.size()};
}

const rag_hits* rag_answer_hits(const rag_answer* answer) noexcept {
    return answer == nullptr ? nullptr : &answer->hits;
}

void rag_answer_free(rag_answer* answer) noexcept {
    delete answer;
}

size_t rag_answer_citation_count(const rag_answer* answer) noexcept {
    return answer == nullptr ? 0 : answer->answer.citations.size();
}

rag_status rag_answer_citation_at(const rag_answer* answer, size_t index, rag_citation* citation) noexcept {
    return guard([&] {
        const auto& all = require(answer, "answer").answer.citations;
        rag_citation value = RAG_CITATION_INIT;
        if (index < all.size()) {
            const core::AnswerCitation& found = all[index];
            value.score = found.score;
            value.start = found.start;
            value.end = found.end;
            value.hit = found.hit;
            value.hit_start = found.hit_start;
            value.hit_end = found.hit_end;
        }
        rag::capi::write_struct(citation, value, "rag_citation");
        if (index >= all.size()) fail(Code::kInvalidArgument, "index is {}, there are {} citations", index, all.size());
    });
}

size_t rag_answer_unsupported_count(const rag_answer* answer) noexcept {
    return answer == nullptr ? 0 : answer->answer.unsupported.size();
}

rag_status rag_answer_unsupported_at(const rag_answer* answer, size_t index, uint64_t* start, uint64_t* end) noexcept {
    return guard([&] {
        require(start, "start") = 0;
        require(end, "end") = 0;
        const auto& all = require(answer, "answer").answer.unsupported;
        if (index >= all.size())
            fail(Code::kInvalidArgument, "index is {}, there are {} unsupported sentences", index, all.size());
        *start = all[index].start;
        *end = all[index].end;
    });
}

rag_status rag_answer_usage(const rag_answer* answer, rag_usage* usage) noexcept {
    return guard([&] {
        const core::Answer& source = require(answer, "answer").answer;
        rag_usage value = rag::capi::usage_of(source.generation);
        value.search_ms = source.search_ms;
        value.prompt_ms = source.prompt_ms;
        value.citation_ms = source.citation_ms;
        rag::capi::write_struct(usage, value, "rag_usage");
    });
}

}  // extern "C"
