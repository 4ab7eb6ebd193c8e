#include "train/manifest.hpp"

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/sha256.hpp"
#include "formats/file_sums.hpp"

namespace rag::core {
namespace {

using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr int kFormat = 1;

void add_text(Sha256& sum, std::string_view text) {
    sum.add(std::as_bytes(std::span(text)));
}

json describe_rows(const TrainingRows& rows, const std::string& sum) {
    return {{"source", rows.source},
            {"kind", row_kind_name(rows.kind)},
            {"rows", rows.rows.size()},
            {"skipped", rows.skipped_count},
            {"sha256", sum}};
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

std::map<std::string, std::string> model_sums(const fs::path& model) {
    std::map<std::string, std::string> sums;
    if (!fs::is_directory(model)) {
        sums[model.filename().string()] = file_sha256(model);
        return sums;
    }
    for (const auto& entry : fs::recursive_directory_iterator(model)) {
        const std::string suffix = entry.path().extension().string();
        if (!entry.is_regular_file() || (suffix != ".json" && suffix != ".safetensors" && suffix != ".txt" && suffix != ".jinja"))
            continue;
        sums[entry.path().lexically_relative(model).generic_string()] = file_sha256(entry.path());
    }
    return sums;
}

std::string model_sha256(const std::map<std::string, std::string>& sums) {
    Sha256 sum;
    for (const auto& [name, value] : sums) add_text(sum, fmt::format("{}  {}\n", value, name));
    return sum.finish();
}

std::string manifest_json(const TrainRequest& request, const RunIdentity& identity,
                          const std::map<std::string, std::string>& sums) {
    json object = {{"format", kFormat},
                   {"librag", RAG_VERSION_TEXT},
                   {"started", now_utc()},
                   {"task", train_task_name(request.task)},
                   {"model", {{"path", request.model.string()}, {"sha256", identity.model_sha256}, {"files", sums}}},
                   {"train", describe_rows(*request.train, identity.train_sha256)}};
    object["eval"] = request.eval == nullptr ? json() : describe_rows(*request.eval, identity.eval_sha256);
    object["config"] = json::parse(trainer_config_json(identity.config));
    return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace rag::core
