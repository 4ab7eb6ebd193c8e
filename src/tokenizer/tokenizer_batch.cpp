// Tokenizer's batches: texts and ids on several threads. Results are made by the threads that work on them.
#include <algorithm>

#include "core/error.hpp"
#include "tokenizer/tokenizer_state.hpp"

namespace rag::core {
namespace {

// Errors of one text say which one it is.
template <typename Work>
void for_text(std::size_t index, const Work& work) {
    try {
        work();
    } catch (const Stopped&) {
        throw;
    } catch (const Error& error) {
        throw Error(error.code(), fmt::format("texts[{}]: {}", index, error.what()));
    }
}

}  // namespace

std::vector<Encoding> Tokenizer::encode_batch(std::span<const TextPair> texts, const EncodeOptions& options,
                                              const BatchOptions& batch) const {
    std::size_t bytes = 0;
    for (const TextPair& text : texts) bytes += text.size_bytes();
    std::vector<Encoding> out(texts.size());
    state_->batches.run(texts.size(), bytes, batch,
                        [&](std::size_t i) { for_text(i, [&] { out[i] = state_->encode(texts[i], options); }); });
    const Padding* padding = state_->padding_of(options);
    if (padding == nullptr) return out;
    std::size_t longest = 0;
    for (const Encoding& encoding : out) longest = std::max(longest, encoding.size());
    const std::size_t length = padded_length(*padding, longest);
    for (Encoding& encoding : out) state_->pad_to(encoding, *padding, length);
    return out;
}

std::vector<Encoding> Tokenizer::encode_batch(std::span<const std::string_view> texts, bool add_special_tokens) const {
    std::vector<TextPair> pairs;
    pairs.reserve(texts.size());
    for (const std::string_view text : texts) pairs.push_back({text});
    EncodeOptions options;
    options.add_special_tokens = add_special_tokens;
    return encode_batch(pairs, options);
}

std::vector<std::string> Tokenizer::decode_batch(std::span<const std::span<const std::int32_t>> ids, bool skip_special_tokens,
                                                 const BatchOptions& batch) const {
    constexpr std::size_t kBytesPerToken = 4;
    std::size_t count = 0;
    for (const auto& list : ids) count += list.size();
    std::vector<std::string> out(ids.size());
    state_->batches.run(ids.size(), kBytesPerToken * count, batch,
                        [&](std::size_t i) { out[i] = decode(ids[i], skip_special_tokens); });
    return out;
}

}  // namespace rag::core
