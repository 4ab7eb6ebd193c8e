// BEIR's folders (https://github.com/beir-cellar/beir): corpus.jsonl and queries.jsonl with "_id" (or "id"), "title", "text";
// qrels/SPLIT.tsv (or qrels_SPLIT.tsv, qrels.tsv) with a row of names, then query, document, relevance. One row for each judgment
// above 0; documents judged 0 for a query are its negatives.
#include <charconv>
#include <unordered_map>

#include "text/readers/table_rows.hpp"
#include "text/readers/text_lines.hpp"
#include "train/data/read_rows.hpp"

namespace rag::core {
namespace {

namespace fs = std::filesystem;
using Texts = std::unordered_map<std::string, std::string>;

std::string text_or_empty(const JsonValue& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Texts by id, the title before the text.
Texts read_texts(const fs::path& path, const ReadRowsOptions& options) {
    TextSource source(ByteSource::open_file(path), options.encoding, nullptr, options.progress);
    TextLines lines(source);
    Texts texts;
    std::string_view line;
    while (lines.next(line)) {
        if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
        const std::optional<JsonValue> object = parse_value(line);
        const std::string place = fmt::format("{}, line {}", quote(path.string(), 400), lines.number());
        if (!object || !object->is_object()) fail(Code::kInvalidArgument, "{}: no JSON object", place);
        std::string id = text_or_empty(*object, "_id");
        if (id.empty()) id = text_or_empty(*object, "id");
        if (id.empty()) fail(Code::kInvalidArgument, "{}: no \"_id\"", place);
        const std::string title = text_or_empty(*object, "title");
        std::string text = text_or_empty(*object, "text");
        if (!title.empty() && !text.empty()) text.insert(0, 1, '\n');
        text.insert(0, title);
        if (!texts.emplace(id, std::move(text)).second)
            fail(Code::kInvalidArgument, "{}: the id {} occurs twice", place, quote(id));
    }
    return texts;
}

fs::path find_judgments(const fs::path& folder, const std::string& split) {
    for (const fs::path& path : {folder / "qrels" / (split + ".tsv"), folder / ("qrels_" + split + ".tsv")}) {
        if (fs::exists(path)) return path;
    }
    if (fs::exists(folder / "qrels.tsv") && split == "test") return folder / "qrels.tsv";
    fail(Code::kNotFound, "{} holds no judgments for the split {}: neither qrels/{}.tsv nor qrels_{}.tsv",
         quote(folder.string(), 400), quote(split), split, split);
}

struct Judgment {
    std::uint64_t line;
    std::string query, document, relevance;
};

int relevance_of(const Judgment& judgment) {
    int value = 0;
    const char* end = judgment.relevance.data() + judgment.relevance.size();
    const auto [stop, problem] = std::from_chars(judgment.relevance.data(), end, value);
    if (problem != std::errc() || stop != end)
        fail(Code::kInvalidArgument, "the relevance {} is no whole number", quote(judgment.relevance));
    return value;
}

std::vector<Judgment> read_judgments(const fs::path& path, const ReadRowsOptions& options) {
    TextSource source(ByteSource::open_file(path), options.encoding, nullptr, options.progress);
    TableRows table(source, '\t', {});
    std::vector<Judgment> judgments;
    while (table.next()) {
        if (table.count() != 3)
            fail(Code::kInvalidArgument, "{}, line {}: {} fields, three are expected: query, document, relevance",
                 quote(path.string(), 400), table.line(), table.count());
        judgments.push_back({table.line(), table.value(0), table.value(1), table.value(2)});
    }
    return judgments;
}

const std::string& text_named(const Texts& texts, const std::string& id, const char* what) {
    const auto found = texts.find(id);
    if (found == texts.end()) fail(Code::kInvalidArgument, "there is no {} {}", what, quote(id));
    if (found->second.empty()) fail(Code::kInvalidArgument, "the {} {} has no text", what, quote(id));
    return found->second;
}

}  // namespace

TrainingRows read_retrieval_folder(const fs::path& folder, const ReadRowsOptions& options) {
    if (options.kind != RowKind::kAny && options.kind != RowKind::kRetrieval)
        fail(Code::kInvalidArgument, "{} is a folder, which holds rows of retrieval; {} rows were asked for",
             quote(folder.string(), 400), row_kind_name(options.kind));
    const fs::path judged = find_judgments(folder, options.split);
    const Texts documents = read_texts(folder / "corpus.jsonl", options);
    const Texts queries = read_texts(folder / "queries.jsonl", options);
    const std::vector<Judgment> judgments = read_judgments(judged, options);
    std::unordered_map<std::string, std::vector<const Judgment*>> against;  // by query
    for (const Judgment& judgment : judgments) {
        if (judgment.relevance == "0") against[judgment.query].push_back(&judgment);
    }
    RowCollector rows(options, judged.string());
    for (const Judgment& judgment : judgments) {
        if (judgment.relevance == "0") continue;
        rows.take(judgment.line, [&] {
            if (relevance_of(judgment) < 0) fail(Code::kInvalidArgument, "the relevance {} is below 0", judgment.relevance);
            TrainingRow row;
            row.kind = RowKind::kRetrieval;
            row.query = text_named(queries, judgment.query, "query");
            row.positive = text_named(documents, judgment.document, "document");
            for (const Judgment* other : against[judgment.query]) {
                if (row.negatives.size() == kMaxNegatives) break;
                row.negatives.push_back(text_named(documents, other->document, "document"));
            }
            return row;
        });
    }
    return rows.finish();
}

}  // namespace rag::core
