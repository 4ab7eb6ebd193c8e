// Names a file and its state, so that two who opened the same content can know it. Stateless, any thread.
#pragma once

#include <filesystem>
#include <string>

namespace rag::core {

/// Device, number, size and time of the last change; empty where there is no such file.
std::string file_identity(const std::filesystem::path& path);

}  // namespace rag::core
