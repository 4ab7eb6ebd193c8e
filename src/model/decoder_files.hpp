// A decoder from a GGUF file or a Hugging Face folder: configuration checked, tensors under their Hugging Face names whichever
// file they come from, so that one backend and the same PEFT adapters serve both. Stateless, any thread.
#pragma once

#include <filesystem>

#include "formats/gguf.hpp"
#include "model/backend.hpp"
#include "model/weights.hpp"

namespace rag::core {

struct DecoderFiles {
    DecoderConfig config;
    Weights weights;
    LinearShapes layers;
    std::filesystem::path tokenizer;  // the folder or GGUF file that holds it; empty: there is none, the model works with ids
};

/// A .gguf file, or a folder with config.json. Throws kNotFound, kCorrupt and kUnsupported (an architecture or a setting that
/// librag does not compute) naming file, key or tensor and the values.
DecoderFiles read_decoder_files(const std::filesystem::path& path);

/// The two kinds by themselves; decoder_gguf.cpp holds the first.
DecoderFiles read_decoder_gguf(const std::shared_ptr<const GgufFile>& file);
DecoderFiles read_decoder_folder_files(const std::filesystem::path& folder);

/// What llama.cpp calls the architecture of a model, and one of its tensors ("blk.3.ffn_up.weight").
std::string gguf_architecture(const DecoderConfig& config);
std::string gguf_tensor_name(const std::string& hugging_face, const DecoderConfig& config);

}  // namespace rag::core
