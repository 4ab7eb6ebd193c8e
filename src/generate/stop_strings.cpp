#include "generate/stop_strings.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core {

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
    if (stops_.size() > 64) fail(Code::kInvalidArgument, "{} stop strings, at most 64 are taken", stops_.size());
    for (const std::string& stop : stops_) {
        if (stop.empty()) fail(Code::kInvalidArgument, "a stop string is empty");
        if (stop.size() > 1024) fail(Code::kInvalidArgument, "a stop string has {} bytes, at most 1024 are taken", stop.size());
        require_utf8(stop, "a stop string");
    }
}

std::string StopStrings::push(std::string_view piece) {
    if (found()) return {};
    held_ += piece;
    std::size_t best_end = npos;
    std::size_t best_start = 0;
    for (std::size_t i = 0; i < stops_.size(); ++i) {
        const std::size_t start = held_.find(stops_[i]);
        if (start == std::string::npos) continue;
        const std::size_t end = start + stops_[i].size();
        if (end > best_end || (end == best_end && start >= best_start)) continue;
        best_end = end;
        best_start = start;
        found_ = i;
    }
    const std::size_t keep = found() ? held_.size() - best_start : held_back();
    std::string out = held_.substr(0, held_.size() - keep);
    held_ = found() ? std::string() : held_.substr(out.size());
    return out;
}

/// Length of the longest end of held_ with which a stop string begins.
std::size_t StopStrings::held_back() const {
    std::size_t longest = 0;
    for (const std::string& stop : stops_) {
        for (std::size_t size = std::min(stop.size() - 1, held_.size()); size > longest; --size) {
            if (held_.compare(held_.size() - size, size, stop, 0, size) == 0) longest = size;
        }
    }
    return longest;
}

std::string StopStrings::finish() {
    return std::exchange(held_, {});
}

}  // namespace rag::core
