#include "train/row_texts.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace rag::core {

RowTexts::RowTexts(const TaskInput& input, const TrainingRows& rows, RowNotes* notes)
    : input_(input),
      rows_(rows),
      notes_(notes),
      limit_(limit(input)),
      tokens_(input.model.tokenizer(), limit_),
      typed_(input.model.encoder().config.type_vocab_size > 1) {}

std::int64_t RowTexts::limit(const TaskInput& input) {
    const std::int64_t most = input.model.max_tokens();
    const auto asked = static_cast<std::int64_t>(input.config.max_tokens);
    return asked == 0 ? most : std::min(asked, most);
}

void RowTexts::note_skipped(RowNotes* notes, const TrainingRow& row, std::string reason) {
    if (notes == nullptr) return;
    ++notes->skipped_count;
    if (notes->skipped.size() < kMaxSkippedKept) notes->skipped.push_back({row.line, std::move(reason)});
}

bool RowTexts::admit_long(const TaskInput& input, const TrainingRows& rows, const TrainingRow& row, std::size_t tokens,
                          std::int64_t limit, RowNotes* notes) {
    if (notes == nullptr) return true;
    if (input.config.long_texts == "error")
        fail(Code::kInvalidArgument, "{}, line {}: a text of {} tokens; at most {} are taken (max_tokens)",
             quote(rows.source, 400), row.line, tokens, limit);
    if (input.config.long_texts == "skip") {
        note_skipped(notes, row, fmt::format("a text of {} tokens; at most {} are taken (max_tokens)", tokens, limit));
        return false;
    }
    ++notes->cut;
    return true;
}

std::optional<TokenText> RowTexts::encode(const TrainingRow& row, std::string_view text, const std::string& prompt) {
    TokenText out;
    const std::string whole = prompt.empty() ? std::string(text) : prompt + std::string(text);
    tokens_.encode(whole, out.ids);
    if (!prompt.empty() && !input_.model.encoder().include_prompt) out.unpooled = tokens_.prompt_tokens(prompt);
    if (static_cast<std::int64_t>(out.ids.size()) < limit_) return out;
    const std::size_t tokens = input_.model.tokenizer()->count_tokens(whole) + tokens_.special_tokens();
    if (static_cast<std::int64_t>(tokens) > limit_ && !admit_long(input_, rows_, row, tokens, limit_, notes_)) return {};
    return out;
}

std::optional<TokenText> RowTexts::encode_pair(const TrainingRow& row, std::string_view text, std::string_view pair) {
    TokenText out;
    tokens_.encode_pair(text, pair, out.ids, out.type_ids);
    if (!typed_) out.type_ids.clear();
    if (static_cast<std::int64_t>(out.ids.size()) < limit_) return out;
    EncodeOptions whole;
    whole.file_truncation = false;
    whole.file_padding = false;
    const std::size_t tokens = input_.model.tokenizer()->encode({text, pair}, whole).ids.size();
    if (static_cast<std::int64_t>(tokens) > limit_ && !admit_long(input_, rows_, row, tokens, limit_, notes_)) return {};
    return out;
}

std::string task_prompt(const EncoderFiles& files, bool query) {
    static constexpr std::string_view kQuery[] = {"query"};
    static constexpr std::string_view kDocument[] = {"document", "passage", "corpus"};
    const std::span<const std::string_view> names = query ? std::span<const std::string_view>(kQuery) : std::span(kDocument);
    for (const std::string_view name : names) {
        if (const auto found = files.prompts.find(std::string(name)); found != files.prompts.end()) return found->second;
    }
    return {};
}

}  // namespace rag::core
