// rag::Encoder: texts to vectors with a sentence-transformers model. rag::Classifier and rag::CrossEncoder: texts and pairs to
// scores. Any thread; texts of concurrent calls are computed together.
#pragma once

#include <rag/error.hpp>
#include <rag/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace rag {

/// Ends all computing of models for good, before a program ends while its threads compute; see rag_models_shutdown.
inline void shutdown_models() noexcept {
    rag_models_shutdown();
}

enum class Dtype : std::uint32_t {
    kFloat32 = RAG_FLOAT32,
    kBFloat16 = RAG_BFLOAT16,
    kFloat16 = RAG_FLOAT16,
    kInt8 = RAG_INT8,
    kInt4 = RAG_INT4,
    kAuto = RAG_AUTO  ///< for opening a model: measured, see rag_dtype
};

struct ModelOptions {
    Dtype dtype = Dtype::kFloat32;
    std::uint32_t threads = 0;         ///< 0: as many as the process may use
    std::string device = "cpu";        ///< another device of LibTorch's ("cuda:0") is experimental; see rag_model_options
    std::uint32_t truncate_dim = 0;    ///< encoders: vectors are cut to so many first dimensions; 0: not
    std::string exceptions;            ///< "lm_head=bfloat16,model.layers.0.*=float32"; see rag_model_options
    bool int8_cache = false;           ///< generators: keys and values in bytes
    std::uint32_t batch_requests = 0;  ///< calls of concurrent threads that are computed together, at most; 0: 32
    std::uint32_t batch_tokens = 0;    ///< and their tokens; 0: 2048
    std::uint32_t batch_wait_microseconds = 3000;  ///< how long for those that are under way
    bool verify = false;                           ///< every file is compared with the folder's SHA256SUMS first
    Progress progress = nullptr;                   ///< asked while the model is opened whether to go on; its numbers mean nothing
};

/// What stands in front of every text; see rag_prompt.
struct Prompt {
    enum class Kind : std::uint32_t {
        kDefault = RAG_PROMPT_DEFAULT,
        kNamed = RAG_PROMPT_NAMED,
        kText = RAG_PROMPT_TEXT,
        kQuery = RAG_PROMPT_QUERY,
        kDocument = RAG_PROMPT_DOCUMENT
    };
    Kind kind = Kind::kDefault;
    std::string text;  ///< the name or the text
};

struct SaveOptions {
    bool own_dtype = true;  ///< the model's own; else `dtype`
    Dtype dtype = Dtype::kFloat32;
    std::uint64_t shard_bytes = 0;  ///< at most so many bytes of weights a file; 0: 5 GB
    Progress progress = nullptr;    ///< in tensors
};

struct InspectOptions {
    bool sums = false;            ///< SHA-256 of every file
    bool verify = false;          ///< compared with SHA256SUMS
    Progress progress = nullptr;  ///< in bytes of a file
};

/// What a model file or folder holds, as JSON; see rag_model_inspect.
inline std::string inspect_model(std::string_view path, const InspectOptions& options = {}) {
    detail::ProgressBridge bridge(options.progress);
    rag_inspect_options c_options = RAG_INSPECT_OPTIONS_INIT;
    c_options.sums = options.sums ? 1 : 0;
    c_options.verify = options.verify ? 1 : 0;
    c_options.progress = bridge.function();
    c_options.user_data = bridge.data();
    rag_string* raw = nullptr;
    const rag_status status = rag_model_inspect(detail::text(path), &c_options, &raw);
    const detail::Handle<rag_string, rag_string_free> owner(raw);
    bridge.rethrow();
    detail::check(status);
    return detail::copy(rag_string_text(raw));
}

/// `weight` times what a loaded adapter adds to the weights.
struct AdapterShare {
    std::string name;
    float weight = 1.0F;
};

