#include "generate/decoder_generation.hpp"

#include "core/error.hpp"
#include "core/polled.hpp"

namespace rag::core {
namespace {

/// Runs the loop on ids in a session of their own.
Generation run(const std::shared_ptr<Decoder>& decoder, const std::vector<std::int32_t>& ids, GenerateOptions options,
               const TokenCallback& on_token) {
    const Tokenizer& tokenizer = decoder->tokenizer();
    const auto session = options.adapters ? decoder->new_session(*options.adapters) : decoder->new_session();
    StreamDecoder stream(tokenizer);
    // The prompt is computed on a helper thread while this one asks the callback; single tokens are quick enough to ask between.
    const Progress waiting = on_token ? [&on_token](std::uint64_t, std::uint64_t) { return on_token(-1, {}); } : Progress();

    GenerationModel model;
    model.vocab_size = decoder->vocab_size();
    for (const auto& text : options.prefix) {
        session->append(*text);
        model.past.insert(model.past.end(), text->ids().begin(), text->ids().end());
    }
    model.context_left = decoder->context_length() - session->length();
    if (const auto end = tokenizer.eos_id()) model.end_ids.push_back(*end);
    model.forward = [&](std::span<const std::int32_t> next, std::span<float> logits, const std::function<bool()>&) {
        if (next.size() == 1) {
            session->forward(next, logits);
            return;
        }
        run_polled(waiting,
                   [&](const Progress& inner) { session->forward(next, logits, [&inner] { return inner && !inner(0, 0); }); });
    };
    model.push = [&](std::int32_t id) { return stream.push(id); };
    model.finish = [&] { return stream.finish(); };
    options.on_token = on_token;
    return generate(model, ids, options);
}

}  // namespace

Generation continue_text(const std::shared_ptr<Decoder>& decoder, std::string_view prompt, GenerateOptions options,
                         const TokenCallback& on_token) {
    std::vector<std::int32_t> ids;
    // Special tokens stand before the whole text, so with what is cached, if anything is.
    decoder->tokenizer().encode_ids(prompt, options.prefix.empty(), ids);
    return run(decoder, ids, std::move(options), on_token);
}

std::shared_ptr<const CachedText> cache_text(const std::shared_ptr<Decoder>& decoder, std::string_view text, bool special_tokens,
                                             const std::optional<AdapterMix>& adapters, const Progress& progress) {
    std::vector<std::int32_t> ids;
    decoder->tokenizer().encode_ids(text, special_tokens, ids);
    if (ids.empty()) fail(Code::kInvalidArgument, "a text of {} bytes has no tokens to cache", text.size());
    return cache_ids(decoder, ids, adapters, progress);
}

std::shared_ptr<const CachedText> cache_ids(const std::shared_ptr<Decoder>& decoder, std::span<const std::int32_t> ids,
                                            const std::optional<AdapterMix>& adapters, const Progress& progress) {
    std::shared_ptr<const CachedText> out;
    run_polled(progress,
               [&](const Progress& inner) { out = decoder->cache(ids, adapters, [&inner] { return inner && !inner(0, 0); }); });
    return out;
}

Generation answer_messages(const std::shared_ptr<Decoder>& decoder, std::string_view messages_json, GenerateOptions options,
                           const TokenCallback& on_token) {
    if (!options.prefix.empty())
        fail(Code::kInvalidArgument,
             "{} cached texts before messages: the chat template writes the whole prompt; render it and generate from the text",
             options.prefix.size());
    const Tokenizer& tokenizer = decoder->tokenizer();
    std::vector<std::int32_t> ids;
    // The template writes the special tokens itself.
    tokenizer.encode_ids(tokenizer.apply_chat_template(messages_json, true), false, ids);
    return run(decoder, ids, std::move(options), on_token);
}

}  // namespace rag::core
