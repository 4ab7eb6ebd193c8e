// Small runs with the hand-written model over the tiny models' files.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "fake_trainer.hpp"
#include "formats/safetensors.hpp"
#include "test_files.hpp"
#include "train/train.hpp"

namespace rag::test {

inline core::TrainingRows rows_of(const std::string& lines, core::RowKind kind = core::RowKind::kAny) {
    core::ReadRowsOptions options;
    options.format = "jsonl";
    options.kind = kind;
    return core::read_rows(lines, "rows.jsonl", options);
}

/// `count` labelled texts of two words each, whose first word decides.
inline core::TrainingRows labelled_rows(std::size_t count) {
    const char* words[] = {"red", "green", "blue"};
    const char* fillers[] = {"house", "water", "time", "people", "first"};
    std::string lines;
    for (std::size_t i = 0; i < count; ++i) {
        const char* word = words[i % 3];
        lines += std::string("{\"text\":\"") + word + " " + fillers[i % 5] + (i % 7 == 0 ? " and more words here" : "") +
                 "\",\"label\":\"" + word + "\"}\n";
    }
    return rows_of(lines);
}

inline core::TrainRequest request_of(const std::filesystem::path& model, core::TrainTask task, const std::string& config,
                                     const std::filesystem::path& output, const core::TrainingRows& train,
                                     FakeTrainingBackend& backend) {
    core::TrainRequest request;
    request.model = model;
    request.task = task;
    request.config = core::parse_trainer_config(config);
    request.config.output = output.string();
    request.train = &train;
    request.backend = &backend;
    return request;
}

/// All tensors of a safetensors file as float32.
inline std::map<std::string, std::vector<float>> tensors_of(const std::filesystem::path& file) {
    std::map<std::string, std::vector<float>> out;
    const auto tensors = core::SafetensorsFile::open(file);
    for (const core::TensorInfo& tensor : tensors->tensors()) {
        std::vector<float>& values = out[tensor.name];
        values.resize(tensor.bytes.size() / sizeof(float));
        std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    }
    return out;
}

}  // namespace rag::test
