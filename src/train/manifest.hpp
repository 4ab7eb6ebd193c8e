// manifest.json of a run: versions, model, data (with SHA-256) and settings, from which `librag train --manifest` repeats it.
// Pure but for the files that are read.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "train/checkpoints/checkpoint.hpp"
#include "train/train.hpp"

namespace rag::core {

/// SHA-256 over all rows as row_json writes them, one a line: the same for the same rows, whatever file they came from.
std::string rows_sha256(const TrainingRows& rows);

/// A manifest.json is a common name: whether it is one that a run wrote.
bool is_run_manifest(const std::filesystem::path& path);

std::string manifest_json(const TrainRequest& request, const RunIdentity& identity,
                          const std::map<std::string, std::string>& sums);

}  // namespace rag::core
