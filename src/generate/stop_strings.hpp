// Finds stop strings in text that comes in pieces, and holds back what could still become one, so that nothing of a stop string
// is ever passed on. The result does not depend on where the pieces are cut: the stop string that is complete first wins, of
// two that end together the longer one. One object a generation; one thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

class StopStrings {
  public:
    /// Error(kInvalidArgument): an empty or ill-formed stop string, more than 64 of them, or one beyond 1024 bytes.
    explicit StopStrings(std::vector<std::string> stops);

    /// Takes whole characters, returns what may be passed on. After found() it returns nothing.
    std::string push(std::string_view piece);
    /// The end of the text: what was held back (empty after found()).
    std::string finish();
    bool found() const noexcept { return found_ != npos; }
    /// The stop string that was found; only after found().
    const std::string& which() const { return stops_[found_]; }

  private:
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);
    std::size_t held_back() const;

    std::vector<std::string> stops_;
    std::string held_;
    std::size_t found_ = npos;
};

}  // namespace rag::core
