#include "model/decoder_files.hpp"

#include "formats/safetensors.hpp"
#include "model/decoder_family.hpp"

namespace rag::core {

DecoderFiles read_decoder_folder_files(const std::filesystem::path& folder) {
    DecoderFiles files;
    files.config = decoder_config_of(read_decoder_folder(folder));
    const auto tensors = SafetensorsFile::open(folder);
    const auto expected = expected_decoder_tensors(files.config);
    files.weights =
        gather_weights(expected, [&](std::string_view name) { return tensors->find(name); }, tensors, tensors->name());
    files.layers = linear_shapes(expected);
    std::error_code ignored;
    if (std::filesystem::exists(folder / "tokenizer.json", ignored)) files.tokenizer = folder;
    return files;
}

DecoderFiles read_decoder_files(const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return read_decoder_folder_files(path);
    return read_decoder_gguf(GgufFile::open(path));
}

}  // namespace rag::core
