// What encoders and decoders have in common: the options they are opened with, the adapters they keep, the check after fork().
// Thread rule: any thread; the backend serves calls one after another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/fork_guard.hpp"
#include "model/backend.hpp"
#include "model/saving.hpp"
#include "model/step_batcher.hpp"
#include "model/weights.hpp"

namespace rag::core {

struct ModelOptions {
    Precision precision = Precision::kFloat32;
    bool measured_precision = false;             // `precision` is chosen by a measurement (auto_precision.hpp)
    bool verify = false;                         // the files are compared with their SHA256SUMS before anything else
    std::vector<PrecisionException> exceptions;  // of layers by name
    bool int8_cache = false;                     // of decoders
    std::string device = "cpu";
    unsigned threads = 0;        // 0: as many as the process may use
    BatchLimits batching;        // of concurrent callers
    Backend* backend = nullptr;  // nullptr: librag_torch.so; tests put their own here, which must outlive the model
    Progress opening = {};       // asked before each tensor whether to stop, with numbers of no meaning
};

/// "float32", "bfloat16", "float16", "int8", "int4".
std::string_view precision_name(Precision precision);
/// The precision of such a name. Throws kInvalidArgument.
Precision read_precision(std::string_view name);
/// "lm_head=bfloat16,model.layers.0.*=float32". Throws kInvalidArgument for what cannot be read, at most 1,000 of them.
std::vector<PrecisionException> read_precision_exceptions(std::string_view text);

/// ", but lm_head bfloat16, keys and values int8, on cuda:0" for describe(), or nothing.
std::string exceptions_text(const ModelOptions& options);

/// Adapters by name and what each counts, in any order; empty is the base alone, and so is a weight of 0. y = W x + sum of weight
/// * scale * B (A x).
using AdapterMix = std::vector<std::pair<std::string, float>>;

/// The exceptions that were saved with the model in `folder` for options.precision, and behind them those of `options`. Throws
/// kCorrupt.
std::vector<PrecisionException> with_saved_exceptions(const std::filesystem::path& folder, const ModelOptions& options);

/// Nothing for success; throws Stopped for kStopped, else Error with the status' code and text.
void check_status(const BackendStatus& status);

/// As that of core/mapped_file.hpp, for all that an adapter reads.
void require_unchanged(const AdapterWeights& adapter);

/// Calls `load` with the options for a backend, and throws what its status says, or Stopped. kInvalidArgument: too many threads.
void load_with(const ModelOptions& options, const std::function<BackendStatus(const BackendOptions&)>& load);

class Model {
  public:
    virtual ~Model() = default;
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    /// Reads a PEFT LoRA folder (or what else read_adapter_at knows) and keeps it as `name`. Throws as read_adapter,
    /// kAlreadyExists, kInvalidArgument (an empty name).
    void load_adapter(const std::filesystem::path& folder, const std::string& name);
    /// Adds a loaded adapter to the weights. Throws kNotFound (no such name), kInvalidState (one is merged already).
    /// Calls and sequences that it comes into end with kInvalidState, because they would be of two models.
    void merge_adapter(std::string_view name);
    /// Reads and merges in one go without keeping a name: merged_adapter() is the folder's path then.
    void merge_adapter_folder(const std::filesystem::path& folder);
    /// Puts the base weights back, bit for bit. Throws kInvalidState when nothing is merged.
    void unmerge_adapter();
    /// Empty when nothing is merged.
    std::string merged_adapter() const;
    /// What calls that name no adapters of their own add to the base, without touching the weights: beside a merged adapter, and
    /// concurrent calls may have others, also in one pass. Throws kNotFound (a name that is not loaded), kInvalidArgument (a
    /// weight that is no number or beyond 10,000, a name twice) and what merging the adapter would throw; then the setting is as
    /// before.
    void set_adapter(const AdapterMix& mix);
    /// Forgets a loaded adapter; its name is free then. Sessions, cached texts and calls that use it go on. Throws kNotFound,
    /// kInvalidState (it is merged, or calls are set to it).
    void unload_adapter(std::string_view name);

