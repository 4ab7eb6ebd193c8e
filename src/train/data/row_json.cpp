// Rows as JSON, for callers and for manifests.
#include "train/data/json_value.hpp"
#include "train/data/training_row.hpp"

namespace rag::core {

std::string row_json(const TrainingRow& row) {
    JsonValue json;
    switch (row.kind) {
        case RowKind::kAny:
        case RowKind::kText:
            json["text"] = row.text;
            break;
        case RowKind::kLabelled:
            json["text"] = row.text;
            if (!row.pair.empty()) json["text_pair"] = row.pair;
            json["label"] = row.label;
            break;
        case RowKind::kChat:
            json["messages"] = JsonValue::parse(row.messages);
            if (!row.tools.empty()) json["tools"] = JsonValue::parse(row.tools);
            break;
        case RowKind::kRetrieval:
            json["query"] = row.query;
            json["positive"] = row.positive;
            if (!row.negatives.empty()) json["negatives"] = row.negatives;
            break;
    }
    return json.dump();
}

}  // namespace rag::core
