// What a model file or folder holds, without opening it as a model: architecture, tensors with types and shapes, files with sizes
// and checksums, tokenizer, chat template. Reads headers alone unless sums are asked for; architectures and element types that
// librag does not compute are listed too. Stateless, any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/cancel.hpp"

namespace rag::core {

struct InspectOptions {
    bool sums = false;    // SHA-256 of every file
    bool verify = false;  // compared with SHA256SUMS: implies sums, and a file that is listed must be there
    Progress progress = {};
};

struct InspectedTensor {
    std::string name, type, file;  // types as the format calls them; "int8" and "int4": librag's own packing
    std::vector<std::int64_t> shape;
    std::uint64_t bytes = 0;
};

struct InspectedFile {
    std::string name;  // relative to the folder
    std::uint64_t bytes = 0;
    std::string sha256;    // empty: not asked for, or the file is missing
    std::string expected;  // from SHA256SUMS; empty: not listed, or not asked for
    std::string state;     // "", "ok", "differs", "missing", "unlisted"
};

struct ModelReport {
    std::string path;
    std::string format;        // "gguf", "safetensors"
    std::string architecture;  // config.json's model_type, GGUF's general.architecture; "" where it says none
    std::string tokenizer;     // "tokenizer.json (BPE)", "gguf (gpt2)", ...; "" where there is none
    bool chat_template = false;
    std::uint64_t parameters = 0;  // elements of all tensors
    std::uint64_t tensor_bytes = 0;
    std::vector<InspectedTensor> tensors;
    std::vector<InspectedFile> files;  // by name
    bool verified = false;             // verify was asked for, a manifest was there and every file is ok
};

/// `path`: a GGUF or safetensors file, or a folder. Throws as GgufFile and SafetensorsFile; kNotFound for a folder without
/// weights, and with `verify` without a manifest; kInvalidArgument for another kind of file.
ModelReport inspect_model(const std::filesystem::path& path, const InspectOptions& options);

/// Throws kCorrupt naming a file that its SHA256SUMS does not vouch for, kNotFound when there is none, and as inspect_model.
void require_verified(const std::filesystem::path& path, const Progress& progress);

/// The report as one JSON object, its keys the members' names.
std::string report_json(const ModelReport& report);

}  // namespace rag::core