    /// Writes the model into a new folder that loads again, a merged adapter included: a Hugging Face folder in float32, bfloat16
    /// and float16, which transformers reads too, or librag's own in int8 and int4, from which a model of that precision computes
    /// the same bits. Heads of classifiers are float32 in every precision, as they are computed. Throws as save_folder;
    /// kUnsupported for a GGUF file whose rotary positions config.json cannot say.
    void save(const std::filesystem::path& folder, const SaveOptions& options) const;

    /// Layers of another precision than the model's own.
    const std::vector<PrecisionException>& exceptions() const noexcept { return exceptions_; }

    /// Bytes of weights at the model's precision.
    std::uint64_t weight_bytes() const;
    /// One line for people: architecture, sizes, precision, file, backend.
    virtual std::string describe() const = 0;

  protected:
    Model(const ModelOptions& options, LinearShapes layers);
    Backend& backend() const { return *backend_; }
    const LinearShapes& linear_layers() const { return layers_; }
    void check_fork() const { fork_.check("the model"); }
    bool in_fork_child() const noexcept { return fork_.in_child(); }
    /// A loaded adapter. Throws kNotFound.
    std::shared_ptr<const AdapterWeights> loaded_adapter(std::string_view name) const;
    /// Linear layers watch their inputs while `run` computes a text sample; saving in int4 then compensates rounding errors.
    void calibrate(const std::function<void()>& run);
    struct Merged {
        std::uint64_t checksum = 0;  // checksum64 of the merged adapter's pairs; 0 when nothing is merged
        std::uint64_t changes = 0;   // merges and unmerges so far: it tells what was merged and taken back, too
    };
    Merged merged_now() const;
    /// To be called when all is computed that must be of one model. Throws kInvalidState if an adapter was merged or unmerged
    /// since merged_now() gave `changes`.
    void require_same_weights(std::uint64_t changes, std::string_view what) const;
    /// A mix as the backend takes it, and what keeps its adapters alive.
    struct KeptMix {
        std::vector<AdapterShare> shares;
        std::vector<std::shared_ptr<const BackendAdapter>> owners;
        std::uint64_t checksum = 0;  // of the adapters with their weights; 0 where it is the base
    };
    /// `mix`, or what is set. Throws as set_adapter.
    KeptMix kept_mix(const std::optional<AdapterMix>& mix) const;

  private:
    virtual BackendModel& backend_model() const = 0;
    /// A PEFT folder; decoders know GGUF files too.
    virtual AdapterWeights read_adapter_at(const std::filesystem::path& path) const;
    /// What it was loaded with, and a save writes.
    virtual const Weights& weights() const = 0;
    /// Writes what lies beside the weights; where those lie in the folder.
    virtual std::filesystem::path describe_into(const std::filesystem::path& folder, const SavedWeights& saved) const = 0;
    /// What a tensor of weights() is called in a saved folder; empty: it is not written, because it was made of others.
    virtual std::string saved_name(const std::string& tensor) const { return tensor; }
    /// Linear layers that are not rounded: modules by name.
    virtual std::set<std::string, std::less<>> exact_layers() const { return {}; }
    /// What files may put in front of the names of linear_layers() ("bert.").
    virtual std::string layer_prefix() const { return {}; }
    virtual float saved_norm_offset() const { return 0.0F; }
    void merge_locked(std::shared_ptr<const AdapterWeights> adapter, const std::string& name);

    struct Kept {
        std::shared_ptr<const BackendAdapter> adapter;
        std::uint64_t checksum = 0;
    };
    Kept kept_locked(const std::string& name) const;
    KeptMix keep_locked(const AdapterMix& mix) const;

    Backend* backend_;
    LinearShapes layers_;
    std::vector<PrecisionException> exceptions_;
    ForkGuard fork_;
    mutable std::mutex mutex_;  // over the five below
    std::map<std::string, std::shared_ptr<const AdapterWeights>, std::less<>> adapters_;
    std::string merged_;
    std::shared_ptr<const AdapterWeights> merged_weights_;
    std::uint64_t merged_checksum_ = 0;
    std::uint64_t changes_ = 0;
    mutable std::mutex kept_mutex_;                          // over the two below; taken before mutex_
    mutable std::map<std::string, Kept, std::less<>> kept_;  // given to the backend when they are used first
    KeptMix mix_;
};

}  // namespace rag::core
