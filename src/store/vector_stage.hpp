// Where vectors of another embedder wait until they replace those of a knowledge base: knowledge.stage beside the database, an
// SQLite file of its own, or memory. It says of each document how it is cut and embedded anew, and from which content that was
// made (its hash), so work that was interrupted goes on where it was, and what was written meanwhile shows as another hash. The
// knowledge base does not need it: lost, damaged or of another embedder, it is begun anew. Not for what must not be lost.
//
// Thread rule: one thread at a time. Process rule: the writer's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/view.hpp"

namespace rag::core {

class Connection;

struct StagedChunk {
    ChunkPlace place;
    std::string title_path;
    ContentHash hash{};
    std::vector<float> vector;
};

struct StagedDocument {
    std::int64_t key = 0;
    ContentHash before{};  // of the content that this was made from
    ContentHash after{};   // that the document gets
    std::vector<StagedChunk> chunks;
};

class VectorStage {
  public:
    static constexpr const char* kName = "knowledge.stage";

    /// `folder`: of the knowledge base; none: in memory. `origin`: what vectors and chunks depend on besides the documents; a
    /// file of another origin, or one that cannot be read, is begun anew, which is logged. kIo: it cannot be made.
    VectorStage(const std::optional<std::filesystem::path>& folder, const std::string& origin, std::size_t dimension);
    ~VectorStage();
    VectorStage(const VectorStage&) = delete;
    VectorStage& operator=(const VectorStage&) = delete;

    /// Whether there is one made from this content, as it was put (checksums): one that is damaged is made anew.
    bool has(std::int64_t key, const ContentHash& before);
    /// The document as it was put, whatever it was made from; nothing where there is none, or it is not what was put (checksums).
    std::optional<StagedDocument> find(std::int64_t key);
    /// All of them or none; replaces what is there. Killed afterwards, they stay. kIo: the file is damaged; it is deleted.
    void put(const std::vector<StagedDocument>& documents);
    /// Closes and deletes it.
    void discard();
    /// The origin of one that was left in the folder of a knowledge base; nothing where there is none that can be read.
    static std::optional<std::string> origin_in(const std::filesystem::path& folder) noexcept;
    static void remove_from(const std::filesystem::path& folder);

  private:
    void open(const std::string& origin);
    template <typename Call>
    auto guarded(const Call& call);
    std::optional<StagedDocument> read(std::int64_t key);
    void put_one(const StagedDocument& document);

    std::string file_;
    std::size_t dimension_;
    std::unique_ptr<Connection> connection_;
};

}  // namespace rag::core
