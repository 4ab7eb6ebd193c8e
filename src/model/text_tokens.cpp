#include "model/text_tokens.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace rag::core {
namespace {

/// A text is tokenized up to this many bytes a wanted token at first; English has 4 to 5, so one round is enough but for texts
/// made of white space or of words too long for the vocabulary.
constexpr std::size_t kBytesPerToken = 32;

/// The end of the first white space at or after `at`: a cut there leaves the tokens before it as they are. The text's size if
/// there is none.
std::size_t cut_after(std::string_view text, std::size_t at) {
    const std::size_t found = at < text.size() ? text.find_first_of(" \n\r\t", at) : std::string_view::npos;
    return found == std::string_view::npos ? text.size() : found + 1;
}

}  // namespace

TextTokens::TextTokens(std::shared_ptr<const Tokenizer> tokenizer, std::int64_t max_tokens)
    : tokenizer_(std::move(tokenizer)), max_tokens_(static_cast<std::size_t>(max_tokens)) {
    // The special tokens are where the encodings of no text and of some text agree.
    std::vector<std::int32_t> empty, some;
    tokenizer_->encode_ids("", true, empty);
    tokenizer_->encode_ids("a", true, some);
    while (before_ < std::min(empty.size(), some.size()) && empty[before_] == some[before_]) ++before_;
    after_.assign(empty.begin() + static_cast<std::ptrdiff_t>(before_), empty.end());
    if (special_tokens() >= max_tokens_)
        fail(Code::kInvalidArgument, "at most {} tokens a text leave no room beside {} special tokens", max_tokens_,
             special_tokens());
}

void TextTokens::encode(std::string_view text, std::vector<std::int32_t>& ids) const {
    std::size_t bytes = cut_after(text, max_tokens_ * kBytesPerToken);
    for (;;) {
        ids.clear();
        tokenizer_->encode_ids(text.substr(0, bytes), true, ids);
        if (ids.size() >= max_tokens_ || bytes == text.size()) break;
        bytes = cut_after(text, bytes * 2);
    }
    if (ids.size() <= max_tokens_) return;
    ids.resize(max_tokens_ - after_.size());
    ids.insert(ids.end(), after_.begin(), after_.end());
}

std::string_view TextTokens::relevant_part(std::string_view text) const {
    std::size_t bytes = cut_after(text, max_tokens_ * kBytesPerToken);
    while (bytes < text.size() && tokenizer_->count_tokens(text.substr(0, bytes)) <= max_tokens_)
        bytes = cut_after(text, bytes * 2);
    return text.substr(0, bytes);
}

void TextTokens::encode_pair(std::string_view text, std::string_view pair, std::vector<std::int32_t>& ids,
                             std::vector<std::int32_t>& type_ids) const {
    EncodeOptions options;
    options.file_truncation = false;
    options.truncation = Truncation{max_tokens_};
    options.file_padding = false;
    const Encoding encoding = tokenizer_->encode({relevant_part(text), relevant_part(pair)}, options);
    ids.assign(encoding.ids.begin(), encoding.ids.end());
    type_ids.assign(encoding.type_ids.begin(), encoding.type_ids.end());
}

std::int64_t TextTokens::prompt_tokens(std::string_view prompt) const {
    std::vector<std::int32_t> ids;
    encode(prompt, ids);
    return static_cast<std::int64_t>(ids.size() - after_.size());
}

}  // namespace rag::core
