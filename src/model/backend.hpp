// The interface between librag.so and librag_torch.so: what a model is to the rest. librag.so maps files, checks configurations
// and tokenizes; the backend computes. It passes spans, plain structs and host services; no third-party type, and no exception,
// crosses. librag_torch.so includes this header, backend_training.hpp and layer_name.hpp, and no other of ours.
//
// Thread rule: a model may be called from any number of threads, calls are served one after another; a Session belongs to one
// thread at a time. After a call that failed or was stopped the model and the session are as before the call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// Both libraries compare it on loading; raised with every change of this header.
inline constexpr std::uint32_t kBackendVersion = 11;

/// Element types as they lie in model files. Those with Q are GGUF's blocks along the innermost dimension (ggml-common.h): of 32
/// values Q8_0 to Q5_1 (34, 18, 20, 22 and 24 bytes a block), of 256 values Q2_K to Q6_K (84, 110, 144, 176 and 210 bytes).
/// The last two are whole matrices [outputs, inputs] as librag writes them (docs/quantised-folders.md): kInt8 is `outputs` scales
/// in float32, then the rows in signed bytes; kInt4 is panels of 16 outputs of tiles of 32 inputs, 320 bytes each.
enum class ElementType : std::uint32_t {
    kF32,
    kF16,
    kBF16,
    kQ8_0,
    kQ4_0,
    kQ4_1,
    kQ5_0,
    kQ5_1,
    kQ2K,
    kQ3K,
    kQ4K,
    kQ5K,
    kQ6K,
    kInt8,
    kInt4
};

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
    /// Names files and their state: models whose weights have one identity, not empty, share what they keep of them.
    std::string identity;
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

/// Linear layers whose module name ("model.layers.0.mlp.down_proj", "lm_head") fits the pattern; `*` stands for anything.
struct PrecisionException {
    std::string pattern;
    Precision precision = Precision::kFloat32;
};

struct BackendOptions {
    Precision precision = Precision::kFloat32;
    /// A later one goes before an earlier one. One that fits nothing is an error.
    std::vector<PrecisionException> exceptions;
    bool int8_cache = false;  // decoders: keys and values as bytes with a scale for every head and position
    /// Of LibTorch's. Others than the processor compute float32, bfloat16 and float16, and no int8_cache. kInvalidArgument for a
    /// name that LibTorch does not know, kUnsupported for a device that is not there.
    std::string device = "cpu";
    std::uint32_t threads = 0;  // 0: as many as the process may use (the host fills it in)
    HostCall loading;           // asked before each tensor while the model is loaded; true ends that with code 1
};

enum class Activation : std::uint32_t { kGelu, kGeluTanh, kRelu, kSilu, kTanh, kSigmoid, kIdentity };

/// What becomes of the vectors of a text's tokens (sentence-transformers' pooling modes).
enum class Pooling : std::uint32_t { kMean, kCls, kMax, kMeanSqrtLength, kWeightedMean, kLastToken };

/// A layer behind the pooling: norm(activation(W x + b)). Heads of classifiers and sentence-transformers' Dense modules.
struct EncoderStage {
    std::string module;  // "pooler.dense"; ".weight" and ".bias" are its tensors
    std::int64_t outputs = 0;
    bool bias = true;
    Activation activation = Activation::kIdentity;
    std::string norm;  // module of a LayerNorm over the outputs; empty: none
};

/// Rotary positions (Su et al. 2021, https://arxiv.org/abs/2104.09864) after whatever scaling the files ask for: pair i of a head
/// turns by frequencies[i] a position, and cosines and sines are multiplied by attention_factor (YaRN).
struct RotaryConfig {
    std::vector<float> frequencies;  // head_dim / 2, radians a position
    float attention_factor = 1.0F;
    /// Above 0: in a sequence of n > original_context tokens the base is dynamic_theta * (factor * n / original_context -
    /// (factor - 1)) ^ (head_dim / (head_dim - 2)) instead ("dynamic NTK"); n is the length with the tokens of the present call.
    double dynamic_factor = 0.0;
    double dynamic_theta = 0.0;
    std::int64_t original_context = 0;
};

