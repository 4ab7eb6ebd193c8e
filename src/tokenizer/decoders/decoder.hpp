// The last stage: tokens back to text. A decoder is a chain of links; each takes one token and hands pieces of text to the next.
// Decoding a whole sequence and decoding a stream are the same walk, so they cannot differ.
// A TokenDecoder is immutable, any thread; a link is the state of one decoding and belongs to it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace rag::core {

class DecoderLink {
  public:
    virtual ~DecoderLink() = default;
    /// The next token. Text that cannot be told yet (half a character) is held back.
    virtual void push(std::string_view token) = 0;
    /// A part, in whole characters, of the only token there is: an earlier stage joins all of them to one. Mixed with push() by
    /// nobody. Links that cannot work on parts collect them.
    virtual void push_part(std::string_view part) {
        parts_ += part;
        in_parts_ = true;
    }
    /// No more tokens: what was held back goes out.
    void finish() {
        if (in_parts_) push(parts_);
        in_parts_ = false;
        parts_.clear();
        end();
    }

  protected:
    virtual void end() = 0;

  private:
    std::string parts_;
    bool in_parts_ = false;
};

/// The end of every chain: collects the text.
class TextSink final : public DecoderLink {
  public:
    explicit TextSink(std::string& out) : out_(out) {}
    void push(std::string_view token) override { out_ += token; }
    void push_part(std::string_view part) override { out_ += part; }

  private:
    void end() override {}

    std::string& out_;
};

class TokenDecoder {
  public:
    virtual ~TokenDecoder() = default;
    /// A fresh link in front of `next`, which must outlive it.
    virtual std::unique_ptr<DecoderLink> start(DecoderLink& next) const = 0;
};

}  // namespace rag::core
