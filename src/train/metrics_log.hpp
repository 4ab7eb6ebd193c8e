// The metrics of a run as JSON Lines: one object a step and one an evaluation, in the order in which they happened. Thread rule:
// one run, one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "train/observer.hpp"

namespace rag::core {

/// {"step", "epoch", "loss", "lr", "grad_norm", "tokens_per_second", "seconds", "rss_mb"} or {"step", "epoch", "seconds",
/// "rss_mb", metrics...}.
std::string report_json(const StepReport& report);

class MetricsLog {
  public:
    /// Goes on with `path`, of which lines behind step `step` are dropped (a run that resumes writes them again). Throws kIo.
    MetricsLog(std::filesystem::path path, std::uint64_t step, bool resume);
    void add(const StepReport& report);
    /// All lines, as a JSON list.
    static std::string read_all(const std::filesystem::path& path);

  private:
    std::filesystem::path path_;
    std::ofstream file_;
};

}  // namespace rag::core