/// Decoders; libtorch/arch/ has a file for each architecture, which says what its layers consist of.
struct DecoderConfig {
    std::string architecture;  // "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "mixtral", "qwen3_moe"
    std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, intermediate_size = 0;
    std::int64_t context_length = 0;
    float rms_norm_eps = 1e-5F;
    RotaryConfig rotary;
    bool tied_embeddings = false;
    bool attention_bias = false;  // q, k, v and the output projection have biases
    bool mlp_bias = false;
    /// Layer i sees `window` tokens, its own included, where windowed[i] is not 0 (empty: no layer does), and turns by
    /// local_rotary where that has frequencies.
    std::int64_t window = 0;
    std::vector<std::uint8_t> windowed;
    RotaryConfig local_rotary;
    float query_scale = 0.0F;        // of the products of queries and keys; 0: 1 / sqrt(head_dim)
    float attention_softcap = 0.0F;  // above 0: scores and logits s become softcap * tanh(s / softcap)
    float logit_softcap = 0.0F;
    /// Mixtures of experts: layers where sparse[i] is not 0 (empty: all) choose experts_per_token of `experts`, each of
    /// expert_size, weighted by the router's softmax, over the chosen ones alone where normalize_experts.
    std::int64_t experts = 0, experts_per_token = 0, expert_size = 0;
    bool normalize_experts = false;
    std::vector<std::uint8_t> sparse;
    /// GGUF's llama files store the rows of q and k so that rotation acts on neighbouring pairs; the backend puts them back into
    /// Hugging Face order on loading (as transformers does), so that adapters fit.
    bool interleaved_qk = false;
    /// Gemma's folders store the weights of norms less one; its GGUF files do not.
    bool unit_offset_norms = false;
};

/// Encoders: "bert", "roberta", "distilbert", "mpnet", "modernbert", or a decoder's architecture, whose last hidden states are
/// pooled then. What an architecture does not have is left as it is here.
struct EncoderConfig {
    std::string architecture;
    std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads = 0, intermediate_size = 0;
    std::int64_t max_positions = 0;    // tokens of a text
    std::int64_t type_vocab_size = 0;  // 0: no token types
    float layer_norm_eps = 1e-12F;
    Activation activation = Activation::kGelu;
    /// roberta, mpnet: positions are counted from padding_id + 1 on; a token with this id has position padding_id and is not
    /// counted.
    std::int64_t padding_id = 0;
    std::int64_t relative_buckets = 0;  // mpnet
    /// modernbert: a layer that is not global lets a token see tokens at most local_reach away, and has positions of its own.
    std::vector<bool> global_layers;
    std::int64_t local_reach = 0;
    double global_theta = 0, local_theta = 0;
    bool attention_bias = true, mlp_bias = true, norm_bias = true;
    /// The body is this decoder without its output layer: a token sees itself and what is before it. Sizes above are its own.
    std::optional<DecoderConfig> decoder;
    /// More than one: their vectors one after another.
    std::vector<Pooling> pooling = {Pooling::kMean};
    std::vector<EncoderStage> stages;
    float stage_norm_eps = 1e-5F;

    /// Length of a text's vector.
    std::int64_t outputs() const noexcept {
        return stages.empty() ? hidden_size * static_cast<std::int64_t>(pooling.size()) : stages.back().outputs;
    }
};

/// An adapter that a model keeps beside its weights. It outlives every call that names it.
class BackendAdapter {
  public:
    virtual ~BackendAdapter() = default;
};
/// `weight` times what the adapter adds.
struct AdapterShare {
    const BackendAdapter* adapter = nullptr;
    float weight = 1.0F;
};

/// Token ids of several texts laid end to end: text i is ids[offsets[i] .. offsets[i+1]). No padding.
struct TokenBatch {
    std::span<const std::int32_t> ids;
    std::span<const std::int32_t> type_ids;  // empty: all 0
    std::span<const std::int64_t> offsets;   // texts + 1 entries
    std::int64_t unpooled = 0;               // so many first tokens of every text (a prompt) have no part in the pooling
    /// Added to the base for each text; of the same encoder. Empty: the base for all.
    std::span<const std::span<const AdapterShare>> adapters = {};
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
    /// Tensors that take the place of the base's of the same name and shape: weights and biases of linear layers and norms
    /// (PEFT's modules_to_save and trained biases). Such an adapter is merged; it is not kept beside the weights.
    std::vector<TensorView> replaced;
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
    /// Keeps an adapter beside the weights. Errors as merge_adapter's; kUnsupported for one that replaces tensors.
    virtual BackendStatus keep_adapter(const AdapterWeights& adapter, std::unique_ptr<BackendAdapter>& out) noexcept = 0;
    /// Bytes of weights that this model holds or maps at its precision.
    virtual std::uint64_t weight_bytes() const noexcept = 0;
    /// Tensor `name` of the Weights it was loaded with, with `adapter` (or null) added, written as `type` (kF32, kF16, kBF16; for
    /// matrices kInt8 and kInt4 too): what saving puts into a file. Rows that the file interleaves are in Hugging Face's order.
    /// Where inputs were observed, kInt4 compensates rounding errors.
    virtual BackendStatus export_tensor(const std::string& name, ElementType type, const AdapterWeights* adapter,
                                        std::vector<std::byte>& out) noexcept = 0;
    /// From `on` to off, linear layers add up what their inputs look like, for export_tensor; begins anew with each `on`. Takes
    /// the square of a layer's inputs in memory (float32), at most 8 GiB for all.
    virtual BackendStatus observe_inputs(bool on) noexcept = 0;
};

