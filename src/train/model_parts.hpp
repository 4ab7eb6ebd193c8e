// Of which folders and files a model consists: what its loader reads, and no other file that lies beside or below it. Thread
// rule: plain functions that read the disk. Not for models that may be forged: they were opened before.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace rag::core {

/// The folder of the model, first, and those that its modules.json names.
std::vector<std::filesystem::path> model_folders(const std::filesystem::path& model);

/// SHA-256 of the files that a model consists of, by name; of a GGUF file its own.
std::map<std::string, std::string> model_sums(const std::filesystem::path& model);
/// One sum over them.
std::string model_sha256(const std::map<std::string, std::string>& sums);

/// The names in which two models differ, for messages: "config.json, new.json (added), vocab.txt (gone)"; some of them where they
/// are many.
std::string describe_differences(const std::map<std::string, std::string>& before, const std::map<std::string, std::string>& now);

}  // namespace rag::core
