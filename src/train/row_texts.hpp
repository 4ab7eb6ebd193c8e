// Texts of rows as ids, with what the settings say of texts that are too long: cut, skipped and counted, or an error with file
// and line. Thread rule: one thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/text_tokens.hpp"
#include "train/tasks/task.hpp"
#include "train/token_text.hpp"

namespace rag::core {

class RowTexts {
  public:
    /// For an encoder. `notes`: null for pairs that are drawn, whose long texts are always cut.
    RowTexts(const TaskInput& input, const TrainingRows& rows, RowNotes* notes);

    /// The text behind `prompt`; nothing if the row is to be skipped (and then it is noted).
    std::optional<TokenText> encode(const TrainingRow& row, std::string_view text, const std::string& prompt = {});
    std::optional<TokenText> encode_pair(const TrainingRow& row, std::string_view text, std::string_view pair);

    /// config.max_tokens, at most what the model takes.
    static std::int64_t limit(const TaskInput& input);
    /// Notes a text of `tokens` tokens, `limit` being allowed: true if it is to be cut, false if its row is skipped. Throws
    /// kInvalidArgument with file and line where long_texts is "error".
    static bool admit_long(const TaskInput& input, const TrainingRows& rows, const TrainingRow& row, std::size_t tokens,
                           std::int64_t limit, RowNotes* notes);
    static void note_skipped(RowNotes* notes, const TrainingRow& row, std::string reason);

  private:
    const TaskInput& input_;
    const TrainingRows& rows_;
    RowNotes* notes_;
    std::int64_t limit_;
    TextTokens tokens_;
    bool typed_;
};

/// The folder's prompt of queries or of documents, as Encoder::prompt_text finds it; empty: none.
std::string task_prompt(const EncoderFiles& files, bool query);

}  // namespace rag::core
