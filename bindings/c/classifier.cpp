// rag_classifier_*: sequence classifiers and CrossEncoders over C.
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "core/polled.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "models.hpp"

namespace core = rag::core;
using rag::capi::Code;
using rag::capi::fail;
using rag::capi::guard;
using rag::capi::require;

namespace {

constexpr const char* kWhat = "classifier";
static_assert(static_cast<int>(core::ClassifierScores::kCrossEncoder) == RAG_SCORES_CROSS_ENCODER);
static_assert(static_cast<int>(core::ClassifierScores::kRaw) == RAG_SCORES_RAW);
static_assert(static_cast<int>(core::ClassifierScores::kProbabilities) == RAG_SCORES_PROBABILITIES);

}  // namespace

extern "C" {

rag_status rag_classifier_open(rag_text path, const rag_model_options* options, rag_classifier** classifier) noexcept {
    return guard([&] {
        require(classifier, kWhat) = nullptr;
        const auto folder = rag::capi::path_of(path, "path");
        const auto open = [&](const core::ModelOptions& known) { return core::Classifier::open(folder, known); };
        *classifier = new rag_classifier{rag::capi::open_polled(options, open), {}};
    });
}

void rag_classifier_free(rag_classifier* classifier) noexcept {
    delete classifier;
}

size_t rag_classifier_label_count(const rag_classifier* classifier) noexcept {
    return classifier == nullptr ? 0 : classifier->model->labels().size();
}

rag_text rag_classifier_label(const rag_classifier* classifier, size_t index) noexcept {
    if (index >= rag_classifier_label_count(classifier)) return {nullptr, 0};
    return rag::capi::view(classifier->model->labels()[index]);
}

uint32_t rag_classifier_max_tokens(const rag_classifier* classifier) noexcept {
    return classifier == nullptr ? 0 : static_cast<uint32_t>(classifier->model->max_tokens());
}

uint64_t rag_classifier_weight_bytes(const rag_classifier* classifier) noexcept {
    uint64_t bytes = 0;
    static_cast<void>(guard([&] { bytes = rag::capi::use_model(classifier, kWhat).weight_bytes(); }));
    return bytes;
}

rag_status rag_classifier_tokenizer(const rag_classifier* classifier, rag_tokenizer** tokenizer) noexcept {
    return guard([&] {
        require(tokenizer, "tokenizer") = nullptr;
        *tokenizer = new rag_tokenizer{require(classifier, kWhat).model->shared_tokenizer()};
    });
}

rag_status rag_classifier_predict(const rag_classifier* classifier, const rag_text* texts, const rag_text* pairs, size_t count,
                                  const rag_predict_options* options, float* scores, size_t score_floats) noexcept {
    return guard([&] {
        const core::Classifier& model = rag::capi::use_model(classifier, kWhat);
        const auto known = rag::capi::read_struct(options, rag_predict_options RAG_PREDICT_OPTIONS_INIT, "rag_predict_options",
                                                  offsetof(rag_predict_options, prompt_kind));
        const core::EncoderPrompt prompt = rag::capi::prompt_of(known);
        const auto adapters = rag::capi::chosen_adapters(known.adapters, known.adapter_count);
        if (known.scores > RAG_SCORES_PROBABILITIES)
            fail(Code::kInvalidArgument, "scores is {}, it must be a rag_scores (0 to 2)", known.scores);
        const auto first = rag::capi::texts_of(texts, count, "texts");
        std::vector<core::TextPair> asked(count);
        for (size_t i = 0; i < count; ++i) asked[i].text = first[i];
        if (pairs != nullptr) {
            const auto second = rag::capi::texts_of(pairs, count, "pairs");
            for (size_t i = 0; i < count; ++i) asked[i].pair = second[i];
        }
        rag::capi::require_array(scores, score_floats, "scores");
        core::run_polled(rag::capi::progress_of(known.progress, known.user_data), [&](const core::Progress& progress) {
            model.predict(asked, {scores, score_floats}, static_cast<core::ClassifierScores>(known.scores), known.batch_tokens,
                          progress, prompt, adapters);
        });
    });
}

uint32_t rag_classifier_dtype(const rag_classifier* classifier) noexcept {
    return rag::capi::dtype_of(classifier);
}
rag_status rag_classifier_describe(const rag_classifier* classifier, rag_string** text) noexcept {
    return rag::capi::describe_model(classifier, kWhat, text);
}

rag_status rag_classifier_prompts(const rag_classifier* classifier, rag_string** json) noexcept {
    return guard([&] {
        require(json, "json") = nullptr;
        *json = new rag_string{nlohmann::json(require(classifier, kWhat).model->prompts()).dump()};
    });
}

rag_status rag_classifier_save(const rag_classifier* classifier, rag_text path, const rag_save_options* options) noexcept {
    return rag::capi::save_model(classifier, kWhat, path, options);
}

rag_status rag_classifier_load_adapter(rag_classifier* classifier, rag_text path, rag_text name) noexcept {
    return rag::capi::load_adapter(classifier, kWhat, path, name);
}
rag_status rag_classifier_merge_adapter(rag_classifier* classifier, rag_text name) noexcept {
    return rag::capi::merge_adapter(classifier, kWhat, name);
}
rag_status rag_classifier_unmerge_adapter(rag_classifier* classifier) noexcept {
    return rag::capi::unmerge_adapter(classifier, kWhat);
}
rag_status rag_classifier_set_adapter(rag_classifier* classifier, const rag_adapter_share* shares, size_t count) noexcept {
    return rag::capi::set_adapter(classifier, kWhat, shares, count);
}
rag_status rag_classifier_unload_adapter(rag_classifier* classifier, rag_text name) noexcept {
    return rag::capi::unload_adapter(classifier, kWhat, name);
}

}  // extern "C"
