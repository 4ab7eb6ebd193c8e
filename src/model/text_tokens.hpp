// Token ids of one text, or of a pair, as an encoder takes them: cut to the model's limit in the way Hugging Face's tokenizers
// cut, that is the special tokens stay and the text's last tokens go, of a pair those of the longer text first. Immutable, any
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.hpp"

namespace rag::core {

class TextTokens {
  public:
    /// `max_tokens`: special tokens included. Throws kInvalidArgument when it leaves no room for a token of text.
    TextTokens(std::shared_ptr<const Tokenizer> tokenizer, std::int64_t max_tokens);

    /// Replaces `ids`. Of a very long text only as much is tokenized as can matter.
    void encode(std::string_view text, std::vector<std::int32_t>& ids) const;
    /// The same of a pair, with the number of its text for each token. Throws kInvalidArgument where the special tokens of a pair
    /// leave no room.
    void encode_pair(std::string_view text, std::string_view pair, std::vector<std::int32_t>& ids,
                     std::vector<std::int32_t>& type_ids) const;
    /// Tokens before those of a text that begins with `prompt`, the first special tokens included: where its pooling begins when
    /// the prompt is left out. As sentence-transformers counts.
    std::int64_t prompt_tokens(std::string_view prompt) const;
    /// Special tokens that every text gets.
    std::size_t special_tokens() const noexcept { return before_ + after_.size(); }

    /// A beginning of the text that has more tokens than any text or pair can hold, or the whole text.
    std::string_view relevant_part(std::string_view text) const;
    std::size_t max_tokens() const noexcept { return max_tokens_; }
    const Tokenizer& tokenizer() const noexcept { return *tokenizer_; }

  private:
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::size_t max_tokens_;
    std::size_t before_ = 0;           // special tokens in front: [CLS]
    std::vector<std::int32_t> after_;  // and behind: [SEP]
};

}  // namespace rag::core
