#include "generate/decoder_generation.hpp"

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
    model.context_left = decoder->context_length();
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
    decoder->tokenizer().encode_ids(prompt, true, ids);
    return run(decoder, ids, std::move(options), on_token);
}

Generation answer_messages(const std::shared_ptr<Decoder>& decoder, std::string_view messages_json, GenerateOptions options,
                           const TokenCallback& on_token) {
    const Tokenizer& tokenizer = decoder->tokenizer();
    std::vector<std::int32_t> ids;
    // The template writes the special tokens itself.
    tokenizer.encode_ids(tokenizer.apply_chat_template(messages_json, true), false, ids);
    return run(decoder, ids, std::move(options), on_token);
}

}  // namespace rag::core
