// The shapes in which people keep training data, as rows: objects with "text" and "label"; "query", "positive" and "negatives"
// (sentence-transformers' "anchor", FlagEmbedding's "pos" and "neg" too); "messages"; Alpaca's instruction, input and output;
// ShareGPT's conversations; prompt and completion. In: one object of JSON, or the fields of a table. Pure functions.
#pragma once

#include <optional>
#include <string>

#include "train/data/json_value.hpp"
#include "train/data/training_row.hpp"

namespace rag::core {

/// Members to read instead of the usual ones; not given: the usual.
struct RowColumns {
    std::optional<std::string> text = {}, pair = {}, label = {}, query = {}, positive = {}, negatives = {}, messages = {};
};

inline constexpr std::size_t kMaxNegatives = 1024;  // of one row

/// `object`: what stands in the file. The shape is that of the members, in the order of the list above, and must be of `kind`
/// unless that is kAny. kInvalidArgument says what is wrong without naming the file or the row; `line` is not filled in.
TrainingRow shape_row(const JsonValue& object, RowKind kind, const RowColumns& columns);

/// Conversations, in chat_rows.cpp: nothing if the object holds none.
std::optional<TrainingRow> shape_chat(const JsonValue& object, const RowColumns& columns);

}  // namespace rag::core
