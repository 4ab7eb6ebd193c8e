#include "train/tasks/token_examples.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "train/row_texts.hpp"
#include "train/tasks/chat_spans.hpp"

namespace rag::core {
namespace {

std::int64_t decoder_limit(const TaskInput& input) {
    const std::int64_t most = input.model.max_tokens();
    const auto asked = static_cast<std::int64_t>(input.config.max_tokens);
    return std::min(asked == 0 ? kDefaultDecoderTokens : asked, most);
}

/// `counts`: whether the token is to be learned.
TokenExample make_example(std::vector<std::int32_t> ids, const std::vector<bool>& counts, std::uint64_t line) {
    TokenExample out;
    out.targets.assign(ids.size(), -1);
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        if (!counts[i + 1]) continue;
        out.targets[i] = ids[i + 1];
        ++out.asked;
    }
    out.ids = std::move(ids);
    out.line = line;
    return out;
}

void add_chat(const TaskInput& input, const TrainingRows& rows, const TrainingRow& row, std::vector<TokenExample>& out,
              RowNotes* notes) {
    const Tokenizer& tokenizer = *input.model.tokenizer();
    const ChatText chat = mark_answers(tokenizer, row.messages, row.tools);
    EncodeOptions options;
    options.add_special_tokens = false;
    options.file_truncation = false;
    options.file_padding = false;
    const Encoding encoding = tokenizer.encode({chat.text, {}}, options);
    std::vector<std::int32_t> ids(encoding.ids.begin(), encoding.ids.end());
    std::vector<bool> counts(ids.size());
    std::size_t answer = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const std::size_t begin = encoding.offsets[i].first, end = encoding.offsets[i].second;
        while (answer < chat.answers.size() && chat.answers[answer].end <= begin) ++answer;
        // A token that reaches over the border into an answer is its first.
        counts[i] = answer < chat.answers.size() && end > chat.answers[answer].begin;
    }
    const std::int64_t limit = decoder_limit(input);
    if (static_cast<std::int64_t>(ids.size()) > limit) {
        if (!RowTexts::admit_long(input, rows, row, ids.size(), limit, notes)) return;
        ids.resize(static_cast<std::size_t>(limit));
        counts.resize(ids.size());
    }
    TokenExample example = make_example(std::move(ids), counts, row.line);
    if (example.asked == 0)
        return RowTexts::note_skipped(notes, row, fmt::format("no answer within {} tokens (max_tokens)", limit));
    out.push_back(std::move(example));
}

void add_text(const TaskInput& input, const TrainingRow& row, std::vector<TokenExample>& out, RowNotes* notes) {
    const Tokenizer& tokenizer = *input.model.tokenizer();
    std::vector<std::int32_t> ids;
    tokenizer.encode_ids(row.text, true, ids);
    if (const auto end = tokenizer.eos_id(); end && (ids.empty() || ids.back() != *end)) ids.push_back(*end);
    const auto window = static_cast<std::size_t>(decoder_limit(input));
    const std::size_t before = out.size();
    for (std::size_t begin = 0; begin < ids.size(); begin += window) {
        const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
        const std::size_t count = std::min(window, ids.size() - begin);
        if (count < 2) break;
        out.push_back(
            make_example({first, first + static_cast<std::ptrdiff_t>(count)}, std::vector<bool>(count, true), row.line));
    }
    if (out.size() == before) RowTexts::note_skipped(notes, row, "fewer than two tokens");
}

}  // namespace

std::vector<TokenExample> read_token_examples(const TaskInput& input, const TrainingRows& rows, RowNotes* notes) {
    std::vector<TokenExample> out;
    if (rows.kind == RowKind::kChat && input.model.tokenizer()->chat_template().empty())
        fail(Code::kInvalidArgument, "{} holds conversations, and {} has no chat template", quote(rows.source, 400),
             quote(input.model.source().string(), 400));
    for (const TrainingRow& row : rows.rows) {
        try {
            if (row.kind == RowKind::kChat) {
                add_chat(input, rows, row, out, notes);
            } else {
                add_text(input, row, out, notes);
            }
        } catch (const Error& error) {
            if (error.code() != Code::kInvalidArgument || notes == nullptr) throw;
            const std::string file = quote(rows.source, 400);
            if (std::string_view(error.what()).starts_with(file)) throw;
            fail(Code::kInvalidArgument, "{}, line {}: {}", file, row.line, error.what());
        }
    }
    return out;
}

ChosenExamples choose_examples(std::span<const TokenExample> all, std::span<const std::vector<std::uint32_t>> batches) {
    ChosenExamples out;
    for (const auto& batch : batches) {
        for (const std::uint32_t number : batch) {
            out.examples.push_back(&all[number]);
            out.asked += all[number].asked;
        }
    }
    return out;
}

std::vector<const TokenExample*> every_example(std::span<const TokenExample> all) {
    std::vector<const TokenExample*> out;
    for (const TokenExample& example : all) out.push_back(&example);
    return out;
}

}  // namespace rag::core
