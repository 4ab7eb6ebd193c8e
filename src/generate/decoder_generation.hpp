// The generation loop on a real decoder: raw text is continued, a conversation is answered through the model's chat template.
// Callbacks come on the calling thread, also while the prompt is computed. Thread rule: any thread; the decoder computes
// steps of concurrent calls together. Each call has a session of its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "generate/generate.hpp"
#include "model/decoder.hpp"

namespace rag::core {

/// Called with each new token and the text that became certain with it; while the prompt is computed about every 50 ms with id -1
/// and no text. False stops: what there was so far is the result.
using TokenCallback = std::function<bool(std::int32_t id, std::string_view text)>;

/// Continues `prompt` as it stands. Errors as generate(), of DecoderSession::append for the prefix, and kInvalidState when the
/// model has no tokenizer or an adapter is merged or unmerged meanwhile; tokens that were given stay given then.
Generation continue_text(const std::shared_ptr<Decoder>& decoder, std::string_view prompt, GenerateOptions options,
                         const TokenCallback& on_token);

/// Computes a text, or ids, once for GenerateOptions::prefix. `special_tokens`: those that the tokenizer puts around a text, as
/// before a prompt. `progress` is asked whether to go on, on the calling thread. Errors as Decoder::cache().
std::shared_ptr<const CachedText> cache_ids(const std::shared_ptr<Decoder>& decoder, std::span<const std::int32_t> ids,
                                            const std::optional<AdapterMix>& adapters, const Progress& progress);
std::shared_ptr<const CachedText> cache_text(const std::shared_ptr<Decoder>& decoder, std::string_view text, bool special_tokens,
                                             const std::optional<AdapterMix>& adapters, const Progress& progress);

/// Answers [{"role": "user", "content": "..."}]. Errors as continue_text(), of the chat template, and kInvalidArgument for a
/// prefix.
Generation answer_messages(const std::shared_ptr<Decoder>& decoder, std::string_view messages_json, GenerateOptions options,
                           const TokenCallback& on_token);

}  // namespace rag::core