namespace detail {
/// Never empty, so that there is an address to pass.
inline std::vector<rag_adapter_share> to_c(const std::vector<AdapterShare>& shares) {
    std::vector<rag_adapter_share> out;
    for (const auto& share : shares) out.push_back({text(share.name), share.weight});
    if (out.empty()) out.push_back({{nullptr, 0}, 0.0F});
    return out;
}

inline rag_save_options to_c(const SaveOptions& options, ProgressBridge& bridge) {
    rag_save_options out = RAG_SAVE_OPTIONS_INIT;
    out.dtype = options.own_dtype ? RAG_OWN_DTYPE : static_cast<std::uint32_t>(options.dtype);
    out.shard_bytes = options.shard_bytes;
    out.progress = bridge.function();
    out.user_data = bridge.data();
    return out;
}
inline rag_model_options to_c(const ModelOptions& options, ProgressBridge& bridge) {
    rag_model_options out = RAG_MODEL_OPTIONS_INIT;
    out.dtype = static_cast<std::uint32_t>(options.dtype);
    out.threads = options.threads;
    out.device = text(options.device);
    out.truncate_dim = options.truncate_dim;
    out.exceptions = text(options.exceptions);
    out.int8_cache = options.int8_cache ? 1 : 0;
    out.batch_requests = options.batch_requests;
    out.batch_tokens = options.batch_tokens;
    out.batch_wait_microseconds = options.batch_wait_microseconds;
    out.verify = options.verify ? 1 : 0;
    out.progress = bridge.function();
    out.user_data = bridge.data();
    return out;
}
/// Opens a model by its C function.
template <typename Handle>
Handle* open_model(rag_status (*open)(rag_text, const rag_model_options*, Handle**), std::string_view path,
                   const ModelOptions& options) {
    ProgressBridge bridge(options.progress);
    const rag_model_options c_options = to_c(options, bridge);
    Handle* handle = nullptr;
    const rag_status status = open(text(path), &c_options, &handle);
    bridge.rethrow();
    check(status);
    return handle;
}
/// Writes a model by its C function.
template <typename Handle>
void save_model(rag_status (*save)(const Handle*, rag_text, const rag_save_options*), const Handle* handle, std::string_view path,
                const SaveOptions& options) {
    ProgressBridge bridge(options.progress);
    const rag_save_options c_options = to_c(options, bridge);
    const rag_status status = save(handle, text(path), &c_options);
    bridge.rethrow();
    check(status);
}
/// A line of text that a C function makes.
template <typename Handle>
std::string text_by(rag_status (*make)(const Handle*, rag_string**), const Handle* handle) {
    rag_string* made = nullptr;
    check(make(handle, &made));
    return take(made);
}
}  // namespace detail

class Encoder {
  public:
    /// Opens a sentence-transformers folder.
    explicit Encoder(std::string_view path, const ModelOptions& options = {})
        : handle_(detail::open_model(&rag_encoder_open, path, options)) {}
    const rag_encoder* handle() const noexcept { return handle_.get(); }

    std::uint32_t dimension() const noexcept { return rag_encoder_dimension(handle_.get()); }
    std::uint32_t max_tokens() const noexcept { return rag_encoder_max_tokens(handle_.get()); }
    std::uint64_t weight_bytes() const noexcept { return rag_encoder_weight_bytes(handle_.get()); }
    Tokenizer tokenizer() const {
        rag_tokenizer* handle = nullptr;
        detail::check(rag_encoder_tokenizer(handle_.get(), &handle));
        return Tokenizer(handle);
    }

    /// The folder's prompts by name, a JSON object.
    std::string prompts() const { return detail::text_by(&rag_encoder_prompts, handle_.get()); }
    /// The dtype in use.
    Dtype dtype() const noexcept { return static_cast<Dtype>(rag_encoder_dtype(handle_.get())); }
    /// One line for people.
    std::string describe() const { return detail::text_by(&rag_encoder_describe, handle_.get()); }

    /// Vectors of `texts`, [texts, dimension]. batch_tokens 0: librag chooses. `adapters`: for this call, instead of those that
    /// are set; an empty list is the base.
    std::vector<float> encode(const std::vector<std::string_view>& texts, bool normalize = true, std::uint32_t batch_tokens = 0,
                              const Progress& progress = nullptr, const Prompt& prompt = {},
                              const std::optional<std::vector<AdapterShare>>& adapters = {}) const {
        std::vector<float> out(texts.size() * dimension());
        encode_into(texts, out.data(), out.size(), normalize, batch_tokens, progress, prompt, adapters);
        return out;
    }
    /// As encode(), into memory of yours: `floats` must be texts times dimension.
    void encode_into(const std::vector<std::string_view>& texts, float* vectors, std::size_t floats, bool normalize = true,
                     std::uint32_t batch_tokens = 0, const Progress& progress = nullptr, const Prompt& prompt = {},
                     const std::optional<std::vector<AdapterShare>>& adapters = {}) const {
        std::vector<rag_text> views;
        views.reserve(texts.size());
        for (const auto text : texts) views.push_back(detail::text(text));
        detail::ProgressBridge bridge(progress);
        rag_encode_options options = RAG_ENCODE_OPTIONS_INIT;
        options.normalize = normalize ? 1 : 0;
        options.batch_tokens = batch_tokens;
        options.progress = bridge.function();
        options.user_data = bridge.data();
        options.prompt_kind = static_cast<std::uint32_t>(prompt.kind);
        options.prompt = detail::text(prompt.text);
        std::vector<rag_adapter_share> shares;
        if (adapters) {
            shares = detail::to_c(*adapters);
            options.adapters = shares.data();
            options.adapter_count = adapters->size();
        }
        const rag_status status = rag_encoder_encode(handle_.get(), views.data(), views.size(), &options, vectors, floats);
        bridge.rethrow();
        detail::check(status);
    }

