// rag_generator_* and rag_generation_*: language models over C.
#include <chrono>

#include "arguments.hpp"
#include "core/polled.hpp"
#include "generation.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "models.hpp"

namespace core = rag::core;
using rag::capi::guard;
using rag::capi::require;

namespace {

constexpr const char* kWhat = "generator";

/// Behind thousands of tokens the model looks some 50 ms apart whether to go on; both together shall stay below 100 ms.
constexpr std::chrono::milliseconds kLogitsPoll{20};

using Generate = core::Generation (*)(const std::shared_ptr<core::Decoder>&, std::string_view, core::GenerateOptions,
                                      const core::TokenCallback&);

/// A stopped generation is given, with RAG_STOPPED.
rag_status run(Generate function, const rag_generator* generator, rag_text input, const char* name,
               const rag_generate_options* options, rag_generation** generation) noexcept {
    return guard([&]() -> rag_status {
        require(generation, "generation") = nullptr;
        rag::capi::use_model(generator, kWhat);
        rag::capi::GenerationCall call = rag::capi::generation_of(options);
        auto out = std::make_unique<rag_generation>();
        out->generation = function(generator->model, rag::capi::text_of(input, name), std::move(call.options), call.on_token);
        const bool stopped = out->generation.finish == core::FinishReason::kCancelled;
        *generation = out.release();
        return stopped ? RAG_STOPPED : RAG_OK;
    });
}

struct CacheCall {
    bool special_tokens;
    std::optional<core::AdapterMix> adapters;
    core::Progress progress;
};

/// `compute` takes a CacheCall.
template <typename Compute>
rag_status cache(const rag_generator* generator, const rag_cache_options* options, rag_cached_text** cached,
                 const Compute& compute) noexcept {
    return guard([&] {
        require(cached, "cached") = nullptr;
        rag::capi::use_model(generator, kWhat);
        const auto known = rag::capi::read_struct(options, rag_cache_options RAG_CACHE_OPTIONS_INIT, "rag_cache_options");
        if (known.special_tokens > 1)
            rag::capi::fail(rag::capi::Code::kInvalidArgument, "special_tokens is {}, it must be 0 or 1", known.special_tokens);
        *cached = new rag_cached_text{
            compute(CacheCall{known.special_tokens != 0, rag::capi::chosen_adapters(known.adapters, known.adapter_count),
                              rag::capi::progress_of(known.progress, known.user_data)})};
    });
}

}  // namespace

