// Asking: search, prompt, generation, citations, in this order. The search ends before the model begins, so that writers and
// close() do not wait for a model that talks.
#include <chrono>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "engine/answer.hpp"
#include "engine/engine_state.hpp"
#include "generate/citations.hpp"
#include "generate/prompt.hpp"
#include "tokenizer/control_texts.hpp"

namespace rag::core {
namespace {

// Longer prompts cost more than further passages are worth.
constexpr std::size_t kLongestPrompt = 4096;

/// Milliseconds since it was made.
class Lap {
  public:
    double operator()() const {
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_).count();
    }

  private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

Prompt make_prompt(const Decoder& decoder, std::string_view question, const std::vector<Hit>& hits, std::size_t new_tokens) {
    const Tokenizer& tokenizer = decoder.tokenizer();
    const auto context = static_cast<std::size_t>(decoder.context_length());
    if (new_tokens >= context) {
        fail(Code::kInvalidArgument, "max_tokens is {}, the generator's context has {} tokens for prompt and answer", new_tokens,
             context);
    }
    PromptOptions options;
    options.max_tokens = std::min(context - new_tokens, kLongestPrompt);
    options.control_texts = control_texts(tokenizer);
    std::vector<PromptPassage> passages;
    passages.reserve(hits.size());
    for (const Hit& hit : hits) passages.push_back({hit.text, hit.title});
    std::vector<std::int32_t> ids;
    return build_prompt(question, passages, options, [&](std::string_view messages) {
        ids.clear();
        tokenizer.encode_ids(tokenizer.apply_chat_template(messages, true), false, ids);
        return ids.size();
    });
}

void check_citations(const Prompt& prompt, Answer& answer) {
    std::vector<std::string_view> texts;
    texts.reserve(answer.hits.size());
    for (const Hit& hit : answer.hits) texts.push_back(hit.text);
    CitationReport report = cite(answer.generation.text, texts, prompt.spans);
    for (const Citation& citation : report.citations) {
        answer.citations.push_back({citation.answer_start, citation.answer_end, citation.passage, citation.passage_start,
                                    citation.passage_end, static_cast<float>(citation.score)});
    }
    answer.unsupported = std::move(report.unsupported);
}

}  // namespace

Answer Engine::ask(std::string_view question, const AskOptions& options) const {
    std::shared_ptr<Decoder> generator;
    {
        const Call call(*this);
        generator = call->options_now().generator;
        if (!generator) fail(Code::kInvalidState, "{} was opened without a generator, which ask needs", quote(call->name, 400));
    }
    Query query;
    query.text = question;
    query.k = options.k;
    query.mode = options.mode;
    query.where = options.where;

    Answer answer;
    const Lap search_lap;
    answer.hits = search(query);
    answer.search_ms = search_lap();
    const Lap prompt_lap;
    const Prompt prompt = make_prompt(*generator, question, answer.hits, options.generation.max_tokens);
    answer.prompt_ms = prompt_lap();
    answer.generation = answer_messages(generator, prompt.messages_json, options.generation, options.on_token);
    const Lap citation_lap;
    check_citations(prompt, answer);
    answer.citation_ms = citation_lap();
    return answer;
}

}  // namespace rag::core
