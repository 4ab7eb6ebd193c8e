#include "text/readers/text_source.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} << 10;

}  // namespace

TextSource::TextSource(std::unique_ptr<ByteSource> bytes, std::string_view encoding, Declaration declaration, Progress progress)
    : bytes_(std::move(bytes)), progress_(std::move(progress)) {
    bytes_->read(block_, kEncodingHeadBytes);
    const bool whole = block_.size() < kEncodingHeadBytes;
    const DetectedEncoding detected =
        detect_encoding(block_, whole, declaration != nullptr ? declaration(block_) : std::string());
    encoding_ = detected.name;
    if (!encoding.empty()) {
        encoding_ = known_encoding(encoding);
        if (encoding_.empty()) fail(Code::kInvalidArgument, "{} is no encoding that ICU knows", quote(encoding));
    }
    if (encoding_.empty()) {
        const std::size_t nul = block_.find('\0');
        if (nul != std::string::npos)
            fail(Code::kInvalidArgument, "{} is no text: it holds a NUL byte at offset {}", quote(name(), 400), nul);
        // What a decoder of UTF-8 says names the byte; the rest is advice.
        std::string scratch;
        try {
            Decoder::open("UTF-8", name(), 0)->decode(block_, whole, scratch);
        } catch (const Error& error) {
            const bool guessed = !detected.guess.empty() && detected.guess != "UTF-8";
            std::string guess;
            if (guessed) guess = fmt::format("; {} is a guess by its bytes", detected.guess);
            // They all take the same bytes, and only how often each comes tells them apart.
            if (guessed && is_single_byte(detected.guess))
                guess += ", often wrong for single-byte encodings such as KOI8-R and windows-1251";
            fail(error.code(), "{}; name its encoding (encoding=\"...\"){}", error.what(), guess);
        }
    }
    // A mark of another encoding than the caller's is text to his, and will be refused where it is none.
    if (encoding_ == detected.name) used_ = detected.mark_size;
    decoder_ = Decoder::open(encoding_, name(), used_);
}

bool TextSource::read(std::string& out) {
    const std::size_t before = out.size();
    while (out.size() == before && !ended_) {
        if (used_ == block_.size()) {
            bytes_->read(block_, kBlockBytes);
            used_ = 0;
        }
        const std::string_view part = std::string_view(block_).substr(used_, kBlockBytes);
        ended_ = true;  // also when the next lines throw
        decoder_->decode(part, part.empty(), out);
        used_ += part.size();
        if (out.find('\0', before) != std::string::npos) {
            out.resize(before);
            fail(Code::kInvalidArgument, "{} is no text: it holds a NUL character before byte {}", quote(name(), 400),
                 bytes_->position() - block_.size() + used_);
        }
        report_progress();
        ended_ = part.empty();
    }
    return out.size() != before;
}

std::string TextSource::read_all(std::size_t limit) {
    std::string out;
    out.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(bytes_->size(), limit)));
    while (read(out)) {
        if (out.size() > limit)
            fail(Code::kInvalidArgument, "{} has more than {} bytes of text, at most so many are taken", quote(name(), 400),
                 limit);
    }
    return out;
}

void TextSource::report_progress() const {
    report(progress_, bytes_->position() - block_.size() + used_, bytes_->size());
}

}  // namespace rag::core
