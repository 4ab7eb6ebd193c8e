// rag::Generator: text from a decoder model, streamed. Any thread; concurrent calls are computed together.
#pragma once

#include <rag/error.hpp>
#include <rag/model.hpp>
#include <rag/tokenizer.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

namespace rag {

/// A piece of text while it is made; `text` may be empty (a character is given only when it is whole). While the prompt is still
/// being computed, id is -1.
struct Token {
    std::int32_t id;
    std::string_view text;
};
/// Return false to stop. It may throw: generation stops and the exception goes on to the caller.
using TokenCallback = std::function<bool(const Token&)>;

/// Keys and values of a text that were computed once; see rag_generator_cache. Copies share them. Any thread.
class CachedText {
  public:
    explicit CachedText(rag_cached_text* handle) : handle_(handle, rag_cached_text_free) {}
    const rag_cached_text* handle() const noexcept { return handle_.get(); }
    std::size_t tokens() const noexcept { return rag_cached_text_tokens(handle_.get()); }
    std::uint64_t size_bytes() const noexcept { return rag_cached_text_bytes(handle_.get()); }

  private:
    std::shared_ptr<rag_cached_text> handle_;
};

struct GenerateOptions {
    std::uint32_t max_tokens = 256;
    float temperature = 0.0F;  ///< 0: greedy
    float top_p = 1.0F;
    std::uint32_t top_k = 0;
    float min_p = 0.0F;
    float repeat_penalty = 1.0F;
    std::uint64_t seed = 0;
    std::vector<std::string> stop;  ///< texts that end the generation and are not part of it
    TokenCallback on_token;
    /// For this call; without them those of Generator::set_adapter. An empty list is the base.
    std::optional<std::vector<AdapterShare>> adapters;
    /// Cached texts before the prompt, in this order; of Generator::generate alone.
    std::vector<CachedText> prefix;
};

struct CacheOptions {
    bool special_tokens = true;  ///< those that the tokenizer puts around a prompt, for the text that comes first
    std::optional<std::vector<AdapterShare>> adapters;
    Progress progress = nullptr;  ///< asked whether to go on; its numbers mean nothing
};

enum class Finish : std::uint32_t { kStop = RAG_FINISH_STOP, kLength = RAG_FINISH_LENGTH, kStopped = RAG_FINISH_STOPPED };

/// Tokens and milliseconds; parts that did not take place are 0.
struct Usage {
    Finish finish = Finish::kStop;
    std::uint64_t prompt_tokens = 0, new_tokens = 0;
    double search_ms = 0, prompt_ms = 0, prefill_ms = 0, decode_ms = 0, citation_ms = 0;
};

struct Generation {
    std::string text;  ///< the new text alone
    std::vector<std::int32_t> ids;
    Usage usage;
};

namespace detail {

inline Usage from_c(const rag_usage& usage) {
    return {static_cast<Finish>(usage.finish),
            usage.prompt_tokens,
            usage.new_tokens,
            usage.search_ms,
            usage.prompt_ms,
            usage.prefill_ms,
            usage.decode_ms,
            usage.citation_ms};
}

inline std::vector<const rag_cached_text*> handles(const std::vector<CachedText>& prefix) {
    std::vector<const rag_cached_text*> out;
    for (const auto& one : prefix) out.push_back(one.handle());
    return out;
}

/// GenerateOptions as the C struct, with the callback carried through; lives as long as the call.
class GenerateBridge {
  public:
    explicit GenerateBridge(const GenerateOptions& options) : callback_(options.on_token) {
        for (const auto& text_value : options.stop) stop_.push_back(text(text_value));
        options_.max_tokens = options.max_tokens;
        options_.temperature = options.temperature;
        options_.top_p = options.top_p;
        options_.top_k = options.top_k;
        options_.min_p = options.min_p;
        options_.repeat_penalty = options.repeat_penalty;
        options_.seed = options.seed;
        options_.stop = stop_.data();
        options_.stop_count = stop_.size();
        if (options.adapters) {
            shares_ = to_c(*options.adapters);
            options_.adapters = shares_.data();
            options_.adapter_count = options.adapters->size();
        }
        prefix_ = handles(options.prefix);
        options_.prefix = prefix_.data();
        options_.prefix_count = prefix_.size();
        if (callback_) {
            options_.token = &GenerateBridge::call;
            options_.user_data = this;
        }
    }
    GenerateBridge(const GenerateBridge&) = delete;
    GenerateBridge& operator=(const GenerateBridge&) = delete;
    const rag_generate_options* options() const noexcept { return &options_; }
    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

