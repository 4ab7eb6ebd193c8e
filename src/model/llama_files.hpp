// A model of the Llama family, from a GGUF file or a Hugging Face folder: configuration checked, tensors under their Hugging Face
// names whichever file they come from, so that one backend and the same PEFT adapters serve both. Stateless, any thread.
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

/// A .gguf file, or a folder with config.json. Throws kNotFound, kCorrupt and kUnsupported (another architecture, scaled rotary
/// positions, biases, experts) naming file, key or tensor and the values.
DecoderFiles read_decoder_files(const std::filesystem::path& path);

/// The two kinds by themselves; llama_gguf.cpp holds the first.
DecoderFiles read_llama_gguf(std::shared_ptr<const GgufFile> file);
DecoderFiles read_llama_folder(const std::filesystem::path& folder);

/// The tensors that the configuration asks for; file_name is the Hugging Face name.
std::vector<ExpectedTensor> expected_llama_tensors(const DecoderConfig& config);

/// Throws kCorrupt naming `source` when the sizes contradict each other (heads, key heads, an odd head size).
void check_llama_config(const DecoderConfig& config, const std::string& source);

}  // namespace rag::core
