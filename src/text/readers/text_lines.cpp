#include "text/readers/text_lines.hpp"

#include "core/error.hpp"

namespace rag::core {

bool TextLines::next(std::string_view& line) {
    std::size_t searched = at_;
    for (;;) {
        const std::size_t newline = buffer_.find('\n', searched);
        if (newline != std::string::npos) {
            line = std::string_view(buffer_).substr(at_, newline - at_);
            at_ = newline + 1;
            ++number_;
            return true;
        }
        buffer_.erase(0, at_);
        at_ = 0;
        searched = buffer_.size();
        if (searched > kMaxRowBytes) {
            buffer_.clear();
            ended_ = true;
            fail(Code::kInvalidArgument, "{}, row {} has more than {} bytes", quote(source_.name(), 400), number_ + 1,
                 kMaxRowBytes);
        }
        if (!ended_) ended_ = !source_.read(buffer_);
        if (ended_) {
            line = buffer_;
            at_ = buffer_.size();
            if (!line.empty()) ++number_;
            return !line.empty();
        }
    }
}

}  // namespace rag::core
