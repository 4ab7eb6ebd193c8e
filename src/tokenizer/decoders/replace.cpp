#include "tokenizer/decoders/replace.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/error.hpp"

namespace rag::core {
namespace {

class Link final : public DecoderLink {
  public:
    Link(DecoderLink& next, const Regex& pattern, const std::string& content)
        : next_(next), pattern_(pattern), content_(content) {}

    void push(std::string_view token) override {
        matches_.clear();
        if (!token.empty()) pattern_.find_all(token, {0, static_cast<std::uint32_t>(token.size())}, matches_);
        text_.clear();
        std::size_t done = 0;
        for (const Span& match : matches_) {
            text_ += token.substr(done, match.start - done);
            text_ += content_;
            done = match.end;
        }
        text_ += token.substr(done);
        require_growth(token.size(), text_.size());
        next_.push(text_);
    }

  private:
    void end() override { next_.finish(); }

    // One behind the other grow a token beyond all bounds.
    static void require_growth(std::size_t before, std::size_t after) {
        constexpr std::size_t kMost = std::size_t{16} << 20;
        if (after <= kMost || after - kMost <= before) return;
        fail(Code::kInvalidArgument, "the decoder Replace makes {} bytes of {}, which is more than it may add to a text", after,
             before);
    }

    DecoderLink& next_;
    const Regex& pattern_;
    const std::string& content_;
    std::vector<Span> matches_;
    std::string text_;
};

}  // namespace

std::unique_ptr<DecoderLink> ReplaceDecoder::start(DecoderLink& next) const {
    return std::make_unique<Link>(next, pattern_, content_);
}

}  // namespace rag::core
