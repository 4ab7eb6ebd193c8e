#include "train/metrics_log.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/atomic_file.hpp"
#include "core/error.hpp"

namespace rag::core {
namespace {

using json = nlohmann::ordered_json;

/// Whole lines that are JSON objects with a step of at most `last`.
std::string kept_lines(const std::filesystem::path& path, std::uint64_t last) {
    std::ifstream in(path);
    std::string kept, line;
    while (std::getline(in, line)) {
        const json object = json::parse(line, nullptr, false);
        if (object.is_object() && object.contains("step") && object["step"].is_number_unsigned() && object["step"] <= last)
            kept += line + "\n";
    }
    return kept;
}

}  // namespace

std::string report_json(const StepReport& report) {
    constexpr double kMegabyte = 1024.0 * 1024.0;
    json object = {{"step", report.step}, {"epoch", report.epoch}};
    if (report.metrics == nullptr) {
        object["loss"] = report.loss;
        object["lr"] = report.learning_rate;
        object["grad_norm"] = report.gradient_norm;
        object["tokens_per_second"] = report.tokens_per_second;
    } else {
        for (const auto& [name, value] : *report.metrics) object[name] = value;
    }
    object["seconds"] = report.seconds;
    object["rss_mb"] = static_cast<double>(report.rss_bytes) / kMegabyte;
    return object.dump();
}

MetricsLog::MetricsLog(std::filesystem::path path, std::uint64_t step, bool resume) : path_(std::move(path)) {
    const std::string kept = resume ? kept_lines(path_, step) : std::string();
    AtomicFile file(path_);
    file.write(std::as_bytes(std::span(kept)));
    file.commit();
    file_.open(path_, std::ios::binary | std::ios::app);
    if (!file_) fail(Code::kIo, "{} cannot be written", quote(path_.string(), 400));
}

void MetricsLog::add(const StepReport& report) {
    file_ << report_json(report) << '\n';
    file_.flush();
    if (!file_) fail(Code::kIo, "{} cannot be written", quote(path_.string(), 400));
}

std::string MetricsLog::read_all(const std::filesystem::path& path) {
    std::ifstream in(path);
    std::string list = "[", line;
    while (std::getline(in, line)) list += (list.size() > 1 ? "," : "") + line;
    return list + "]";
}

}  // namespace rag::core
