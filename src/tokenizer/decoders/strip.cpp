#include "tokenizer/decoders/strip.hpp"

#include <algorithm>

namespace rag::core {
namespace {

class Link final : public DecoderLink {
  public:
    Link(DecoderLink& next, const std::string& content, std::size_t start, std::size_t stop)
        : next_(next), content_(content), start_(start), stop_(stop) {}

    void push(std::string_view token) override {
        begin();
        text_.clear();
        strip(token);
        next_.push(text_);
    }
    void push_part(std::string_view part) override {
        if (!begun_) begin();
        text_.clear();
        strip(part);
        next_.push_part(text_);
    }

  private:
    void end() override { next_.finish(); }
    void begin() {
        begun_ = true;
        leading_ = start_;
        held_ = 0;
    }
    // Writes to text_ what of a part is certain: the last `stop` characters may turn out to be the end, those of `content` wait.
    void strip(std::string_view part) {
        while (leading_ > 0 && !part.empty()) {
            if (!part.starts_with(content_)) {
                leading_ = 0;
                break;
            }
            part.remove_prefix(content_.size());
            --leading_;
        }
        if (part.empty()) return;
        std::size_t trailing = 0;
        while (trailing < stop_ && part.ends_with(content_)) {
            part.remove_suffix(content_.size());
            ++trailing;
        }
        const bool only_content = part.empty();
        const std::size_t certain = only_content ? held_ + trailing - std::min(held_ + trailing, stop_) : held_;
        for (std::size_t i = 0; i < certain; ++i) text_ += content_;
        text_ += part;
        held_ = only_content ? held_ + trailing - certain : trailing;
    }

    DecoderLink& next_;
    const std::string& content_;
    std::size_t start_, stop_;
    bool begun_ = false;
    std::size_t leading_ = 0;  // that may still go
    std::size_t held_ = 0;     // characters of `content`, at most `stop`, that may be the end
    std::string text_;
};

}  // namespace

std::unique_ptr<DecoderLink> StripDecoder::start(DecoderLink& next) const {
    return std::make_unique<Link>(next, content_, start_, stop_);
}

}  // namespace rag::core