  private:
    static int call(const rag_token* token, void* user_data) noexcept {
        auto* self = static_cast<GenerateBridge*>(user_data);
        try {
            return self->callback_({token->id, view(token->text)}) ? 0 : 1;
        } catch (...) {
            self->error_ = std::current_exception();
            return 1;
        }
    }
    const TokenCallback& callback_;
    std::vector<rag_text> stop_;
    std::vector<rag_adapter_share> shares_;
    std::vector<const rag_cached_text*> prefix_;
    rag_generate_options options_ = RAG_GENERATE_OPTIONS_INIT;
    std::exception_ptr error_;
};

/// As check(), but a stop is a result: what was generated so far is given.
inline void check_or_stopped(rag_status status) {
    if (status != RAG_STOPPED) check(status);
}

}  // namespace detail

class Generator {
  public:
    /// Opens a GGUF file or a Hugging Face folder of a decoder (Llama, Mistral, Qwen2, Qwen3, Gemma 2 and 3, Mixtral, Qwen3-MoE).
    explicit Generator(std::string_view path, const ModelOptions& options = {})
        : handle_(detail::open_model(&rag_generator_open, path, options)) {}
    const rag_generator* handle() const noexcept { return handle_.get(); }

    std::uint32_t context_length() const noexcept { return rag_generator_context_length(handle_.get()); }
    /// The dtype in use.
    Dtype dtype() const noexcept { return static_cast<Dtype>(rag_generator_dtype(handle_.get())); }
    /// One line for people.
    std::string describe() const { return detail::text_by(&rag_generator_describe, handle_.get()); }
    std::int64_t vocab_size() const noexcept { return rag_generator_vocab_size(handle_.get()); }
    std::uint64_t weight_bytes() const noexcept { return rag_generator_weight_bytes(handle_.get()); }
    Tokenizer tokenizer() const {
        rag_tokenizer* handle = nullptr;
        detail::check(rag_generator_tokenizer(handle_.get(), &handle));
        return Tokenizer(handle);
    }

    /// Continues raw text.
    Generation generate(std::string_view prompt, const GenerateOptions& options = {}) const {
        return run(&rag_generator_generate, prompt, options);
    }
    /// Answers a conversation: JSON, [{"role": "user", "content": "..."}].
    Generation chat(std::string_view messages, const GenerateOptions& options = {}) const {
        return run(&rag_generator_chat, messages, options);
    }
    /// Logits of every position, [ids, vocab_size].
    std::vector<float> logits(const std::vector<std::int32_t>& ids) const { return logits(ids, {}); }
    /// The same behind cached texts.
    std::vector<float> logits(const std::vector<std::int32_t>& ids, const std::vector<CachedText>& prefix) const {
        std::vector<float> out(ids.size() * static_cast<std::size_t>(vocab_size()));
        logits_into(ids, prefix, out.data(), out.size());
        return out;
    }
    /// As logits(), into memory of yours: `floats` must be ids times vocab_size.
    void logits_into(const std::vector<std::int32_t>& ids, const std::vector<CachedText>& prefix, float* out, std::size_t floats,
                     const Progress& progress = nullptr) const {
        const std::vector<const rag_cached_text*> handles = detail::handles(prefix);
        detail::ProgressBridge bridge(progress);
        const rag_status status = rag_generator_logits_after(handle_.get(), handles.data(), handles.size(), ids.data(),
                                                             ids.size(), bridge.function(), bridge.data(), out, floats);
        bridge.rethrow();
        detail::check(status);
    }
    /// Computes a text once, to be put before prompts at any position; see rag_generator_cache.
    CachedText cache(std::string_view text, const CacheOptions& options = {}) const {
        return cached(options, [&](const rag_cache_options* c_options, rag_cached_text** out) {
            return rag_generator_cache(handle_.get(), detail::text(text), c_options, out);
        });
    }
    /// The same of token ids.
    CachedText cache(const std::vector<std::int32_t>& ids, const CacheOptions& options = {}) const {
        return cached(options, [&](const rag_cache_options* c_options, rag_cached_text** out) {
            return rag_generator_cache_ids(handle_.get(), ids.data(), ids.size(), c_options, out);
        });
    }

