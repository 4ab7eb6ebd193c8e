#include "tokenizer/decoders/word_piece.hpp"

#include <utility>

#include "tokenizer/decoders/replace_all.hpp"

namespace rag::core {
namespace {

class Link final : public DecoderLink {
  public:
    Link(DecoderLink& next, const std::string& prefix, bool cleanup) : next_(next), prefix_(prefix), cleanup_(cleanup) {}

    void push(std::string_view token) override {
        text_.clear();
        if (first_) {
            text_ = token;
        } else if (token.starts_with(prefix_)) {
            text_ = token.substr(prefix_.size());
        } else {
            text_ = ' ';
            text_ += token;
        }
        first_ = false;
        if (cleanup_) clean_up(text_);
        next_.push(text_);
    }

  private:
    void end() override { next_.finish(); }

    DecoderLink& next_;
    const std::string& prefix_;
    bool cleanup_;
    bool first_ = true;
    std::string text_;
};

}  // namespace

void clean_up(std::string& text) {
    static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    for (const auto& [from, to] : kRules) replace_all(text, from, to);
}

std::unique_ptr<DecoderLink> WordPieceDecoder::start(DecoderLink& next) const {
    return std::make_unique<Link>(next, prefix_, cleanup_);
}

}  // namespace rag::core
