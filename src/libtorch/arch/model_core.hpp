// What every architecture has besides its layers: the file, the precision, the worker thread and the adapter slot.
// Thread rule: merge(), unmerge() and run() from any thread; they end up on the worker one after another.
#pragma once

#include <atomic>

#include "libtorch/layers/norm.hpp"
#include "libtorch/layers/weight_exporter.hpp"
#include "libtorch/lora/kept_adapter.hpp"
#include "libtorch/lora/lora.hpp"
#include "libtorch/worker.hpp"

namespace rag::core::libtorch {

class ModelCore {
  public:
    ModelCore(const Weights& weights, std::string_view prefix, const BackendOptions& options)
        : ModelCore(std::make_shared<WeightSource>(weights, prefix), options) {}
    virtual ~ModelCore() = default;

    BackendStatus merge(const AdapterWeights& adapter) noexcept {
        return worker.run([&] {
            worker.size_team(static_cast<std::int64_t>(weight_bytes));
            const std::vector<Linear*> layers = linears();
            std::vector<NormTensors> norms;
            list_norms(norms);
            adapters_.merge(adapter, *source, {layers, norms}, unused_modules());
            weight_bytes = count_bytes();
        });
    }

    BackendStatus unmerge() noexcept {
        return worker.run([&] {
            adapters_.unmerge();
            weight_bytes = count_bytes();
        });
    }

    BackendStatus keep(const AdapterWeights& adapter, std::unique_ptr<BackendAdapter>& out) noexcept {
        return worker.run([&] { out = std::make_unique<KeptAdapter>(adapter, *source, linears(), this, unused_modules()); });
    }

    BackendStatus export_tensor(const std::string& name, ElementType type, const AdapterWeights* adapter,
                                std::vector<std::byte>& out) noexcept {
        return worker.run([&] {
            worker.size_team(static_cast<std::int64_t>(weight_bytes));
            out = exporter_.write(*source, linears(), {name, type, adapter});
        });
    }

    BackendStatus observe_inputs(bool on) noexcept {
        return worker.run([&] { exporter_.observe(linears(), on); });
    }

    /// Multiply-adds of `tokens` through the linear layers.
    std::int64_t work(std::int64_t tokens) { return tokens * weights_; }

    /// Called by load() when the layers are there.
    void loaded() {
        for (const Linear* linear : linears()) {
            weights_ += linear->outputs() * linear->spec().inputs;
        }
        weight_bytes = count_bytes();
        loading_->ask_while_loading({});
        loading_ = nullptr;
    }

    const std::shared_ptr<const WeightSource> source;
    const Precision precision;
    Worker worker;
    std::atomic<std::uint64_t> weight_bytes{0};

  protected:
    /// Adapters of another model and weights that are no numbers are errors.
    void check_shares(std::span<const AdapterShare> shares) const {
        for (const AdapterShare& share : shares) {
            const auto* adapter = dynamic_cast<const KeptAdapter*>(share.adapter);
            if (adapter == nullptr || !adapter->belongs_to(this) || !std::isfinite(share.weight)) {
                fail(Code::kInvalidArgument, "a call with an adapter of another model, or with a weight of ", share.weight);
            }
        }
    }

    /// The layers that an adapter may change.
    virtual std::vector<Linear*> linears() = 0;
    /// Norms whose tensors an adapter may replace.
    virtual void list_norms(std::vector<NormTensors>& out) = 0;
    /// Linear layers of the published checkpoints that this model does without; adapters made there may name them.
    virtual std::span<const std::string_view> unused_modules() const { return {}; }
    virtual std::uint64_t count_bytes() const = 0;

  private:
    ModelCore(const std::shared_ptr<WeightSource>& from, const BackendOptions& options)
        : source(from), precision(options.precision), worker(options.threads), loading_(from.get()) {
        loading_->ask_while_loading(options.loading);
        loading_->set_copying(options.precision != Precision::kFloat32);
        loading_->place_on(find_device(options.device));
    }

    WeightSource* loading_;     // null once the layers are there
    std::int64_t weights_ = 0;  // of all linear layers
    AdapterSlot adapters_;
    WeightExporter exporter_;
};

/// The adapter and size functions of BackendModel for an interface (BackendEncoder, BackendDecoder) over a shared core.
template <typename Interface, typename Core>
class CoreModel : public Interface {
  public:
    explicit CoreModel(std::shared_ptr<Core> core) : core_(std::move(core)) {}
    BackendStatus merge_adapter(const AdapterWeights& adapter) noexcept override { return core_->merge(adapter); }
    BackendStatus unmerge_adapter() noexcept override { return core_->unmerge(); }
    BackendStatus keep_adapter(const AdapterWeights& adapter, std::unique_ptr<BackendAdapter>& out) noexcept override {
        return core_->keep(adapter, out);
    }
    std::uint64_t weight_bytes() const noexcept override { return core_->weight_bytes; }
    BackendStatus export_tensor(const std::string& name, ElementType type, const AdapterWeights* adapter,
                                std::vector<std::byte>& out) noexcept override {
        return core_->export_tensor(name, type, adapter, out);
    }
    BackendStatus observe_inputs(bool on) noexcept override { return core_->observe_inputs(on); }

  protected:
    std::shared_ptr<Core> core_;
};

/// A configuration value outside minimum..maximum is an error that names it.
inline void check_value(const Weights& weights, const char* name, std::int64_t value, std::int64_t minimum,
                        std::int64_t maximum) {
    if (value < minimum || value > maximum) {
        fail(Code::kCorrupt, "the configuration of ", quote(weights.source), " says ", name, " = ", value, " (allowed: ", minimum,
             "..", maximum, ")");
    }
}

}  // namespace rag::core::libtorch
