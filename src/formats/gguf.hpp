// A GGUF file, versions 2 and 3, little-endian (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): typed metadata and
// the list of tensors. The file is mapped; strings and arrays are views into it. Every count and size is checked against what is
// left of the file before anything is allocated, so memory stays a small multiple of the file whatever it claims.
// Immutable after open, any thread. Not for: what the keys mean (model/, tokenizer/), or unpacking blocks (the backend).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/mapped_file.hpp"
#include "formats/tensor_info.hpp"

namespace rag::core {

/// Longest metadata key (the specification's own limit) and longest tensor name (ggml stops at 63).
inline constexpr std::size_t kMaxGgufKey = 65535;
inline constexpr std::size_t kMaxGgufTensorName = 1024;
/// Most dimensions of a tensor (ggml's limit), largest alignment of the data.
inline constexpr std::uint32_t kMaxGgufRank = 4;
inline constexpr std::uint64_t kMaxGgufAlignment = 1u << 16;

/// The types of metadata values, with the numbers of the specification.
enum class GgufType : std::uint32_t {
    kUint8,
    kInt8,
    kUint16,
    kInt16,
    kUint32,
    kInt32,
    kFloat32,
    kBool,
    kString,
    kArray,
    kUint64,
    kInt64,
    kFloat64,
};

/// One metadata value: `bytes` are the scalar, the text of a string, or the elements of an array, in the file.
struct GgufValue {
    GgufType type = GgufType::kUint8;
    GgufType element_type = GgufType::kUint8;  // of an array
    std::uint64_t count = 0;                   // of an array
    std::span<const std::byte> bytes;
};

class GgufFile {
  public:
    /// Throws kNotFound, kIo, kVersion (a version above 3), kUnsupported (version 1, big-endian, arrays of arrays), kCorrupt
    /// naming file, key or tensor and the values that contradict each other.
    static std::shared_ptr<const GgufFile> open(const std::filesystem::path& path);
    /// The same from memory, for fuzzing and tests; `name` is used in messages. The bytes must outlive the object.
    static std::shared_ptr<const GgufFile> parse(std::span<const std::byte> bytes, const std::string& name);

    std::uint32_t version() const noexcept { return version_; }
    /// The path, for messages.
    const std::string& name() const noexcept { return name_; }
    const std::unordered_map<std::string_view, GgufValue>& metadata() const noexcept { return metadata_; }
    bool has(std::string_view key) const { return metadata_.contains(key); }

    /// A value by key, nullopt if there is none. A value of another type, or an integer that does not fit, is kCorrupt naming
    /// file, key and type. integer() takes every integer type, number() every integer and floating type; the plural forms take
    /// arrays of them.
    std::optional<std::int64_t> integer(std::string_view key) const;
    std::optional<double> number(std::string_view key) const;
    std::optional<bool> boolean(std::string_view key) const;
    std::optional<std::string_view> text(std::string_view key) const;
    std::optional<std::vector<std::int64_t>> integers(std::string_view key) const;
    std::optional<std::vector<double>> numbers(std::string_view key) const;
    /// Views into the file: valid as long as this object. Not checked to be UTF-8.
    std::optional<std::vector<std::string_view>> texts(std::string_view key) const;

    /// In the file's order. Types other than F64 F32 F16 BF16 I64 I32 I16 I8, Q4_0 to Q5_1, Q8_0 and
    /// Q2_K to Q6_K are listed as kOther without bytes.
    const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }
    /// nullptr if there is none.
    const TensorInfo* find(std::string_view name) const;
    /// checksum64 over everything before the data: changes when metadata or a tensor's name, type, shape or place does.
    std::uint64_t header_checksum() const noexcept { return header_checksum_; }
    std::uint64_t file_bytes() const noexcept { return bytes_.size(); }

  private:
    GgufFile() = default;
    void read_all();
    std::uint64_t alignment() const;
    const GgufValue* find_value(std::string_view key, GgufType type) const;

    std::string name_;
    std::shared_ptr<const MappedFile> file_;
    std::span<const std::byte> bytes_;
    std::uint32_t version_ = 0;
    std::unordered_map<std::string_view, GgufValue> metadata_;
    std::vector<TensorInfo> tensors_;
    std::unordered_map<std::string_view, std::size_t> tensor_by_name_;
    std::uint64_t header_checksum_ = 0;
};

/// "UINT32", "ARRAY", as the messages print it.
std::string_view gguf_type_name(GgufType type);

}  // namespace rag::core
