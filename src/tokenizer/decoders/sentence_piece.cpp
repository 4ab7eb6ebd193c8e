#include "tokenizer/decoders/sentence_piece.hpp"

#include <charconv>
#include <cstddef>
#include <optional>

#include "core/utf8.hpp"

namespace rag::core {
namespace {

constexpr std::string_view kMeta = "\xe2\x96\x81";  // U+2581
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

std::optional<char> byte_of(std::string_view piece) {
    if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
    unsigned value = 0;
    const char* const end = piece.data() + 5;
    return std::from_chars(piece.data() + 3, end, value, 16).ptr == end ? std::optional<char>(static_cast<char>(value))
                                                                        : std::nullopt;
}

class Link final : public DecoderLink {
  public:
    Link(const SentencePieceDecoderOptions& options, DecoderLink& next) : options_(options), next_(next) {}

    void push(std::string_view token) override {
        if (options_.byte_fallback) {
            if (const auto byte = byte_of(token)) {
                bytes_ += *byte;
                return release_bytes(false);
            }
        }
        release_bytes(true);
        if (first_space_gone_ || written_) at_beginning_ = false;
        if (options_.control.contains(std::string(token))) {
            first_space_gone_ = false;
            return;
        }
        if (token == options_.unk_piece) {
            first_space_gone_ = false;
            return write(options_.unk_surface);
        }
        first_space_gone_ = false;
        if (at_beginning_ && options_.drop_first_space && token.starts_with(kMeta)) {
            token.remove_prefix(kMeta.size());
            first_space_gone_ = !options_.drop_first_spaces;
        }
        write(with_spaces(token));
    }

  private:
    void end() override {
        release_bytes(true);
        next_.finish();
    }
    static std::string with_spaces(std::string_view token) {
        std::string out;
        for (std::size_t at = 0; at < token.size();) {
            const bool meta = token.substr(at).starts_with(kMeta);
            out += meta ? ' ' : token[at];
            at += meta ? kMeta.size() : 1;
        }
        return out;
    }
    void write(std::string_view text) {
        if (text.empty()) return;
        written_ = true;
        next_.push(text);
    }
    // Whole characters go out; what may become one with more bytes waits unless `all`.
    void release_bytes(bool all) {
        std::string out;
        std::size_t at = 0;
        while (at < bytes_.size()) {
            const Utf8Step step = decode_utf8(bytes_, at);
            if (step.valid) {
                out.append(bytes_, at, step.length);
                at += step.length;
                continue;
            }
            if (!all && at + step.length == bytes_.size() && may_continue(std::string_view(bytes_).substr(at))) break;
            out += kReplacement;
            ++at;
        }
        bytes_.erase(0, at);
        write(out);
    }
    static bool may_continue(std::string_view rest) {
        const auto lead = static_cast<unsigned char>(rest[0]);
        const std::size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        return lead >= 0xC2 && lead <= 0xF4 && rest.size() < wanted;
    }

    const SentencePieceDecoderOptions& options_;
    DecoderLink& next_;
    std::string bytes_;
    bool at_beginning_ = true, first_space_gone_ = false, written_ = false;
};

}  // namespace

std::unique_ptr<DecoderLink> SentencePieceDecoder::start(DecoderLink& next) const {
    return std::make_unique<Link>(options_, next);
}

}  // namespace rag::core
