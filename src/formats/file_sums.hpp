// The SHA-256 of a model's files, and the manifest that publishers put beside them: a file SHA256SUMS as the program sha256sum
// writes and checks it, one line a file: 64 hexadecimal digits, a blank, a blank or an asterisk, a name relative to the folder.
// Stateless, any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "core/cancel.hpp"

namespace rag::core {

inline constexpr std::string_view kSumsFile = "SHA256SUMS";

/// Names to sums in lower case. Throws kCorrupt naming the file and the line: digits, a name that is twice, absolute or leads out
/// of the folder.
std::map<std::string, std::string> parse_sums(std::string_view text, const std::string& file);
/// The SHA256SUMS of `folder`; empty if there is none.
std::map<std::string, std::string> read_sums(const std::filesystem::path& folder);
/// Reads the whole file. `progress`: bytes of this file; asked at least once in 64 MiB.
std::string file_sha256(const std::filesystem::path& path, const Progress& progress = {});

}  // namespace rag::core
