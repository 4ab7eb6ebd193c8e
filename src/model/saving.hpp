// A model into a folder that loads again: weights as safetensors (plain, for librag and transformers; or packed in int8 or int4,
// for librag), configuration, tokenizer, and the files of a sentence-transformers folder. The folder appears when all of it is
// written. Thread rule: any thread; the backend serves calls one after another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "formats/saved_config.hpp"
#include "model/backend.hpp"
#include "model/weights.hpp"

namespace rag::core {

struct SaveOptions {
    Precision precision = Precision::kFloat32;
    std::vector<PrecisionException> exceptions;  // as those a model is opened with
    std::uint64_t shard_bytes = 5'000'000'000;   // Hugging Face's default is the same
    Progress progress = {};                      // tensors written, tensors in all
};

/// How `precision` lies in a folder, with exceptions for layers.
SavedWeights saved_weights(Precision precision, const std::vector<PrecisionException>& exceptions = {});

/// What the parts of a save need of a model.
struct SaveSource {
    const Weights& weights;
    const LinearShapes& layers;
    std::set<std::string, std::less<>> exact;  // those of them that are written in float32 in every precision
    BackendModel& model;
    const AdapterWeights* adapter;  // merged, or null
    /// What a tensor is called in the folder; empty: it is not written, because it was made of others.
    std::function<std::string(const std::string& tensor)> name;
    std::string layer_prefix;  // of patterns of exceptions, see means_layer()
    /// Added to the weights of norms, which Hugging Face's Gemma stores less one.
    float norm_offset;
    /// Writes everything but the weights into the folder; where in it those lie.
    std::function<std::filesystem::path(const std::filesystem::path& folder)> describe;
};

/// Throws kAlreadyExists (something is at `folder`), kInvalidArgument (shard_bytes 0), kIo, Stopped. After a failure nothing is
/// left.
void save_folder(const SaveSource& source, const std::filesystem::path& folder, const SaveOptions& options);

/// What is written for a model that came as a folder, weights apart: copy_description of `source`, and of the folder below it
/// that holds the transformer. Where in `folder` the weights lie.
std::filesystem::path copy_sentence_folder(const std::filesystem::path& source, const std::filesystem::path& transformer,
                                           const std::filesystem::path& folder, const SavedWeights& saved);

/// Into the config_sentence_transformers.json of a folder that is written.
void write_truncate_dim(const std::filesystem::path& folder, std::int64_t truncate_dim);

/// Copies the files that belong to a model beside its weights: tokenizer, templates, generation settings, and those of
/// modules.json with its folders. config.json is written anew for `saved`.
void copy_description(const std::filesystem::path& from, const std::filesystem::path& to, const SavedWeights& saved);

}  // namespace rag::core
