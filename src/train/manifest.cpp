#include "train/manifest.hpp"

#include <chrono>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.hpp"
#include "core/sha256.hpp"
#include "model/loader.hpp"
#include "train/model_parts.hpp"

namespace rag::core {
namespace {

using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr int kFormat = 1;

void add_text(Sha256& sum, std::string_view text) {
    sum.add(std::as_bytes(std::span(text)));
}

/// A path that the caller gave relative to where he was, from the folder of the manifest; nothing for an absolute one.
std::optional<std::string> from_manifest(const fs::path& given, const fs::path& output) {
    if (given.empty() || given.is_absolute()) return std::nullopt;
    std::error_code error;
    const fs::path found = fs::proximate(fs::absolute(given, error), fs::absolute(output, error), error);
    if (error) return std::nullopt;
    return found.generic_string();
}

void add_place(json& object, const fs::path& given, const fs::path& output) {
    if (const auto found = from_manifest(given, output)) object["from_manifest"] = *found;
}

/// Only what was given: what is left out is what a reader takes by itself.
json describe_reading(const ReadRowsOptions& read) {
    json columns = json::object();
    const auto add = [&](const char* name, const std::optional<std::string>& column) {
        if (column) columns[name] = *column;
    };
    add("text", read.columns.text);
    add("pair", read.columns.pair);
    add("label", read.columns.label);
    add("query", read.columns.query);
    add("positive", read.columns.positive);
    add("negatives", read.columns.negatives);
    add("messages", read.columns.messages);
    json object = {{"on_bad_row", read.skip_bad_rows ? "skip" : "error"}, {"split", read.split}};
    if (!columns.empty()) object["columns"] = columns;
    if (!read.format.empty()) object["format"] = read.format;
    if (!read.encoding.empty()) object["encoding"] = read.encoding;
    object["max_row_bytes"] = read.max_row_bytes;
    return object;
}

json describe_rows(const TrainingRows& rows, const std::string& sum, const fs::path& output) {
    json object = {{"source", rows.source},
                   {"in_memory", rows.in_memory},
                   {"kind", row_kind_name(rows.kind)},
                   {"rows", rows.rows.size()},
                   {"skipped", rows.skipped_count},
                   {"read", describe_reading(rows.read)},
                   {"sha256", sum}};
    // The name of rows from memory is no place, even where a file has it.
    if (!rows.in_memory) add_place(object, rows.source, output);
    return object;
}

json describe_model(const fs::path& path, const std::map<std::string, std::string>& sums, const fs::path& output) {
    json object = {{"path", path.string()}, {"sha256", model_sha256(sums)}, {"files", sums}};
    add_place(object, path, output);
    return object;
}

std::string now_utc() {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[32];
    const std::size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text, size};
}

}  // namespace

std::string rows_sha256(const TrainingRows& rows) {
    Sha256 sum;
    for (const TrainingRow& row : rows.rows) {
        add_text(sum, row_json(row));
        add_text(sum, "\n");
    }
    return sum.finish();
}

bool is_run_manifest(const fs::path& path) {
    std::ifstream in(path);
    const json said = json::parse(in, nullptr, false);
    return said.is_object() && said.contains("librag") && said.contains("task") && said.contains("config");
}

std::string manifest_json(const TrainRequest& request, const RunIdentity& identity,
                          const std::map<std::string, std::string>& sums) {
    const fs::path output = identity.config.output;
    json object = {{"format", kFormat},
                   {"librag", RAG_VERSION_TEXT},
                   {"backend", (request.backend != nullptr ? *request.backend : backend()).describe()},
                   {"caller", request.caller_json.empty() ? json::object() : json::parse(request.caller_json)},
                   {"started", now_utc()},
                   {"task", train_task_name(request.task)},
                   {"model", describe_model(request.model, sums, output)},
                   {"train", describe_rows(*request.train, identity.train_sha256, output)}};
    object["eval"] = request.eval == nullptr ? json() : describe_rows(*request.eval, identity.eval_sha256, output);
    const fs::path teacher = identity.config.teacher;
    object["teacher"] = teacher.empty() ? json() : describe_model(teacher, model_sums(teacher), output);
    object["config"] = json::parse(trainer_config_json(identity.config));
    return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace rag::core