class BackendEncoder : public BackendModel {
  public:
    /// `out`: [texts, outputs()] float32, pooled and through all stages, not normalised.
    virtual BackendStatus encode(const TokenBatch& batch, std::span<float> out, const HostCall& call) noexcept = 0;
};

/// The keys and values of one sequence. Layers with a window need not keep more than their window.
class BackendSession {
  public:
    virtual ~BackendSession() = default;
    virtual std::int64_t length() const noexcept = 0;
    /// Forgets all positions from `length` on. An error when a layer with a window has dropped what a sequence of that length
    /// would see; `length` 0 always works.
    virtual BackendStatus truncate(std::int64_t length) noexcept = 0;
};

/// Keys and values of tokens that were computed once, to be put into sessions of the same decoder at any position. Layers with a
/// window keep what a token behind them can see. Immutable; any thread.
class BackendPiece {
  public:
    virtual ~BackendPiece() = default;
    virtual std::int64_t length() const noexcept = 0;
    /// Bytes that it holds.
    virtual std::uint64_t size_bytes() const noexcept = 0;
};

/// Lengths of a sequence before and after a call that is computed in several items.
struct CallSpan {
    std::int64_t begin = 0;
    std::int64_t end = 0;
};

/// One sequence's part of BackendDecoder::forward.
struct DecoderItem {
    BackendSession* session = nullptr;       // of the same decoder; every item has another one
    std::span<const std::int32_t> ids;       // appended to it; not empty
    std::span<float> logits;                 // empty (not wanted), [vocab] (of the last id) or [ids, vocab] (of every id)
    HostCall call;                           // ends this item alone
    std::span<const AdapterShare> adapters;  // added to the base for this item alone; of the same decoder
    BackendStatus status;                    // how it ended; after a failure the session is as before
    /// The item is a part of this call: the session can be truncated to where the call began, and rotary positions that depend on
    /// the length see the whole. Without it the item is a call of its own.
    std::optional<CallSpan> whole = std::nullopt;
};

class BackendDecoder : public BackendModel {
  public:
    virtual BackendStatus new_session(std::unique_ptr<BackendSession>& out) noexcept = 0;
    /// A copy of the keys and values of all tokens of `session`, whose first stands at position 0. kInvalidArgument: it has none.
    virtual BackendStatus copy_piece(const BackendSession& session, std::unique_ptr<BackendPiece>& out) noexcept = 0;
    /// Puts a piece of this decoder behind what the session holds: its keys are turned to their new positions, its values stay.
    /// Its tokens do not see what stands before them; what comes later sees both. At position 0 it is copied bit for bit.
    /// kInvalidArgument: more than the context; kUnsupported: rotary frequencies that follow the length of the sequence
    /// ("dynamic NTK") beyond the original context. The session is as before then.
    virtual BackendStatus append_piece(BackendSession& session, const BackendPiece& piece) noexcept = 0;
    /// Computes all items in one pass: their tokens go through the layers together, each attends to its own sequence. An item
    /// that fails or is stopped leaves the others alone. The result is not ok only when nothing could be computed at all; then
    /// every item has that status.
    virtual BackendStatus forward(std::span<DecoderItem> items) noexcept = 0;
};

class BackendTrainer;  // model/backend_training.hpp
struct TrainerOptions;

class Backend {
  public:
    virtual ~Backend() = default;
    /// One line for stats: LibTorch's version, instruction set, threads.
    virtual std::string describe() const = 0;
    /// For good: what runs ends with kInvalidState at its next poll, later calls are refused with it. Returns when nothing
    /// computes any more, after ten seconds at the latest. Also done by exit(), before LibTorch destroys its static objects.
    virtual void end() noexcept = 0;
    virtual BackendStatus load_encoder(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                                       std::unique_ptr<BackendEncoder>& out) noexcept = 0;
    virtual BackendStatus load_decoder(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                                       std::unique_ptr<BackendDecoder>& out) noexcept = 0;
    /// For training. Errors as load_encoder's; kInvalidArgument for a pair or tensor that the model does not have, kUnsupported
    /// for what this architecture cannot train.
    virtual BackendStatus train_encoder(const EncoderConfig& config, const Weights& weights, const TrainerOptions& options,
                                        std::unique_ptr<BackendTrainer>& out) noexcept = 0;
    virtual BackendStatus train_decoder(const DecoderConfig& config, const Weights& weights, const TrainerOptions& options,
                                        std::unique_ptr<BackendTrainer>& out) noexcept = 0;
};

/// The one function that librag_torch.so exports, as "rag_torch_backend". `host_version` is the caller's kBackendVersion; the
/// backend lives for ever (LibTorch cannot be unloaded). On failure `out` is null.
using BackendEntry = void (*)(std::uint32_t host_version, Backend** out, BackendStatus* status);

}  // namespace rag::core
