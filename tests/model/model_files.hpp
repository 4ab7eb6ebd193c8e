// Copies of the tiny models with one thing changed, to see the change refused.
#pragma once

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <string>

#include "require_error.hpp"
#include "test_files.hpp"

namespace rag::test {

inline std::filesystem::path copy_model(const std::filesystem::path& from, const TemporaryFolder& to) {
    const auto target = to / from.filename();
    std::filesystem::remove_all(target);
    std::filesystem::copy(from, target, std::filesystem::copy_options::recursive);
    return target;
}

/// Replaces the first `from` by `to` in a text file.
inline void edit(const std::filesystem::path& file, const std::string& from, const std::string& to) {
    std::string text = read_file(file);
    const auto at = text.find(from);
    INFO(file << " holds no " << from);
    REQUIRE(at != std::string::npos);
    write_file(file, text.replace(at, from.size(), to));
}

/// The same in the header of a safetensors file, whose length follows.
inline void edit_header(const std::filesystem::path& file, const std::string& from, const std::string& to) {
    std::string bytes = read_file(file);
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof(size));
    std::string header = bytes.substr(8, static_cast<std::size_t>(size));
    const auto at = header.find(from);
    INFO(header << " holds no " << from);
    REQUIRE(at != std::string::npos);
    header.replace(at, from.size(), to);
    const std::uint64_t changed = header.size();
    std::string out(reinterpret_cast<const char*>(&changed), sizeof(changed));
    write_file(file, out + header + bytes.substr(8 + static_cast<std::size_t>(size)));
}

}  // namespace rag::test
