// The interface between librag.so and librag_torch.so: what a model is to the rest. librag.so maps files, checks configurations
// and tokenizes; the backend computes. It passes spans, plain structs and host services; no third-party type, and no exception,
// crosses. librag_torch.so includes this header and no other of ours.
//
// Thread rule: a model may be called from any number of threads, calls are served one after another; a Session belongs to one
// thread at a time. After a call that failed or was stopped the model and the session are as before the call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// Both libraries compare it on loading; raised with every change of this header.
inline constexpr std::uint32_t kBackendVersion = 2;

/// Element types as they lie in model files. Those with Q are GGUF's blocks along the innermost dimension (ggml-common.h): of 32
/// values Q8_0 to Q5_1 (34, 18, 20, 22 and 24 bytes a block), of 256 values Q2_K to Q6_K (84, 110, 144, 176 and 210 bytes).
enum class ElementType : std::uint32_t { kF32, kF16, kBF16, kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ2K, kQ3K, kQ4K, kQ5K, kQ6K };

/// What the weights are kept in and computed with. int8: weights per output channel, activations quantised by row at run time.
/// int4: weights in groups of 32 with a scale and a minimum each.
enum class Precision : std::uint32_t { kFloat32, kBFloat16, kFloat16, kInt8, kInt4 };

/// One tensor in a mapped file: row-major, shape outermost first, `bytes` exactly as long as type and shape say (checked by
/// formats/ before it gets here). Alignment is not promised.
struct TensorView {
    std::string name;
    ElementType type = ElementType::kF32;
    std::vector<std::int64_t> shape;
    std::span<const std::byte> bytes;
};

/// All tensors of a model under their Hugging Face names ("encoder.layer.0.attention.self.query.weight",
/// "model.layers.0.self_attn.q_proj.weight"), and what keeps their bytes mapped.
struct Weights {
    std::vector<TensorView> tensors;
    std::shared_ptr<const void> owner;
    std::string source;  // the file or folder, for messages
};

/// 0 and no text, or a rag_status code with one line of text. kStopped (1) when the host cancelled.
struct BackendStatus {
    std::int32_t code = 0;
    std::string text;
    bool ok() const noexcept { return code == 0; }
};

/// What the host lends to a call. `stop` is polled once a layer; true ends the call with code 1.
struct HostCall {
    bool (*stop)(void* context) = nullptr;
    void* context = nullptr;
};

struct BackendOptions {
    Precision precision = Precision::kFloat32;
    std::string device = "cpu";
    std::uint32_t threads = 0;  // 0: as many as the process may use (the host fills it in)
};

enum class Activation : std::uint32_t { kGelu, kGeluTanh, kRelu, kSilu };
enum class Pooling : std::uint32_t { kMean, kCls, kMax };

/// BERT family (arch "bert").
struct EncoderConfig {
    std::string architecture;
    std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads = 0, intermediate_size = 0;
    std::int64_t max_positions = 0, type_vocab_size = 0;
    float layer_norm_eps = 1e-12F;
    Activation activation = Activation::kGelu;
    Pooling pooling = Pooling::kMean;
};

/// Llama family (arch "llama").
struct DecoderConfig {
    std::string architecture;
    std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, intermediate_size = 0;
    std::int64_t context_length = 0;
    float rms_norm_eps = 1e-5F;
    double rope_theta = 10000.0;
    bool tied_embeddings = false;
    /// GGUF's llama files store the rows of q and k so that rotation acts on neighbouring pairs; the backend puts them back into
    /// Hugging Face order on loading (as transformers does), so that adapters fit.
    bool interleaved_qk = false;
};

/// Token ids of several texts laid end to end: text i is ids[offsets[i] .. offsets[i+1]). No padding.
struct TokenBatch {
    std::span<const std::int32_t> ids;
    std::span<const std::int32_t> type_ids;  // empty: all 0
    std::span<const std::int64_t> offsets;   // texts + 1 entries
};

/// One LoRA pair of a PEFT folder: delta = scale * B * A on the linear layer `module` (a Hugging Face name without ".weight").
struct AdapterPair {
    std::string module;
    TensorView a;  // [rank, in]
    TensorView b;  // [out, rank]
    float scale = 1.0F;
};
struct AdapterWeights {
    std::vector<AdapterPair> pairs;
    std::shared_ptr<const void> owner;
    std::string source;
};

/// What every model can do.
class BackendModel {
  public:
    virtual ~BackendModel() = default;
    /// Adds the adapter to the weights. A module that does not exist, a wrong shape or an adapter already merged is an error
    /// that names it, and nothing is changed.
    virtual BackendStatus merge_adapter(const AdapterWeights& adapter) noexcept = 0;
    /// Puts back the base weights, bit for bit. An error if nothing is merged.
    virtual BackendStatus unmerge_adapter() noexcept = 0;
    /// Bytes of weights that this model holds or maps at its precision.
    virtual std::uint64_t weight_bytes() const noexcept = 0;
};

class BackendEncoder : public BackendModel {
  public:
    /// `out`: [texts, hidden_size] float32, pooled, not normalised.
    virtual BackendStatus encode(const TokenBatch& batch, std::span<float> out, const HostCall& call) noexcept = 0;
};

/// The keys and values of one sequence.
class BackendSession {
  public:
    virtual ~BackendSession() = default;
    virtual std::int64_t length() const noexcept = 0;
    /// Appends `ids` and computes them in one pass. `logits`: empty (not wanted), [vocab] (of the last id) or
    /// [ids, vocab] (of every id), float32. Exceeding context_length is an error.
    virtual BackendStatus forward(std::span<const std::int32_t> ids, std::span<float> logits, const HostCall& call) noexcept = 0;
    /// Forgets all positions from `length` on.
    virtual BackendStatus truncate(std::int64_t length) noexcept = 0;
};

class BackendDecoder : public BackendModel {
  public:
    virtual BackendStatus new_session(std::unique_ptr<BackendSession>& out) noexcept = 0;
};

class Backend {
  public:
    virtual ~Backend() = default;
    /// One line for stats: LibTorch's version, instruction set, threads.
    virtual std::string describe() const = 0;
    virtual BackendStatus load_encoder(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                                       std::unique_ptr<BackendEncoder>& out) noexcept = 0;
    virtual BackendStatus load_decoder(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                                       std::unique_ptr<BackendDecoder>& out) noexcept = 0;
};

/// The one function that librag_torch.so exports, as "rag_torch_backend". `host_version` is the caller's kBackendVersion; the
/// backend lives for ever (LibTorch cannot be unloaded). On failure `out` is null.
using BackendEntry = void (*)(std::uint32_t host_version, Backend** out, BackendStatus* status);

}  // namespace rag::core