    /// Writes the model into a new folder that loads again; see rag_encoder_save.
    void save(std::string_view path, const SaveOptions& options = {}) const {
        detail::save_model(&rag_encoder_save, handle_.get(), path, options);
    }
    /// Linear layers see a text sample, so that saving in int4 compensates rounding errors.
    void calibrate(const std::vector<std::string_view>& texts, const Progress& progress = nullptr) {
        std::vector<rag_text> views;
        for (const auto one : texts) views.push_back(detail::text(one));
        detail::ProgressBridge bridge(progress);
        const rag_status status =
            rag_encoder_calibrate(handle_.get(), views.data(), views.size(), bridge.function(), bridge.data());
        bridge.rethrow();
        detail::check(status);
    }

    /// Reads a PEFT LoRA folder and keeps it under `name`.
    void load_adapter(std::string_view path, std::string_view name) {
        detail::check(rag_encoder_load_adapter(handle_.get(), detail::text(path), detail::text(name)));
    }
    void merge_adapter(std::string_view name) { detail::check(rag_encoder_merge_adapter(handle_.get(), detail::text(name))); }
    /// The base weights come back bit for bit.
    void unmerge_adapter() { detail::check(rag_encoder_unmerge_adapter(handle_.get())); }
    /// What calls that name no adapters add to the base, without touching the weights: nothing, one or several with weights.
    void set_adapter(const std::vector<AdapterShare>& shares) {
        detail::check(rag_encoder_set_adapter(handle_.get(), detail::to_c(shares).data(), shares.size()));
    }
    /// Forgets a loaded adapter.
    void unload_adapter(std::string_view name) { detail::check(rag_encoder_unload_adapter(handle_.get(), detail::text(name))); }

  private:
    detail::Handle<rag_encoder, rag_encoder_free> handle_;
};

enum class Scores : std::uint32_t {
    kCrossEncoder = RAG_SCORES_CROSS_ENCODER,  ///< as sentence-transformers' CrossEncoder gives them
    kRaw = RAG_SCORES_RAW,                     ///< logits
    kProbabilities = RAG_SCORES_PROBABILITIES  ///< as transformers' text-classification gives them
};

class Classifier {
  public:
    /// Opens a folder of transformers' NAMEForSequenceClassification.
    explicit Classifier(std::string_view path, const ModelOptions& options = {})
        : handle_(detail::open_model(&rag_classifier_open, path, options)) {}
    const rag_classifier* handle() const noexcept { return handle_.get(); }

    std::vector<std::string> labels() const {
        std::vector<std::string> out;
        for (std::size_t i = 0; i < label_count(); ++i) out.push_back(detail::copy(rag_classifier_label(handle_.get(), i)));
        return out;
    }
    /// The folder's prompts by name, a JSON object.
    std::string prompts() const { return detail::text_by(&rag_classifier_prompts, handle_.get()); }
    /// The dtype in use.
    Dtype dtype() const noexcept { return static_cast<Dtype>(rag_classifier_dtype(handle_.get())); }
    /// One line for people.
    std::string describe() const { return detail::text_by(&rag_classifier_describe, handle_.get()); }
    /// Writes the model into a new folder that loads again; see rag_classifier_save.
    void save(std::string_view path, const SaveOptions& options = {}) const {
        detail::save_model(&rag_classifier_save, handle_.get(), path, options);
    }
    std::size_t label_count() const noexcept { return rag_classifier_label_count(handle_.get()); }
    std::uint32_t max_tokens() const noexcept { return rag_classifier_max_tokens(handle_.get()); }
    std::uint64_t weight_bytes() const noexcept { return rag_classifier_weight_bytes(handle_.get()); }
    Tokenizer tokenizer() const {
        rag_tokenizer* handle = nullptr;
        detail::check(rag_classifier_tokenizer(handle_.get(), &handle));
        return Tokenizer(handle);
    }

