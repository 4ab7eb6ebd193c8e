#include "tokenizer/decoders/metaspace.hpp"

#include "tokenizer/decoders/replace_all.hpp"

namespace rag::core {
namespace {

class Link final : public DecoderLink {
  public:
    Link(DecoderLink& next, const std::string& replacement, bool prepends)
        : next_(next), replacement_(replacement), first_removes_(prepends) {}

    void push(std::string_view token) override {
        text_ = token;
        replace_all(text_, replacement_, first_removes_ ? "" : " ");
        first_removes_ = false;
        next_.push(text_);
    }
    void push_part(std::string_view part) override {  // all parts belong to the first token
        text_ = part;
        replace_all(text_, replacement_, first_removes_ ? "" : " ");
        next_.push_part(text_);
    }

  private:
    void end() override { next_.finish(); }

    DecoderLink& next_;
    const std::string& replacement_;
    bool first_removes_;
    std::string text_;
};

}  // namespace

std::unique_ptr<DecoderLink> MetaspaceDecoder::start(DecoderLink& next) const {
    return std::make_unique<Link>(next, replacement_, prepends_);
}

}  // namespace rag::core