    /// Writes the model into a new folder that loads again; see rag_generator_save.
    void save(std::string_view path, const SaveOptions& options = {}) const {
        detail::save_model(&rag_generator_save, handle_.get(), path, options);
    }
    /// Linear layers see a text sample, so that saving in int4 compensates rounding errors.
    void calibrate(const std::vector<std::string_view>& texts, const Progress& progress = nullptr) {
        std::vector<rag_text> views;
        for (const auto one : texts) views.push_back(detail::text(one));
        detail::ProgressBridge bridge(progress);
        const rag_status status =
            rag_generator_calibrate(handle_.get(), views.data(), views.size(), bridge.function(), bridge.data());
        bridge.rethrow();
        detail::check(status);
    }

    void load_adapter(std::string_view path, std::string_view name) {
        detail::check(rag_generator_load_adapter(handle_.get(), detail::text(path), detail::text(name)));
    }
    void merge_adapter(std::string_view name) { detail::check(rag_generator_merge_adapter(handle_.get(), detail::text(name))); }
    void unmerge_adapter() { detail::check(rag_generator_unmerge_adapter(handle_.get())); }
    /// What later calls add to the base, without touching the weights: nothing, one adapter or several with weights.
    void set_adapter(const std::vector<AdapterShare>& shares) {
        detail::check(rag_generator_set_adapter(handle_.get(), detail::to_c(shares).data(), shares.size()));
    }
    /// Forgets a loaded adapter.
    void unload_adapter(std::string_view name) { detail::check(rag_generator_unload_adapter(handle_.get(), detail::text(name))); }

  private:
    using Function = rag_status (*)(const rag_generator*, rag_text, const rag_generate_options*, rag_generation**);

    template <typename Compute>
    CachedText cached(const CacheOptions& options, const Compute& compute) const {
        detail::ProgressBridge bridge(options.progress);
        rag_cache_options c_options = RAG_CACHE_OPTIONS_INIT;
        c_options.special_tokens = options.special_tokens ? 1 : 0;
        std::vector<rag_adapter_share> shares;
        if (options.adapters) {
            shares = detail::to_c(*options.adapters);
            c_options.adapters = shares.data();
            c_options.adapter_count = options.adapters->size();
        }
        c_options.progress = bridge.function();
        c_options.user_data = bridge.data();
        rag_cached_text* made = nullptr;
        const rag_status status = compute(&c_options, &made);
        bridge.rethrow();
        detail::check(status);
        return CachedText(made);
    }

    Generation run(Function function, std::string_view input, const GenerateOptions& options) const {
        const detail::GenerateBridge bridge(options);
        rag_generation* raw = nullptr;
        const rag_status status = function(handle_.get(), detail::text(input), bridge.options(), &raw);
        const detail::Handle<rag_generation, rag_generation_free> owner(raw);
        bridge.rethrow();
        detail::check_or_stopped(status);
        Generation out;
        out.text = detail::copy(rag_generation_text(raw));
        std::size_t count = 0;
        const std::int32_t* ids = rag_generation_ids(raw, &count);
        if (count > 0) out.ids.assign(ids, ids + count);
        rag_usage usage = RAG_USAGE_INIT;
        detail::check(rag_generation_usage(raw, &usage));
        out.usage = detail::from_c(usage);
        return out;
    }

    detail::Handle<rag_generator, rag_generator_free> handle_;
};

}  // namespace rag
