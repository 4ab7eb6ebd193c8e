// Rows as ids with what is to be learned of them, for the tasks whose loss is over tokens of a decoder: conversations through the
// model's own template (answers alone count), and plain texts (every token counts), which are cut into windows instead of losing
// their ends. Thread rule: one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/tasks/task.hpp"

namespace rag::core {

struct TokenExample {
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> targets;  // of each id the one behind it, or -1: not asked
    std::uint64_t line = 0;
    std::uint32_t asked = 0;  // targets that are not -1
};

/// Throws kInvalidArgument with file and line for what cannot be read as a conversation.
std::vector<TokenExample> read_token_examples(const TaskInput& input, const TrainingRows& rows, RowNotes* notes);

/// The examples of a step, and how many targets they ask for together.
struct ChosenExamples {
    std::vector<const TokenExample*> examples;
    std::uint64_t asked = 0;
};
ChosenExamples choose_examples(std::span<const TokenExample> all, std::span<const std::vector<std::uint32_t>> batches);
std::vector<const TokenExample*> every_example(std::span<const TokenExample> all);

inline constexpr std::int64_t kDefaultDecoderTokens = 1024;  // config.max_tokens 0

}  // namespace rag::core
