// The generation loop: prompt ids in, text out, piece by piece. It sees a model only through GenerationModel, so that tests run
// it on a fake and the engine on a decoder session. Thread rule: one call, one thread; what the functions refer to must outlive
// it. State after failure: the session holds what was fed to it before; the caller truncates it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "generate/sampler.hpp"

namespace rag::core {

class CachedText;  // model/decoder.hpp

/// What the loop needs of a decoder with its session, and of its tokenizer.
struct GenerationModel {
    std::int64_t vocab_size = 0;
    /// Tokens that the session can still take.
    std::int64_t context_left = 0;
    /// Ids that the session holds already, for the repeat penalty; they count as tokens of the prompt.
    std::vector<std::int32_t> past;
    /// Ids that end the text, such as eos; they are neither in the text nor among the new ids.
    std::vector<std::int32_t> end_ids;
    /// Appends `ids` to the session; `logits`: [vocab_size] of the last id. Polls `stop` and throws Stopped when it says true.
    std::function<void(std::span<const std::int32_t> ids, std::span<float> logits, const std::function<bool()>& stop)> forward;
    /// The next id as text, whole characters only, and what is left at the end (tokenizer's StreamDecoder).
    std::function<std::string(std::int32_t id)> push;
    std::function<std::string()> finish;
};

struct GenerateOptions {
    std::size_t max_tokens = 256;
    /// Adapters by name and weight for this generation; nullopt: those that the model is set to. For who makes the session.
    std::optional<std::vector<std::pair<std::string, float>>> adapters;
    /// Cached texts before the prompt, in this order. For who makes the session.
    std::vector<std::shared_ptr<const CachedText>> prefix;
    SamplerOptions sampler;
    std::vector<std::string> stop;  // the text ends before the first of them
    /// Called for each token with the text that became certain with it: pieces of whole characters, which may be empty; together
    /// they are the text of the result. False stops.
    std::function<bool(std::int32_t id, std::string_view piece)> on_token;
    /// Polled before every token, and by the model once a layer; true stops.
    std::function<bool()> cancelled;
};

enum class FinishReason {
    kStop,      // an end id or a stop string
    kLength,    // max_tokens, or the context is full
    kCancelled  // on_token or cancelled said so
};
/// "stop", "length", "cancelled"
std::string_view finish_name(FinishReason reason) noexcept;

struct Generation {
    std::string text;
    std::vector<std::int32_t> ids;  // new ones; with those that made a stop string
    FinishReason finish = FinishReason::kLength;
    std::string stop_string;  // the one that was found, if any
    std::size_t prompt_tokens = 0;
    std::size_t new_tokens = 0;
    double prefill_ms = 0;  // until the first logits
    double decode_ms = 0;   // from there to the end, sampling and text included
};

/// Error(kInvalidArgument): an empty prompt, an id outside the vocabulary, a prompt that leaves no room in the context (both
/// sizes are named), options out of range. Error(kCorrupt): logits that are no numbers. When cancelled it returns what was
/// streamed until then.
Generation generate(const GenerationModel& model, std::span<const std::int32_t> prompt, const GenerateOptions& options);

}  // namespace rag::core
