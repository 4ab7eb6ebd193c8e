// Tensors in the safetensors format: one file, or the shards that a model.safetensors.index.json names. Files are mapped, not
// read. For the format see https://huggingface.co/docs/safetensors: 8 bytes of header length, a JSON header, one block of data.
// Everything is checked on opening; afterwards the object is immutable and serves any number of threads.
// Not for: deciding which tensors a model needs (model/), converting element types (the backend).
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/mapped_file.hpp"
#include "formats/tensor_info.hpp"

namespace rag::core {

/// Longest header that is read, the reference implementation's own limit. Parsing takes a small multiple of the header's real
/// size.
inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;
/// Most dimensions of a tensor.
inline constexpr std::size_t kMaxSafetensorsRank = 16;
/// Most shards of a model.
inline constexpr std::size_t kMaxSafetensorsShards = 4096;

class SafetensorsFile {
  public:
    /// `path`: a .safetensors file, a *.index.json, or a folder that holds model.safetensors or model.safetensors.index.json and
    /// whose config.json passes check_quantization (saved_config.hpp). Throws kNotFound (no file, no shard), kCorrupt (naming
    /// file, tensor and the values that contradict each other: header length, JSON, duplicate names, offsets that overlap, leave
    /// a gap or pass the end, a byte length that type and shape do not give), kUnsupported (an element type outside the format).
    static std::shared_ptr<const SafetensorsFile> open(const std::filesystem::path& path);
    /// The same from memory, for fuzzing and tests; `name` is used in messages. The bytes must outlive the object.
    static std::shared_ptr<const SafetensorsFile> parse(std::span<const std::byte> bytes, const std::string& name);

    /// In order of names.
    const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }
    /// nullptr if there is none.
    const TensorInfo* find(std::string_view name) const;
    /// Values of "__metadata__" ("format": "pt"); of several shards the first one's.
    const std::unordered_map<std::string, std::string>& metadata() const noexcept { return metadata_; }
    /// The path that was opened, for messages.
    const std::string& name() const noexcept { return name_; }
    /// checksum64 over all headers: changes when a tensor's name, type, shape or place does.
    std::uint64_t header_checksum() const noexcept { return header_checksum_; }
    /// Bytes of all files.
    std::uint64_t file_bytes() const noexcept { return file_bytes_; }

  private:
    SafetensorsFile() = default;
    void read_header(std::span<const std::byte> bytes, const std::string& file);
    void open_shards(const std::filesystem::path& index);
    void finish();

    std::string name_;
    std::vector<std::unique_ptr<std::string>> file_names_;  // TensorInfo::file points into these
    std::vector<std::shared_ptr<const MappedFile>> files_;
    std::vector<TensorInfo> tensors_;
    std::unordered_map<std::string, std::string> metadata_;
    std::uint64_t header_checksum_ = 0;
    std::uint64_t file_bytes_ = 0;
};

}  // namespace rag::core