extern "C" {

rag_status rag_generator_open(rag_text path, const rag_model_options* options, rag_generator** generator) noexcept {
    return guard([&] {
        require(generator, kWhat) = nullptr;
        const auto from = rag::capi::path_of(path, "path");
        const auto open = [&](const core::ModelOptions& known) { return core::Decoder::open(from, known); };
        *generator = new rag_generator{rag::capi::open_polled(options, open), {}};
    });
}

uint32_t rag_generator_dtype(const rag_generator* generator) noexcept {
    return rag::capi::dtype_of(generator);
}
rag_status rag_generator_describe(const rag_generator* generator, rag_string** text) noexcept {
    return rag::capi::describe_model(generator, kWhat, text);
}

void rag_generator_free(rag_generator* generator) noexcept {
    delete generator;
}

uint32_t rag_generator_context_length(const rag_generator* generator) noexcept {
    return generator == nullptr ? 0 : static_cast<uint32_t>(generator->model->context_length());
}

int64_t rag_generator_vocab_size(const rag_generator* generator) noexcept {
    return generator == nullptr ? 0 : generator->model->vocab_size();
}

uint64_t rag_generator_weight_bytes(const rag_generator* generator) noexcept {
    uint64_t bytes = 0;
    static_cast<void>(guard([&] { bytes = rag::capi::use_model(generator, kWhat).weight_bytes(); }));
    return bytes;
}

rag_status rag_generator_tokenizer(const rag_generator* generator, rag_tokenizer** tokenizer) noexcept {
    return guard([&] {
        require(tokenizer, "tokenizer") = nullptr;
        *tokenizer = new rag_tokenizer{require(generator, kWhat).model->shared_tokenizer()};
    });
}

rag_status rag_generator_logits(const rag_generator* generator, const int32_t* ids, size_t count, rag_progress_fn progress,
                                void* user_data, float* logits, size_t logit_floats) noexcept {
    return guard([&] {
        core::Decoder& model = rag::capi::use_model(generator, kWhat);
        rag::capi::require_array(ids, count, "ids");
        rag::capi::require_array(logits, logit_floats, "logits");
        core::run_polled(
            rag::capi::progress_of(progress, user_data),
            [&](const core::Progress& inner) { model.logits({ids, count}, {logits, logit_floats}, inner); }, kLogitsPoll);
    });
}

rag_status rag_generator_generate(const rag_generator* generator, rag_text prompt, const rag_generate_options* options,
                                  rag_generation** generation) noexcept {
    return run(&core::continue_text, generator, prompt, "prompt", options, generation);
}

rag_status rag_generator_chat(const rag_generator* generator, rag_text messages, const rag_generate_options* options,
                              rag_generation** generation) noexcept {
    return run(&core::answer_messages, generator, messages, "messages", options, generation);
}

rag_status rag_generator_cache(const rag_generator* generator, rag_text text, const rag_cache_options* options,
                               rag_cached_text** cached) noexcept {
    return cache(generator, options, cached, [&](const CacheCall& call) {
        return core::cache_text(generator->model, rag::capi::text_of(text, "text"), call.special_tokens, call.adapters,
                                call.progress);
    });
}

rag_status rag_generator_cache_ids(const rag_generator* generator, const int32_t* ids, size_t count,
                                   const rag_cache_options* options, rag_cached_text** cached) noexcept {
    return cache(generator, options, cached, [&](const CacheCall& call) {
        rag::capi::require_array(ids, count, "ids");
        return core::cache_ids(generator->model, {ids, count}, call.adapters, call.progress);
    });
}

size_t rag_cached_text_tokens(const rag_cached_text* cached) noexcept {
    return cached == nullptr ? 0 : cached->text->ids().size();
}

uint64_t rag_cached_text_bytes(const rag_cached_text* cached) noexcept {
    return cached == nullptr ? 0 : cached->text->size_bytes();
}

void rag_cached_text_free(rag_cached_text* cached) noexcept {
    delete cached;
}

rag_status rag_generator_logits_after(const rag_generator* generator, const rag_cached_text* const* prefix, size_t prefix_count,
                                      const int32_t* ids, size_t count, rag_progress_fn progress, void* user_data, float* logits,
                                      size_t logit_floats) noexcept {
    return guard([&] {
        core::Decoder& model = rag::capi::use_model(generator, kWhat);
        rag::capi::require_array(ids, count, "ids");
        rag::capi::require_array(logits, logit_floats, "logits");
        const auto before = rag::capi::prefix_of(prefix, prefix_count);
        core::run_polled(
            rag::capi::progress_of(progress, user_data),
            [&](const core::Progress& inner) { model.logits({ids, count}, {logits, logit_floats}, inner, before); }, kLogitsPoll);
    });
}

rag_text rag_generation_text(const rag_generation* generation) noexcept {
    if (generation == nullptr) return {nullptr, 0};
    return {generation->generation.text.c_str(), generation->generation.text.size()};
}

const int32_t* rag_generation_ids(const rag_generation* generation, size_t* count) noexcept {
    if (count != nullptr) *count = generation == nullptr ? 0 : generation->generation.ids.size();
    return generation == nullptr ? nullptr : generation->generation.ids.data();
}

rag_status rag_generation_usage(const rag_generation* generation, rag_usage* usage) noexcept {
    return guard(
        [&] { rag::capi::write_struct(usage, rag::capi::usage_of(require(generation, "generation").generation), "rag_usage"); });
}

void rag_generation_free(rag_generation* generation) noexcept {
    delete generation;
}

rag_status rag_generator_load_adapter(rag_generator* generator, rag_text path, rag_text name) noexcept {
    return rag::capi::load_adapter(generator, kWhat, path, name);
}
rag_status rag_generator_merge_adapter(rag_generator* generator, rag_text name) noexcept {
    return rag::capi::merge_adapter(generator, kWhat, name);
}
rag_status rag_generator_unmerge_adapter(rag_generator* generator) noexcept {
    return rag::capi::unmerge_adapter(generator, kWhat);
}
rag_status rag_generator_set_adapter(rag_generator* generator, const rag_adapter_share* shares, size_t count) noexcept {
    return rag::capi::set_adapter(generator, kWhat, shares, count);
}
rag_status rag_generator_unload_adapter(rag_generator* generator, rag_text name) noexcept {
    return rag::capi::unload_adapter(generator, kWhat, name);
}

rag_status rag_generator_save(const rag_generator* generator, rag_text path, const rag_save_options* options) noexcept {
    return rag::capi::save_model(generator, kWhat, path, options);
}
rag_status rag_generator_calibrate(rag_generator* generator, const rag_text* texts, size_t count, rag_progress_fn progress,
                                   void* user_data) noexcept {
    return rag::capi::calibrate_model(generator, kWhat, texts, count, progress, user_data);
}

}  // extern "C"
