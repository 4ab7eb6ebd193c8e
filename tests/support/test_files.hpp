// Where tests find files: real data sets (RAG_SHARED_DATA), real models (RAG_MODELS), published tokenizers (RAG_TOKENIZERS),
// generated tiny models (RAG_FIXTURES), and a scratch folder that goes away. A test that needs a file that is not there says
// "skipped: ..." and ends; with RAG_REQUIRE_DATA=1 (as in CI) it fails instead, so that nothing is skipped unseen.
//
//     const auto folder = rag::test::shared_data("en_retrieval_scifact");
//     RAG_NEEDS(folder);
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace rag::test {

/// What a test asks for; `path` is empty if it is not there, `wanted` says what was looked for.
struct Needed {
    std::filesystem::path path;
    std::string wanted;
    operator const std::filesystem::path&() const { return path; }
    std::filesystem::path operator/(const std::filesystem::path& part) const { return path / part; }
};

inline Needed find_below(const char* variable, std::string_view relative) {
    Needed needed{{}, std::string(variable) + "/" + std::string(relative)};
    const char* root = std::getenv(variable);
    if (root == nullptr || *root == '\0') return needed;
    const std::filesystem::path path = std::filesystem::path(root) / relative;
    if (std::filesystem::exists(path)) needed.path = path;
    return needed;
}
inline Needed shared_data(std::string_view relative) {
    return find_below("RAG_SHARED_DATA", relative);
}
inline Needed model(std::string_view relative) {
    return find_below("RAG_MODELS", relative);
}
inline Needed published_tokenizer(std::string_view relative) {
    return find_below("RAG_TOKENIZERS", relative);
}
inline Needed fixture(std::string_view relative) {
    return find_below("RAG_FIXTURES", relative);
}

inline bool data_required() {
    const char* value = std::getenv("RAG_REQUIRE_DATA");
    return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}

/// A folder of its own for one test, removed with all it holds.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "librag-test-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::filesystem::path& part) const { return path_ / part; }

  private:
    std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& path, std::string_view bytes) {
    std::ofstream out(path, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    REQUIRE(out.good());
}
inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    REQUIRE(in.good());
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace rag::test

#define RAG_NEEDS(needed)                                                                              \
    do {                                                                                               \
        if ((needed).path.empty()) {                                                                   \
            if (::rag::test::data_required()) FAIL("needed here, but not there: " << (needed).wanted); \
            WARN("skipped: needs " << (needed).wanted);                                                \
            return;                                                                                    \
        }                                                                                              \
    } while (false)
