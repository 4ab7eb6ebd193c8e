// One row of training data, whatever file it came from. A value; thread-safe as values are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// What a row teaches; all rows of one data set are of one kind.
enum class RowKind : std::uint32_t {
    kAny,       // as an option: what the first row is
    kText,      // a text to continue or to fill in: masked_lm, distill, continued pre-training
    kLabelled,  // a text (or a pair of texts) and its class: classification
    kChat,      // a conversation with at least one answer: causal_lm
    kRetrieval  // a query, what it should find, what it should not: contrastive, rerank
};

/// "any", "text", "labelled", "chat", "retrieval".
std::string_view row_kind_name(RowKind kind);

struct TrainingRow {
    RowKind kind = RowKind::kText;
    std::uint64_t line = 0;              // of the file, from 1; of a .json list the place of the element; 0: made by the caller
    std::string text;                    // kText, kLabelled
    std::string pair;                    // kLabelled: the second text, or empty
    std::string label;                   // kLabelled
    std::string messages;                // kChat: a JSON list of {"role", "content", ...} as chat templates take it
    std::string tools;                   // kChat: a JSON list, or empty
    std::string query;                   // kRetrieval
    std::string positive;                // kRetrieval
    std::vector<std::string> negatives;  // kRetrieval; may be empty
};

/// The row as one line of JSON with the members of its kind: "text"; "text", "text_pair", "label"; "messages", "tools"; "query",
/// "positive", "negatives". Members that are empty and may be are left out. shape_row reads it back.
std::string row_json(const TrainingRow& row);

}  // namespace rag::core
