// Whether a stored document is still what was written: its row against the row's checksums, its chunks against the text and their
// hashes, their vectors against theirs. verify() asks for all of them, an upsert for what it would leave as it is, export and
// backup for what they send out, re-embedding for all but the vectors. For this folder; others ask StoreView::check_document().
// Thread rule: one thread, as a view.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "core/error.hpp"

namespace rag::core {

class Connection;
class Statement;

class DocumentCheck {
  public:
    /// Reads what all documents are compared with: the last change and the dimension.
    explicit DocumentCheck(Connection& connection);
    /// Nothing is found in a document that is not there. Throws kCorrupt where a page of the database cannot be read. Without
    /// `vectors` those are not judged; but a chunk's hash may be of a vector that came with it, and is not met by a damaged one.
    /// `progress` is asked between chunks.
    std::vector<std::string> check(std::int64_t key, bool vectors = true, const Progress& progress = {});

  private:
    template <typename... Args>
    void problem(fmt::format_string<Args...> format, Args&&... args) {
        found_.push_back(fmt::format(format, std::forward<Args>(args)...));
    }
    void check_chunks(std::int64_t document, const std::string& id, std::string_view title, std::string_view text, bool vectors,
                      const Progress& progress);
    std::vector<float> read_vector(const Statement& row, const std::string& name);

    Connection& connection_;
    std::int64_t last_change_ = 0;
    std::int64_t dimension_ = 0;
    std::vector<std::string> found_;
};

}  // namespace rag::core
