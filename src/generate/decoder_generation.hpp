// The generation loop on a real decoder: raw text is continued, a conversation is answered through the model's chat template.
// Callbacks come on the calling thread, also while the prompt is computed. Thread rule: any thread; the decoder computes
// steps of concurrent calls together. Each call has a session of its own.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "generate/generate.hpp"
#include "model/decoder.hpp"

namespace rag::core {

/// Called with each new token and the text that became certain with it; while the prompt is computed about every 50 ms with id -1
/// and no text. False stops: what there was so far is the result.
using TokenCallback = std::function<bool(std::int32_t id, std::string_view text)>;

/// Continues `prompt` as it stands. Errors as generate(), and kInvalidState when the model has no tokenizer.
Generation continue_text(const std::shared_ptr<Decoder>& decoder, std::string_view prompt, GenerateOptions options,
                         const TokenCallback& on_token);

/// Answers [{"role": "user", "content": "..."}]. Errors as continue_text(), and of the chat template.
Generation answer_messages(const std::shared_ptr<Decoder>& decoder, std::string_view messages_json, GenerateOptions options,
                           const TokenCallback& on_token);

}  // namespace rag::core
