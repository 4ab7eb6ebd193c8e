// Model files put together byte by byte, so that a test can write exactly the contradiction that it wants to see refused.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "require_error.hpp"
#include "test_files.hpp"

namespace rag::test {

inline std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

template <typename T>
void append(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

inline std::string safetensors(const std::string& header, const std::string& data) {
    std::string file;
    append<std::uint64_t>(file, header.size());
    return file + header + data;
}

/// Writes a GGUF file: pairs and tensors are counted as they are added.
class GgufBuilder {
  public:
    std::uint32_t version = 3;
    std::uint64_t alignment = 32;
    GgufBuilder& key(std::string_view name, std::uint32_t type) {
        ++pairs_;
        put_text(pairs_text_, name);
        append<std::uint32_t>(pairs_text_, type);
        return *this;
    }
    template <typename T>
    GgufBuilder& scalar(std::string_view name, std::uint32_t type, T value) {
        key(name, type);
        append<T>(pairs_text_, value);
        return *this;
    }
    GgufBuilder& text(std::string_view name, std::string_view value) {
        key(name, 8);
        put_text(pairs_text_, value);
        return *this;
    }
    GgufBuilder& array(std::string_view name, std::uint32_t element_type, std::uint64_t count, const std::string& elements) {
        key(name, 9);
        append<std::uint32_t>(pairs_text_, element_type);
        append<std::uint64_t>(pairs_text_, count);
        pairs_text_ += elements;
        return *this;
    }
    /// dims from the innermost, as the file has them.
    GgufBuilder& tensor(std::string_view name, std::initializer_list<std::uint64_t> dims, std::uint32_t type,
                        std::uint64_t offset) {
        ++tensors_;
        put_text(tensors_text_, name);
        append<std::uint32_t>(tensors_text_, static_cast<std::uint32_t>(dims.size()));
        for (const auto dim : dims) append<std::uint64_t>(tensors_text_, dim);
        append<std::uint32_t>(tensors_text_, type);
        append<std::uint64_t>(tensors_text_, offset);
        return *this;
    }
    std::string build(const std::string& data) const {
        std::string file = "GGUF";
        append<std::uint32_t>(file, version);
        append<std::uint64_t>(file, tensors_);
        append<std::uint64_t>(file, pairs_);
        file += pairs_text_ + tensors_text_;
        file.resize((file.size() + alignment - 1) / alignment * alignment);
        return file + data;
    }
    static void put_text(std::string& out, std::string_view text) {
        append<std::uint64_t>(out, text.size());
        out += text;
    }

  private:
    std::uint64_t pairs_ = 0, tensors_ = 0;
    std::string pairs_text_, tensors_text_;
};

/// Writes a file below `folder`, making the folders on the way.
inline void put(const TemporaryFolder& folder, const std::string& name, const std::string& content) {
    const auto file = folder / name;
    std::filesystem::create_directories(file.parent_path());
    write_file(file, content);
}

}  // namespace rag::test
