#include "generate/prompt.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/sentences.hpp"
#include "text/words.hpp"
#include "tokenizer/control_texts.hpp"

namespace rag::core {

namespace {

constexpr std::string_view kEnglish =
    "Answer the question with facts from the numbered passages only. Use the words of the passages, in short full sentences. If "
    "the passages do not hold the answer, say that they do not.";
// "Answer the question only from the numbered material below, in its own words and in short full sentences; if the answer is not
// in it, say so."
constexpr std::string_view kChinese =
    "\u8bf7\u53ea\u6839\u636e\u4e0b\u9762\u7f16\u53f7\u7684\u8d44\u6599\u56de\u7b54\u95ee\u9898\uff0c\u5c3d\u91cf\u4f7f\u7528"
    "\u8d44\u6599\u4e2d\u7684\u539f\u8bdd\uff0c\u7528\u7b80\u77ed\u5b8c\u6574\u7684\u53e5\u5b50\u3002\u5982\u679c\u8d44\u6599"
    "\u4e2d\u6ca1\u6709\u7b54\u6848\uff0c\u8bf7\u8bf4\u660e\u3002";
constexpr std::string_view kQuestionEnglish = "Question: ";
constexpr std::string_view kQuestionChinese = "\u95ee\u9898\uff1a";
constexpr std::string_view kNoneEnglish = "(There are no passages.)";
constexpr std::string_view kNoneChinese = "\uff08\u6ca1\u6709\u8d44\u6599\u3002\uff09";

class Builder {
  public:
    Builder(std::string_view question, std::span<const PromptPassage> passages, const PromptOptions& options,
            const PromptCounter& count_tokens)
        : passages_(passages), options_(options), count_tokens_(count_tokens), chinese_(is_mostly_han(question)) {
        question_ = defuse(question, options.control_texts);
        instruction_ = !options.instruction.empty() ? options.instruction : std::string(chinese_ ? kChinese : kEnglish);
    }

    Prompt run() {
        std::vector<PromptSpan> spans;
        for (std::size_t i = 0; i < passages_.size(); ++i) {
            const Range range = trim_range(passages_[i].text, {0, passages_[i].text.size()});
            if (range.start < range.end) spans.push_back({i, range.start, range.end});
        }
        if (!spans.empty() && !fits(spans)) {
            const std::size_t whole = count_that_fit(spans);
            PromptSpan cut = spans[whole];
            spans.resize(whole);
            cut.end = longest_cut(spans, cut);
            if (cut.end > cut.start) spans.push_back(cut);
        }
        Prompt out;
        out.messages_json = messages(spans);
        out.tokens = count_tokens_(out.messages_json);
        if (out.tokens > options_.max_tokens)
            fail(Code::kInvalidArgument, "the question alone makes a prompt of {} tokens, the budget is {}", out.tokens,
                 options_.max_tokens);
        out.spans = std::move(spans);
        return out;
    }

  private:
    std::string messages(const std::vector<PromptSpan>& spans) const {
        std::string user;
        for (std::size_t i = 0; i < spans.size(); ++i) {
            const PromptPassage& passage = passages_[spans[i].passage];
            user += "[" + std::to_string(i + 1) + "] ";
            if (!passage.title.empty()) user += defuse(passage.title, options_.control_texts) + "\n";
            user += defuse(passage.text.substr(spans[i].start, spans[i].end - spans[i].start), options_.control_texts) + "\n\n";
        }
        if (spans.empty()) user += std::string(chinese_ ? kNoneChinese : kNoneEnglish) + "\n\n";
        user += std::string(chinese_ ? kQuestionChinese : kQuestionEnglish) + question_;
        const nlohmann::ordered_json json = {{{"role", "system"}, {"content", instruction_}},
                                             {{"role", "user"}, {"content", user}}};
        return json.dump();
    }

    bool fits(const std::vector<PromptSpan>& spans) const { return count_tokens_(messages(spans)) <= options_.max_tokens; }

    /// The most passages from the front that fit whole; fewer than all.
    std::size_t count_that_fit(const std::vector<PromptSpan>& spans) const {
        std::size_t low = 0;
        std::size_t high = spans.size();
        while (high - low > 1) {
            const std::size_t middle = (low + high) / 2;
            (fits({spans.begin(), spans.begin() + static_cast<std::ptrdiff_t>(middle)}) ? low : high) = middle;
        }
        return low;
    }

    /// The largest of `ends` with which `span` still fits behind `before`, or span.start.
    std::size_t largest_end(const std::vector<PromptSpan>& before, PromptSpan span, const std::vector<std::size_t>& ends) const {
        std::size_t low = 0;
        std::size_t high = ends.size() + 1;
        std::vector<PromptSpan> spans = before;
        spans.push_back(span);
        while (high - low > 1) {
            const std::size_t middle = (low + high) / 2;
            spans.back().end = ends[middle - 1];
            (fits(spans) ? low : high) = middle;
        }
        return low == 0 ? span.start : ends[low - 1];
    }

    std::size_t longest_cut(const std::vector<PromptSpan>& before, const PromptSpan& span) const {
        const std::string_view text = passages_[span.passage].text.substr(span.start, span.end - span.start);
        std::vector<std::size_t> ends;
        for (const Range& sentence : split_sentences(text)) ends.push_back(span.start + sentence.end);
        if (!ends.empty()) ends.pop_back();  // the whole passage does not fit
        const std::size_t end = largest_end(before, span, ends);
        if (end > span.start || !before.empty()) return end;
        // Not one sentence of the only passage: rather part of a sentence than nothing.
        std::vector<Word> words;
        segment_words(text, words);
        ends.clear();
        for (const Word& word : words) ends.push_back(span.start + word.end);
        return largest_end(before, span, ends);
    }

    std::span<const PromptPassage> passages_;
    const PromptOptions& options_;
    const PromptCounter& count_tokens_;
    bool chinese_;
    std::string question_;
    std::string instruction_;
};

}  // namespace

bool is_mostly_han(std::string_view utf8) {
    std::vector<Word> words;
    segment_words(utf8, words, CjkWords::kRuns);
    std::size_t han = 0;
    std::size_t other = 0;
    for (const Word& word : words) {
        if (word.kind == Word::kHan) {
            han += count_code_points(utf8.substr(word.start, word.end - word.start));
        } else if (word.kind != Word::kNumber) {
            ++other;
        }
    }
    return han > other;
}

Prompt build_prompt(std::string_view question, std::span<const PromptPassage> passages, const PromptOptions& options,
                    const PromptCounter& count_tokens) {
    require_utf8(question, "the question");
    for (std::size_t i = 0; i < passages.size(); ++i) {
        require_utf8(passages[i].text, "passage " + std::to_string(i + 1));
        require_utf8(passages[i].title, "the title of passage " + std::to_string(i + 1));
    }
    const Range trimmed = trim_range(question, {0, question.size()});
    if (trimmed.start == trimmed.end) fail(Code::kInvalidArgument, "the question is empty");
    return Builder(question.substr(trimmed.start, trimmed.end - trimmed.start), passages, options, count_tokens).run();
}

}  // namespace rag::core
