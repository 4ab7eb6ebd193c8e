// What encoder and generator share at the C boundary: options in, adapters.
#pragma once

#include <rag/rag.h>

#include <optional>
#include <string>

#include "arguments.hpp"
#include "core/polled.hpp"
#include "guard.hpp"
#include "handles.hpp"

namespace rag::capi {

inline rag_model_options read_model_options(const rag_model_options* options) {
    return read_struct(options, rag_model_options RAG_MODEL_OPTIONS_INIT, "rag_model_options",
                       offsetof(rag_model_options, truncate_dim));
}

/// Of an encoder; 0: whole vectors.
inline std::int64_t truncate_dim_of(const rag_model_options* options) {
    return read_model_options(options).truncate_dim;
}

inline core::ModelOptions model_options_of(const rag_model_options* options) {
    const rag_model_options known = read_model_options(options);
    core::ModelOptions out;
    if (given(known.exceptions)) out.exceptions = core::read_precision_exceptions(text_of(known.exceptions, "exceptions"));
    if (known.int8_cache > 1) fail(Code::kInvalidArgument, "int8_cache is {}, it must be 0 or 1", known.int8_cache);
    out.int8_cache = known.int8_cache != 0;
    switch (known.dtype) {
        case RAG_FLOAT32:
            out.precision = core::Precision::kFloat32;
            break;
        case RAG_BFLOAT16:
            out.precision = core::Precision::kBFloat16;
            break;
        case RAG_FLOAT16:
            out.precision = core::Precision::kFloat16;
            break;
        case RAG_INT8:
            out.precision = core::Precision::kInt8;
            break;
        case RAG_INT4:
            out.precision = core::Precision::kInt4;
            break;
        case RAG_AUTO:
            out.measured_precision = true;
            break;
        default:
            fail(Code::kInvalidArgument,
                 "dtype is {}, it must be 0 (float32), 1 (bfloat16), 2 (float16), 3 (int8), 4 (int4) or 5 (auto)", known.dtype);
    }
    constexpr std::uint32_t kMostThreads = 1024;
    if (known.threads > kMostThreads)
        fail(Code::kInvalidArgument, "threads is {}, it must be 0 (as many as the process may use) to {}", known.threads,
             kMostThreads);
    out.threads = known.threads;
    constexpr std::uint32_t kLongestWait = 1000000;
    if (known.batch_wait_microseconds > kLongestWait)
        fail(Code::kInvalidArgument, "batch_wait_microseconds is {}, at most {} are taken", known.batch_wait_microseconds,
             kLongestWait);
    constexpr std::uint32_t kMostRequests = 4096;
    if (known.batch_requests > kMostRequests)
        fail(Code::kInvalidArgument, "batch_requests is {}, at most {} are taken", known.batch_requests, kMostRequests);
    if (known.batch_requests != 0) out.batching.requests = known.batch_requests;
    if (known.batch_tokens != 0) out.batching.tokens = known.batch_tokens;
    out.batching.wait = std::chrono::microseconds(known.batch_wait_microseconds);
    if (given(known.device)) out.device = std::string(text_of(known.device, "device"));
    if (known.verify > 1) fail(Code::kInvalidArgument, "verify is {}, it must be 0 or 1", known.verify);
    out.verify = known.verify != 0;
    return out;
}

inline core::AdapterMix adapter_mix_of(const rag_adapter_share* shares, std::size_t count) {
    require_array(shares, count, "shares");
    core::AdapterMix mix;
    for (std::size_t i = 0; i < count; ++i) mix.emplace_back(text_of(shares[i].name, "name"), shares[i].weight);
    return mix;
}

/// The adapters of a call; nullopt: those that the model is set to.
inline std::optional<core::AdapterMix> chosen_adapters(const rag_adapter_share* shares, std::size_t count) {
    if (shares == nullptr) return std::nullopt;
    return adapter_mix_of(shares, count);
}

/// Opens a model while the caller is asked whether to stop. `open` takes core::ModelOptions.
template <typename Open>
auto open_polled(const rag_model_options* options, const Open& open) {
    core::ModelOptions known = model_options_of(options);
    const rag_model_options read = read_model_options(options);
    decltype(open(known)) model;
    core::run_polled(progress_of(read.progress, read.user_data), [&](const core::Progress& progress) {
        known.opening = progress;
        model = open(known);
    });
    return model;
}

/// Of rag_encode_options and rag_predict_options.
template <typename Options>
core::EncoderPrompt prompt_of(const Options& options) {
    if (options.prompt_kind > RAG_PROMPT_DOCUMENT)
        fail(Code::kInvalidArgument, "prompt_kind is {}, it must be a rag_prompt (0 to 4)", options.prompt_kind);
    core::EncoderPrompt prompt;
    prompt.kind = static_cast<core::EncoderPrompt::Kind>(options.prompt_kind);
    if (given(options.prompt)) prompt.text = std::string(text_of(options.prompt, "prompt"));
    return prompt;
}
static_assert(static_cast<int>(core::EncoderPrompt::Kind::kNamed) == RAG_PROMPT_NAMED);
static_assert(static_cast<int>(core::EncoderPrompt::Kind::kText) == RAG_PROMPT_TEXT);
static_assert(static_cast<int>(core::EncoderPrompt::Kind::kQuery) == RAG_PROMPT_QUERY);
static_assert(static_cast<int>(core::EncoderPrompt::Kind::kDocument) == RAG_PROMPT_DOCUMENT);

/// The model of a handle, refused in a child of fork().
template <typename Handle>
auto& use_model(Handle* handle, const char* name) {
    require(handle, name).fork_guard.check(name);
    return *handle->model;
}

template <typename Handle>
std::uint32_t dtype_of(const Handle* handle) noexcept {
    return handle == nullptr ? 0 : static_cast<std::uint32_t>(handle->model->precision());
}
static_assert(static_cast<int>(core::Precision::kBFloat16) == RAG_BFLOAT16);
static_assert(static_cast<int>(core::Precision::kFloat16) == RAG_FLOAT16);
static_assert(static_cast<int>(core::Precision::kInt8) == RAG_INT8);
static_assert(static_cast<int>(core::Precision::kInt4) == RAG_INT4);

template <typename Handle>
rag_status describe_model(const Handle* handle, const char* what, rag_string** text) noexcept {
    return guard([&] {
        require(text, "text") = nullptr;
        *text = new rag_string{require(handle, what).model->describe()};
    });
}

template <typename Handle>
rag_status load_adapter(Handle* handle, const char* what, rag_text path, rag_text name) noexcept {
    return guard([&] {
        auto& model = use_model(handle, what);
        model.load_adapter(path_of(path, "path"), std::string(text_of(name, "name")));
    });
}
template <typename Handle>
rag_status merge_adapter(Handle* handle, const char* what, rag_text name) noexcept {
    return guard([&] { use_model(handle, what).merge_adapter(text_of(name, "name")); });
}
template <typename Handle>
rag_status unmerge_adapter(Handle* handle, const char* what) noexcept {
    return guard([&] { use_model(handle, what).unmerge_adapter(); });
}

template <typename Handle>
rag_status set_adapter(Handle* handle, const char* what, const rag_adapter_share* shares, size_t count) noexcept {
    return guard([&] { use_model(handle, what).set_adapter(adapter_mix_of(shares, count)); });
}
template <typename Handle>
rag_status unload_adapter(Handle* handle, const char* what, rag_text name) noexcept {
    return guard([&] { use_model(handle, what).unload_adapter(text_of(name, "name")); });
}

/// The precision of a dtype; `own` for RAG_OWN_DTYPE.
inline core::Precision precision_of(std::uint32_t dtype, core::Precision own) {
    if (dtype == RAG_OWN_DTYPE) return own;
    if (dtype == RAG_AUTO) fail(Code::kInvalidArgument, "a model is saved in one dtype, not in 5 (auto)");
    rag_model_options options = RAG_MODEL_OPTIONS_INIT;
    options.dtype = dtype;
    return model_options_of(&options).precision;
}

template <typename Handle>
rag_status save_model(Handle* handle, const char* what, rag_text path, const rag_save_options* options) noexcept {
    return guard([&] {
        const auto& model = use_model(handle, what);
        const auto known = read_struct(options, rag_save_options RAG_SAVE_OPTIONS_INIT, "rag_save_options");
        core::SaveOptions save;
        save.precision = precision_of(known.dtype, model.precision());
        if (known.dtype == RAG_OWN_DTYPE) save.exceptions = model.exceptions();
        if (known.shard_bytes != 0) save.shard_bytes = known.shard_bytes;
        const auto folder = path_of(path, "path");
        core::run_polled(progress_of(known.progress, known.user_data), [&](const core::Progress& progress) {
            save.progress = progress;
            model.save(folder, save);
        });
    });
}

template <typename Handle>
rag_status calibrate_model(Handle* handle, const char* what, const rag_text* texts, size_t count, rag_progress_fn function,
                           void* user_data) noexcept {
    return guard([&] {
        auto& model = use_model(handle, what);
        const auto views = texts_of(texts, count, "texts");
        core::run_polled(progress_of(function, user_data),
                         [&](const core::Progress& progress) { model.calibrate(views, progress); });
    });
}

}  // namespace rag::capi
