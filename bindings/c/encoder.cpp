// rag_encoder_*: sentence-transformers models over C.
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "core/polled.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "models.hpp"

namespace core = rag::core;
using rag::capi::guard;
using rag::capi::require;

namespace {

constexpr const char* kWhat = "encoder";

}  // namespace

extern "C" {

rag_status rag_encoder_open(rag_text path, const rag_model_options* options, rag_encoder** encoder) noexcept {
    return guard([&] {
        require(encoder, kWhat) = nullptr;
        const auto folder = rag::capi::path_of(path, "path");
        const auto open = [&](const core::ModelOptions& known) {
            return core::Encoder::open(folder, known, rag::capi::truncate_dim_of(options));
        };
        *encoder = new rag_encoder{rag::capi::open_polled(options, open), {}};
    });
}

void rag_encoder_free(rag_encoder* encoder) noexcept {
    delete encoder;
}

uint32_t rag_encoder_dimension(const rag_encoder* encoder) noexcept {
    return encoder == nullptr ? 0 : static_cast<uint32_t>(encoder->model->dimension());
}

uint32_t rag_encoder_max_tokens(const rag_encoder* encoder) noexcept {
    return encoder == nullptr ? 0 : static_cast<uint32_t>(encoder->model->max_tokens());
}

uint64_t rag_encoder_weight_bytes(const rag_encoder* encoder) noexcept {
    uint64_t bytes = 0;
    static_cast<void>(guard([&] { bytes = rag::capi::use_model(encoder, kWhat).weight_bytes(); }));
    return bytes;
}

rag_status rag_encoder_tokenizer(const rag_encoder* encoder, rag_tokenizer** tokenizer) noexcept {
    return guard([&] {
        require(tokenizer, "tokenizer") = nullptr;
        *tokenizer = new rag_tokenizer{require(encoder, kWhat).model->shared_tokenizer()};
    });
}

uint32_t rag_encoder_dtype(const rag_encoder* encoder) noexcept {
    return rag::capi::dtype_of(encoder);
}
rag_status rag_encoder_describe(const rag_encoder* encoder, rag_string** text) noexcept {
    return rag::capi::describe_model(encoder, kWhat, text);
}

rag_status rag_encoder_prompts(const rag_encoder* encoder, rag_string** json) noexcept {
    return guard([&] {
        require(json, "json") = nullptr;
        *json = new rag_string{nlohmann::json(require(encoder, kWhat).model->prompts()).dump()};
    });
}

rag_status rag_encoder_encode(const rag_encoder* encoder, const rag_text* texts, size_t count, const rag_encode_options* options,
                              float* vectors, size_t vector_floats) noexcept {
    return guard([&] {
        const core::Encoder& model = rag::capi::use_model(encoder, kWhat);
        const auto known = rag::capi::read_struct(options, rag_encode_options RAG_ENCODE_OPTIONS_INIT, "rag_encode_options",
                                                  offsetof(rag_encode_options, prompt_kind));
        const auto views = rag::capi::texts_of(texts, count, "texts");
        const core::EncoderPrompt prompt = rag::capi::prompt_of(known);
        const auto adapters = rag::capi::chosen_adapters(known.adapters, known.adapter_count);
        rag::capi::require_array(vectors, vector_floats, "vectors");
        core::run_polled(rag::capi::progress_of(known.progress, known.user_data), [&](const core::Progress& progress) {
            model.encode(views, {vectors, vector_floats}, known.normalize != 0, known.batch_tokens, progress, prompt, adapters);
        });
    });
}

rag_status rag_encoder_load_adapter(rag_encoder* encoder, rag_text path, rag_text name) noexcept {
    return rag::capi::load_adapter(encoder, kWhat, path, name);
}
rag_status rag_encoder_merge_adapter(rag_encoder* encoder, rag_text name) noexcept {
    return rag::capi::merge_adapter(encoder, kWhat, name);
}
rag_status rag_encoder_unmerge_adapter(rag_encoder* encoder) noexcept {
    return rag::capi::unmerge_adapter(encoder, kWhat);
}
rag_status rag_encoder_set_adapter(rag_encoder* encoder, const rag_adapter_share* shares, size_t count) noexcept {
    return rag::capi::set_adapter(encoder, kWhat, shares, count);
}
rag_status rag_encoder_unload_adapter(rag_encoder* encoder, rag_text name) noexcept {
    return rag::capi::unload_adapter(encoder, kWhat, name);
}

rag_status rag_encoder_save(const rag_encoder* encoder, rag_text path, const rag_save_options* options) noexcept {
    return rag::capi::save_model(encoder, kWhat, path, options);
}
rag_status rag_encoder_calibrate(rag_encoder* encoder, const rag_text* texts, size_t count, rag_progress_fn progress,
                                 void* user_data) noexcept {
    return rag::capi::calibrate_model(encoder, kWhat, texts, count, progress, user_data);
}

}  // extern "C"