    /// [texts, labels]. `pairs`: empty, or the second text of each. batch_tokens 0: librag chooses.
    std::vector<float> predict(const std::vector<std::string_view>& texts, const std::vector<std::string_view>& pairs = {},
                               Scores scores = Scores::kProbabilities, std::uint32_t batch_tokens = 0,
                               const Progress& progress = nullptr, const Prompt& prompt = {},
                               const std::optional<std::vector<AdapterShare>>& adapters = {}) const {
        std::vector<float> out(texts.size() * label_count());
        predict_into(texts, pairs, out.data(), out.size(), scores, batch_tokens, progress, prompt, adapters);
        return out;
    }
    /// As predict(), into memory of yours: `floats` must be texts times labels.
    void predict_into(const std::vector<std::string_view>& texts, const std::vector<std::string_view>& pairs, float* out,
                      std::size_t floats, Scores scores = Scores::kProbabilities, std::uint32_t batch_tokens = 0,
                      const Progress& progress = nullptr, const Prompt& prompt = {},
                      const std::optional<std::vector<AdapterShare>>& adapters = {}) const {
        if (!pairs.empty() && pairs.size() != texts.size()) {
            throw Error(RAG_INVALID_ARGUMENT,
                        std::to_string(pairs.size()) + " second texts for " + std::to_string(texts.size()) + " texts");
        }
        std::vector<rag_text> first;
        std::vector<rag_text> second;
        for (const auto text : texts) first.push_back(detail::text(text));
        for (const auto text : pairs) second.push_back(detail::text(text));
        detail::ProgressBridge bridge(progress);
        rag_predict_options options = RAG_PREDICT_OPTIONS_INIT;
        options.scores = static_cast<std::uint32_t>(scores);
        options.batch_tokens = batch_tokens;
        options.progress = bridge.function();
        options.user_data = bridge.data();
        options.prompt_kind = static_cast<std::uint32_t>(prompt.kind);
        options.prompt = detail::text(prompt.text);
        std::vector<rag_adapter_share> shares;
        if (adapters) {
            shares = detail::to_c(*adapters);
            options.adapters = shares.data();
            options.adapter_count = adapters->size();
        }
        const rag_status status = rag_classifier_predict(handle_.get(), first.data(), pairs.empty() ? nullptr : second.data(),
                                                         first.size(), &options, out, floats);
        bridge.rethrow();
        detail::check(status);
    }

    /// Reads a PEFT LoRA folder and keeps it under `name`.
    void load_adapter(std::string_view path, std::string_view name) {
        detail::check(rag_classifier_load_adapter(handle_.get(), detail::text(path), detail::text(name)));
    }
    void merge_adapter(std::string_view name) { detail::check(rag_classifier_merge_adapter(handle_.get(), detail::text(name))); }
    /// The base weights come back bit for bit.
    void unmerge_adapter() { detail::check(rag_classifier_unmerge_adapter(handle_.get())); }
    /// What calls that name no adapters add to the base, without touching the weights: nothing, one or several with weights.
    void set_adapter(const std::vector<AdapterShare>& shares) {
        detail::check(rag_classifier_set_adapter(handle_.get(), detail::to_c(shares).data(), shares.size()));
    }
    /// Forgets a loaded adapter.
    void unload_adapter(std::string_view name) {
        detail::check(rag_classifier_unload_adapter(handle_.get(), detail::text(name)));
    }

  private:
    detail::Handle<rag_classifier, rag_classifier_free> handle_;
};

/// A classifier of one label, or a language model that is a reranker, that reads pairs: how well a document fits a query.
class CrossEncoder : public Classifier {
  public:
    explicit CrossEncoder(std::string_view path, const ModelOptions& options = {}) : Classifier(path, options) {}

    struct Ranked {
        std::size_t index;  ///< into the documents
        float score;
    };
    /// The k best documents for the query, best first; k 0: all.
    std::vector<Ranked> rank(std::string_view query, const std::vector<std::string_view>& documents, std::size_t k = 0,
                             const Prompt& prompt = {}, const std::optional<std::vector<AdapterShare>>& adapters = {}) const {
        if (label_count() != 1) {
            throw Error(RAG_INVALID_ARGUMENT,
                        "ranking needs one score a pair, the model has " + std::to_string(label_count()) + " labels");
        }
        const std::vector<std::string_view> queries(documents.size(), query);
        const std::vector<float> scores = predict(queries, documents, Scores::kCrossEncoder, 0, nullptr, prompt, adapters);
        std::vector<Ranked> out;
        for (std::size_t i = 0; i < scores.size(); ++i) out.push_back({i, scores[i]});
        std::stable_sort(out.begin(), out.end(), [](const Ranked& a, const Ranked& b) { return a.score > b.score; });
        if (k != 0 && out.size() > k) out.resize(k);
        return out;
    }
};

}  // namespace rag
