#include "train/data/read_rows.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include "text/readers/reader.hpp"
#include "text/readers/table_rows.hpp"
#include "text/readers/text_lines.hpp"

namespace rag::core {
namespace {

std::size_t size_of(const TrainingRow& row) {
    std::size_t size = row.text.size() + row.pair.size() + row.label.size() + row.messages.size() + row.tools.size() +
                       row.query.size() + row.positive.size();
    for (const std::string& negative : row.negatives) size += negative.size();
    return size;
}

JsonValue parse_line(std::string_view text) {
    std::optional<JsonValue> value = parse_value(text);
    if (!value) fail(Code::kInvalidArgument, "not valid JSON");
    return *std::move(value);
}

void read_lines(TextSource& source, const ReadRowsOptions& options, RowCollector& rows) {
    TextLines lines(source);
    std::string_view line;
    while (lines.next(line)) {
        if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
        rows.take(lines.number(), [&] { return shape_row(parse_line(line), rows.kind(), options.columns); });
    }
}

void read_list(TextSource& source, const ReadRowsOptions& options, RowCollector& rows) {
    const std::string text = source.read_all(kMaxPageBytes);
    std::optional<JsonValue> list = parse_value(text);
    if (!list) fail(Code::kInvalidArgument, "{} is not valid JSON", quote(source.name(), 400));
    if (list->is_object()) list = JsonValue::array({*std::move(list)});
    if (!list->is_array())
        fail(Code::kInvalidArgument, "{} holds {}, a list of rows is expected", quote(source.name(), 400), list->type_name());
    std::uint64_t place = 0;
    for (const JsonValue& item : *list) rows.take(++place, [&] { return shape_row(item, rows.kind(), options.columns); });
}

void read_table(TextSource& source, char delimiter, const ReadRowsOptions& options, RowCollector& rows) {
    const RowColumns& columns = options.columns;
    std::vector<std::string> wanted;
    for (const auto* name : {&columns.text, &columns.pair, &columns.label, &columns.query, &columns.positive, &columns.negatives,
                             &columns.messages}) {
        if (*name) wanted.push_back(**name);
    }
    TableRows table(source, delimiter, std::move(wanted));
    for (bool more = true; more;) {
        std::optional<Error> broken;
        try {
            more = table.next();
        } catch (const Error& error) {
            // Of one row; a table that is wrong as a whole is at its end after that.
            if (error.code() != Code::kInvalidArgument || table.names().empty()) throw;
            broken = error;
        }
        if (!more && !broken) break;
        rows.take(table.line(), [&] {
            if (broken) throw Error(*broken);
            JsonValue object = JsonValue::object();
            for (std::size_t i = 0; i < table.count(); ++i) {
                if (!table.names()[i].empty() && !table.value(i).empty()) object[table.names()[i]] = table.value(i);
            }
            return shape_row(object, rows.kind(), columns);
        });
    }
}

TrainingRows read_source(std::unique_ptr<ByteSource> bytes, const std::string& name, const ReadRowsOptions& options) {
    std::string format = options.format;
    if (format.empty()) {
        const std::string suffix = std::filesystem::path(name).extension().string();
        format = suffix.empty() ? suffix : suffix.substr(1);
    }
    std::transform(format.begin(), format.end(), format.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const bool lines = format == "jsonl" || format == "ndjson";
    const bool table = format == "csv" || format == "tsv" || format == "tab";
    if (format == "gz")
        fail(Code::kUnsupported, "{} is packed: unpack it (gunzip), or read it from Python, which takes .gz", quote(name, 400));
    if (!lines && !table && format != "json")
        fail(Code::kUnsupported, "{}: training data is read from .jsonl, .json, .csv, .tsv and BEIR's folders, not from {}",
             quote(name, 400), quote(format.empty() ? "a file without a suffix" : format));
    TextSource source(std::move(bytes), options.encoding, nullptr, options.progress);
    RowCollector rows(options, name);
    if (lines) read_lines(source, options, rows);
    if (format == "json") read_list(source, options, rows);
    if (table) read_table(source, format == "csv" ? '\0' : '\t', options, rows);
    return rows.finish();
}

}  // namespace

RowCollector::RowCollector(const ReadRowsOptions& options, std::string file)
    : options_(options), file_(std::move(file)), kind_(options.kind) {
    out_.labels = options.labels;
    out_.source = file_;
    out_.read = options;
    out_.read.progress = nullptr;
}

void RowCollector::add(TrainingRow row, std::uint64_t line) {
    if (size_of(row) > options_.max_row_bytes)
        fail(Code::kInvalidArgument, "the texts of the row have {} bytes, at most {} are taken", size_of(row),
             options_.max_row_bytes);
    if (row.kind == RowKind::kLabelled && !options_.labels.empty() &&
        std::find(options_.labels.begin(), options_.labels.end(), row.label) == options_.labels.end())
        fail(Code::kInvalidArgument, "the label {} is none of the {} that were given", quote(row.label), options_.labels.size());
    kind_ = row.kind;  // the first good row decides about the rest
    row.line = line;
    out_.rows.push_back(std::move(row));
}

void RowCollector::bad(const Error& error, std::uint64_t line) {
    if (error.code() != Code::kInvalidArgument) throw error;
    if (!options_.skip_bad_rows) fail(Code::kInvalidArgument, "{}, line {}: {}", quote(file_, 400), line, error.what());
    ++out_.skipped_count;
    if (out_.skipped.size() < kMaxSkippedKept) out_.skipped.push_back({line, error.what()});
}

TrainingRows RowCollector::finish() {
    const std::string file = quote(file_, 400);
    if (out_.rows.empty()) {
        if (out_.skipped_count == 0) fail(Code::kInvalidArgument, "{} holds no rows", file);
        fail(Code::kInvalidArgument, "{} holds no good row: {} were skipped, the first (line {}) because: {}", file,
             out_.skipped_count, out_.skipped.front().line, out_.skipped.front().reason);
    }
    out_.kind = kind_;
    if (kind_ != RowKind::kLabelled) {
        if (!options_.labels.empty())
            fail(Code::kInvalidArgument, "labels were given, but the rows of {} have none: they are {}", file,
                 row_kind_name(kind_));
        return std::move(out_);
    }
    std::set<std::string> seen;
    for (const TrainingRow& row : out_.rows) seen.insert(row.label);
    if (seen.size() == 1)
        fail(Code::kInvalidArgument, "all {} rows of {} have the label {}: there is nothing to tell apart", out_.rows.size(),
             file, quote(*seen.begin()));
    if (out_.labels.empty()) out_.labels.assign(seen.begin(), seen.end());
    return std::move(out_);
}

TrainingRows read_rows(const std::filesystem::path& path, const ReadRowsOptions& options) {
    if (std::filesystem::is_directory(path)) return read_retrieval_folder(path, options);
    return read_source(ByteSource::open_file(path), path.string(), options);
}

TrainingRows read_rows(std::string_view bytes, const std::string& name, const ReadRowsOptions& options) {
    TrainingRows rows = read_source(ByteSource::of_bytes(bytes, name), name, options);
    rows.in_memory = true;
    return rows;
}

}  // namespace rag::core
