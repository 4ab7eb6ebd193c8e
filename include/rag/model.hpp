// rag::Encoder: texts to vectors with a sentence-transformers model. Any thread; calls are served one after another.
#pragma once

#include <rag/error.hpp>
#include <rag/tokenizer.hpp>

#include <cstddef>
#include <vector>

namespace rag {

enum class Dtype : std::uint32_t {
    kFloat32 = RAG_FLOAT32,
    kBFloat16 = RAG_BFLOAT16,
    kFloat16 = RAG_FLOAT16,
    kInt8 = RAG_INT8,
    kInt4 = RAG_INT4
};

struct ModelOptions {
    Dtype dtype = Dtype::kFloat32;
    std::uint32_t threads = 0;  ///< 0: as many as the process may use
    std::string device = "cpu";
};

namespace detail {
inline rag_model_options to_c(const ModelOptions& options) {
    rag_model_options out = RAG_MODEL_OPTIONS_INIT;
    out.dtype = static_cast<std::uint32_t>(options.dtype);
    out.threads = options.threads;
    out.device = text(options.device);
    return out;
}
}  // namespace detail

class Encoder {
  public:
    /// Opens a sentence-transformers folder.
    explicit Encoder(std::string_view path, const ModelOptions& options = {}) {
        rag_encoder* handle = nullptr;
        const rag_model_options c_options = detail::to_c(options);
        detail::check(rag_encoder_open(detail::text(path), &c_options, &handle));
        handle_.reset(handle);
    }
    const rag_encoder* handle() const noexcept { return handle_.get(); }

    std::uint32_t dimension() const noexcept { return rag_encoder_dimension(handle_.get()); }
    std::uint32_t max_tokens() const noexcept { return rag_encoder_max_tokens(handle_.get()); }
    std::uint64_t weight_bytes() const noexcept { return rag_encoder_weight_bytes(handle_.get()); }
    Tokenizer tokenizer() const {
        rag_tokenizer* handle = nullptr;
        detail::check(rag_encoder_tokenizer(handle_.get(), &handle));
        return Tokenizer(handle);
    }

    /// Vectors of `texts`, [texts, dimension]. batch_tokens 0: librag chooses.
    std::vector<float> encode(const std::vector<std::string_view>& texts, bool normalize = true, std::uint32_t batch_tokens = 0,
                              const Progress& progress = nullptr) const {
        std::vector<float> out(texts.size() * dimension());
        encode_into(texts, out.data(), out.size(), normalize, batch_tokens, progress);
        return out;
    }
    /// As encode(), into memory of yours: `floats` must be texts times dimension.
    void encode_into(const std::vector<std::string_view>& texts, float* vectors, std::size_t floats, bool normalize = true,
                     std::uint32_t batch_tokens = 0, const Progress& progress = nullptr) const {
        std::vector<rag_text> views;
        views.reserve(texts.size());
        for (const auto text : texts) views.push_back(detail::text(text));
        detail::ProgressBridge bridge(progress);
        rag_encode_options options = RAG_ENCODE_OPTIONS_INIT;
        options.normalize = normalize ? 1 : 0;
        options.batch_tokens = batch_tokens;
        options.progress = bridge.function();
        options.user_data = bridge.data();
        const rag_status status = rag_encoder_encode(handle_.get(), views.data(), views.size(), &options, vectors, floats);
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

  private:
    detail::Handle<rag_encoder, rag_encoder_free> handle_;
};

}  // namespace rag
