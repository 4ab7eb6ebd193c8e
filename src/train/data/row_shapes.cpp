#include "train/data/row_shapes.hpp"

#include <initializer_list>

#include "core/error.hpp"
#include "text/readers/fields.hpp"

namespace rag::core {
namespace {

using json = JsonValue;

/// The member of the first of `names` that is there and not null.
const json* find(const json& object, std::initializer_list<const char*> names, const std::optional<std::string>& asked = {}) {
    if (asked) {
        const auto found = object.find(*asked);
        if (found == object.end()) fail(Code::kInvalidArgument, "there is no {}", quote(*asked));
        return &*found;
    }
    for (const char* name : names) {
        const auto found = object.find(name);
        if (found != object.end() && !found->is_null()) return &*found;
    }
    return nullptr;
}

std::string text_of(const json& value, std::string_view what) {
    if (!value.is_string())
        fail(Code::kInvalidArgument, "{} must be a text, it is {}", what, value.is_null() ? "null" : value.type_name());
    const auto& text = value.get_ref<const std::string&>();
    if (is_blank_text(text)) fail(Code::kInvalidArgument, "{} is empty", what);
    return text;
}

std::string label_of(const json& value) {
    if (value.is_number_integer() || value.is_boolean()) return value.dump();
    if (!value.is_string())
        fail(Code::kInvalidArgument, "the label must be a text or a whole number, it is {}",
             value.is_null() ? "null" : value.type_name());
    const auto& text = value.get_ref<const std::string&>();
    if (is_blank_text(text)) fail(Code::kInvalidArgument, "the label is empty");
    return text;
}

/// A text, a list of texts, or JSON of such a list in a text, as tables hold it.
std::vector<std::string> texts_of(const json& value, const char* what) {
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        if (is_blank_text(text)) return {};
        const std::optional<json> list = text.front() == '[' ? parse_value(text) : std::nullopt;
        if (list && list->is_array()) return texts_of(*list, what);
        return {text};
    }
    if (!value.is_array())
        fail(Code::kInvalidArgument, "{} must be a text or a list of texts, it is {}", what, value.type_name());
    if (value.size() > kMaxNegatives)
        fail(Code::kInvalidArgument, "{} holds {} texts, at most {} are taken", what, value.size(), kMaxNegatives);
    std::vector<std::string> texts;
    for (const json& item : value) texts.push_back(text_of(item, fmt::format("each of {}", what)));
    return texts;
}

std::optional<TrainingRow> shape_retrieval(const json& object, const RowColumns& columns) {
    const json* query = find(object, {"query", "anchor"}, columns.query);
    const json* positive = find(object, {"positive", "pos"}, columns.positive);
    if (query == nullptr || positive == nullptr) return std::nullopt;
    TrainingRow row;
    row.kind = RowKind::kRetrieval;
    row.query = text_of(*query, "the query");
    const std::vector<std::string> positives = texts_of(*positive, "the positive");
    if (positives.size() != 1)
        fail(Code::kInvalidArgument, "the positive holds {} texts; write a row for each", positives.size());
    row.positive = positives.front();
    if (const json* negatives = find(object, {"negatives", "negative", "neg"}, columns.negatives))
        row.negatives = texts_of(*negatives, "the negatives");
    return row;
}

std::optional<TrainingRow> shape_text(const json& object, const RowColumns& columns, bool labelled) {
    const json* text = find(object, {"text", "sentence", "sentence1", "content"}, columns.text);
    const json* label = find(object, {"label"}, columns.label);
    if (text == nullptr || (labelled && label == nullptr)) return std::nullopt;
    TrainingRow row;
    row.text = text_of(*text, "the text");
    if (!labelled) return row;
    row.kind = RowKind::kLabelled;
    row.label = label_of(*label);
    if (const json* pair = find(object, {"text_pair", "sentence2"}, columns.pair)) row.pair = text_of(*pair, "the second text");
    return row;
}

std::string members_of(const json& object) {
    std::string names;
    for (const auto& item : object.items()) names += (names.empty() ? "" : ", ") + quote(item.key(), 40);
    return names.empty() ? "it has no members" : "its members are " + names.substr(0, 400);
}

const char* wanted_members(RowKind kind) {
    switch (kind) {
        case RowKind::kText:
            return "a text (\"text\")";
        case RowKind::kLabelled:
            return "a text and its class (\"text\" and \"label\")";
        case RowKind::kChat:
            return "a conversation (\"messages\"; or \"conversations\"; or \"instruction\" and \"output\"; or \"prompt\" and "
                   "\"completion\")";
        case RowKind::kRetrieval:
            return "a query and its answer (\"query\" and \"positive\")";
        case RowKind::kAny:
            break;
    }
    return "training data (\"text\" and \"label\"; \"query\" and \"positive\"; \"messages\"; \"instruction\" and \"output\")";
}

}  // namespace

std::string_view row_kind_name(RowKind kind) {
    constexpr std::string_view kNames[] = {"any", "text", "labelled", "chat", "retrieval"};
    return kNames[static_cast<std::size_t>(kind)];
}

TrainingRow shape_row(const json& object, RowKind kind, const RowColumns& columns) {
    if (object.is_string() && (kind == RowKind::kAny || kind == RowKind::kText)) {
        TrainingRow row;
        row.text = text_of(object, "the text");
        return row;
    }
    if (!object.is_object()) fail(Code::kInvalidArgument, "an object is expected, found {}", object.type_name());
    const bool any = kind == RowKind::kAny;
    std::optional<TrainingRow> row;
    if (any || kind == RowKind::kLabelled) row = shape_text(object, columns, true);
    if (!row && (any || kind == RowKind::kRetrieval)) row = shape_retrieval(object, columns);
    if (!row && (any || kind == RowKind::kChat)) row = shape_chat(object, columns);
    if (!row && (any || kind == RowKind::kText)) row = shape_text(object, columns, false);
    if (!row) fail(Code::kInvalidArgument, "this is not {}: {}", wanted_members(kind), members_of(object));
    return *row;
}

}  // namespace rag::core
