#include "model/model.hpp"

#include <algorithm>
#include <cmath>

#include "core/cancel.hpp"
#include "core/checksum.hpp"
#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "core/thread_pool.hpp"
#include "model/adapter.hpp"
#include "model/host_call.hpp"
#include "model/loader.hpp"

namespace rag::core {
namespace {

constexpr unsigned kMaxThreads = 1024;
constexpr float kMaxWeight = 10000.0F;  // of an adapter; what is larger makes numbers that are none

std::uint64_t checksum_adapter(const AdapterWeights& adapter) {
    std::uint64_t sum = 1;
    for (const AdapterPair& pair : adapter.pairs) {
        sum = checksum64(std::as_bytes(std::span(pair.module)), sum);
        sum = checksum64(pair.a.bytes, sum);
        sum = checksum64(pair.b.bytes, sum);
        sum = checksum64(std::as_bytes(std::span(&pair.scale, 1)), sum);
    }
    for (const TensorView& tensor : adapter.replaced) {
        sum = checksum64(std::as_bytes(std::span(tensor.name)), sum);
        sum = checksum64(tensor.bytes, sum);
    }
    return sum;
}

}  // namespace

std::string_view precision_name(Precision precision) {
    switch (precision) {
        case Precision::kFloat32:
            return "float32";
        case Precision::kBFloat16:
            return "bfloat16";
        case Precision::kFloat16:
            return "float16";
        case Precision::kInt8:
            return "int8";
        case Precision::kInt4:
            return "int4";
    }
    return "unknown";
}

Precision read_precision(std::string_view name) {
    for (const Precision precision :
         {Precision::kFloat32, Precision::kBFloat16, Precision::kFloat16, Precision::kInt8, Precision::kInt4}) {
        if (precision_name(precision) == name) return precision;
    }
    fail(Code::kInvalidArgument, "dtype is {}, it must be float32, bfloat16, float16, int8 or int4", quote(name));
}

std::vector<PrecisionException> read_precision_exceptions(std::string_view text) {
    constexpr std::size_t kMost = 1000;
    std::vector<PrecisionException> out;
    while (!text.empty()) {
        const std::string_view one = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), one.size() + 1));
        const std::size_t middle = one.find('=');
        if (middle == std::string_view::npos || middle == 0)
            fail(Code::kInvalidArgument, "{} is no exception like \"lm_head=bfloat16\"", quote(one));
        if (out.size() == kMost) fail(Code::kInvalidArgument, "more than {} exceptions of dtypes", kMost);
        out.push_back({std::string(one.substr(0, middle)), read_precision(one.substr(middle + 1))});
    }
    return out;
}

std::string exceptions_text(const ModelOptions& options) {
    std::string out;
    for (const PrecisionException& exception : options.exceptions) {
        out += fmt::format("{} {} {}", out.empty() ? ", but" : ",", exception.pattern, precision_name(exception.precision));
    }
    if (options.int8_cache) out += ", keys and values int8";
    if (!options.device.starts_with("cpu")) out += fmt::format(", on {}", options.device);
    return out;
}

std::vector<PrecisionException> with_saved_exceptions(const std::filesystem::path& folder, const ModelOptions& options) {
    const std::string text = saved_exceptions(folder, precision_name(options.precision));
    std::vector<PrecisionException> out;
    try {
        out = read_precision_exceptions(text);
    } catch (const Error& error) {
        fail(Code::kCorrupt, "{}: librag.exceptions: {}", quote((folder / "config.json").string(), 400), error.what());
    }
    out.insert(out.end(), options.exceptions.begin(), options.exceptions.end());
    return out;
}

void check_status(const BackendStatus& status) {
    if (status.ok()) return;
    if (status.code == static_cast<std::int32_t>(Code::kStopped)) throw Stopped();
    const bool known = status.code < 0 && status.code >= static_cast<std::int32_t>(Code::kInternal);
    throw Error(known ? static_cast<Code>(status.code) : Code::kInternal, status.text);
}

Model::Model(const ModelOptions& options, LinearShapes layers)
    : backend_(options.backend != nullptr ? options.backend : &rag::core::backend()),
      layers_(std::move(layers)),
      exceptions_(options.exceptions) {}

void load_with(const ModelOptions& options, const std::function<BackendStatus(const BackendOptions&)>& load) {
    if (options.threads > kMaxThreads)
        fail(Code::kInvalidArgument, "threads is {}, it must be 0 (as many as the process may use) to {}", options.threads,
             kMaxThreads);
    BackendOptions result;
    result.precision = options.precision;
    result.exceptions = options.exceptions;
    result.int8_cache = options.int8_cache;
    result.device = options.device;
    result.threads = options.threads != 0 ? options.threads : static_cast<std::uint32_t>(available_cpus());
    std::function<bool()> asked;
    if (options.opening) asked = [&] { return !options.opening(0, 0); };
    StopCheck stop(std::move(asked));
    result.loading = stop.call();
    stop.finish(load(result));
}

AdapterWeights Model::read_adapter_at(const std::filesystem::path& path) const {
    return read_adapter(path, layers_, &weights());
}

void Model::load_adapter(const std::filesystem::path& folder, const std::string& name) {
    check_fork();
    if (name.empty()) fail(Code::kInvalidArgument, "the name of an adapter is empty");
    auto adapter = std::make_shared<const AdapterWeights>(read_adapter_at(folder));
    const std::lock_guard lock(mutex_);
    if (!adapters_.emplace(name, std::move(adapter)).second)
        fail(Code::kAlreadyExists, "the adapter {} is loaded already", quote(name));
}

void require_unchanged(const AdapterWeights& adapter) {
    for (const AdapterPair& pair : adapter.pairs) {
        require_unchanged(pair.a.bytes);
        require_unchanged(pair.b.bytes);
    }
    for (const TensorView& tensor : adapter.replaced) require_unchanged(tensor.bytes);
}

void Model::merge_locked(std::shared_ptr<const AdapterWeights> adapter, const std::string& name) {
    if (!merged_.empty()) fail(Code::kInvalidState, "the adapter {} is merged already, unmerge it first", quote(merged_));
    require_unchanged(*adapter);
    for (const TensorView& tensor : weights().tensors) require_unchanged(tensor.bytes);
    const std::uint64_t checksum = checksum_adapter(*adapter);
    std::string kept = name;
    check_status(backend_model().merge_adapter(*adapter));
    merged_.swap(kept);
    merged_weights_ = std::move(adapter);
    merged_checksum_ = checksum;
    ++changes_;
}

std::shared_ptr<const AdapterWeights> Model::loaded_adapter(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto found = adapters_.find(name);
    if (found == adapters_.end()) fail(Code::kNotFound, "no adapter {} is loaded", quote(name));
    return found->second;
}

void Model::merge_adapter(std::string_view name) {
    check_fork();
    const auto adapter = loaded_adapter(name);
    const std::lock_guard lock(mutex_);
    merge_locked(adapter, std::string(name));
}

void Model::merge_adapter_folder(const std::filesystem::path& folder) {
    check_fork();
    auto adapter = std::make_shared<const AdapterWeights>(read_adapter_at(folder));
    const std::lock_guard lock(mutex_);
    merge_locked(std::move(adapter), folder.string());
}

void Model::unmerge_adapter() {
    check_fork();
    const std::lock_guard lock(mutex_);
    if (merged_.empty()) fail(Code::kInvalidState, "no adapter is merged");
    check_status(backend_model().unmerge_adapter());
    merged_.clear();
    merged_weights_.reset();
    merged_checksum_ = 0;
    ++changes_;
}

std::string Model::merged_adapter() const {
    const std::lock_guard lock(mutex_);
    return merged_;
}

Model::Merged Model::merged_now() const {
    const std::lock_guard lock(mutex_);
    return {merged_checksum_, changes_};
}

void Model::require_same_weights(std::uint64_t changes, std::string_view what) const {
    if (merged_now().changes == changes) return;
    fail(Code::kInvalidState, "an adapter was merged or unmerged while {} were computed; compute them again", what);
}

Model::Kept Model::kept_locked(const std::string& name) const {
    auto found = kept_.find(name);
    if (found == kept_.end()) {
        const auto loaded = loaded_adapter(name);
        std::unique_ptr<BackendAdapter> adapter;
        require_unchanged(*loaded);
        check_status(backend_model().keep_adapter(*loaded, adapter));
        if (adapter == nullptr) fail(Code::kInternal, "the backend kept no adapter {}", quote(name));
        found = kept_.emplace(name, Kept{std::move(adapter), checksum_adapter(*loaded)}).first;
    }
    return found->second;
}

// In the order of what the adapters are, so that a mixture is the same in any order and under any names.
Model::KeptMix Model::keep_locked(const AdapterMix& mix) const {
    struct Part {
        Kept kept;
        float weight;
    };
    std::vector<Part> parts;
    std::set<std::string_view> names;
    for (const auto& [name, weight] : mix) {
        if (!(std::fabs(weight) <= kMaxWeight))
            fail(Code::kInvalidArgument, "the adapter {} has the weight {}, it must be within {} and {}", quote(name), weight,
                 -kMaxWeight, kMaxWeight);
        if (!names.insert(name).second) fail(Code::kInvalidArgument, "the adapter {} is asked for twice", quote(name));
        Kept kept = kept_locked(name);
        if (weight != 0.0F) parts.push_back({std::move(kept), weight});
    }
    std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
        return std::pair(a.kept.checksum, a.weight) < std::pair(b.kept.checksum, b.weight);
    });
    KeptMix out;
    for (const Part& part : parts) {
        out.shares.push_back({part.kept.adapter.get(), part.weight});
        out.owners.push_back(part.kept.adapter);
        out.checksum = checksum64(std::as_bytes(std::span(&part.weight, 1)), out.checksum ^ part.kept.checksum);
    }
    return out;
}

Model::KeptMix Model::kept_mix(const std::optional<AdapterMix>& mix) const {
    const std::lock_guard lock(kept_mutex_);
    return mix ? keep_locked(*mix) : mix_;
}

void Model::set_adapter(const AdapterMix& mix) {
    check_fork();
    const std::lock_guard lock(kept_mutex_);
    mix_ = keep_locked(mix);
}

void Model::unload_adapter(std::string_view name) {
    check_fork();
    const std::lock_guard kept_lock(kept_mutex_);
    const std::lock_guard lock(mutex_);
    const auto found = adapters_.find(name);
    if (found == adapters_.end()) fail(Code::kNotFound, "no adapter {} is loaded", quote(name));
    if (merged_weights_ == found->second) fail(Code::kInvalidState, "the adapter {} is merged, unmerge it first", quote(name));
    const auto kept = kept_.find(name);
    if (kept != kept_.end()) {
        for (const auto& owner : mix_.owners) {
            if (owner == kept->second.adapter)
                fail(Code::kInvalidState, "the model is set to the adapter {}, set it to another or to none first", quote(name));
        }
        kept_.erase(kept);
    }
    adapters_.erase(found);
}

void Model::save(const std::filesystem::path& folder, const SaveOptions& options) const {
    check_fork();
    std::shared_ptr<const AdapterWeights> adapter;
    {
        const std::lock_guard lock(mutex_);
        adapter = merged_weights_;
    }
    if (adapter != nullptr) require_unchanged(*adapter);
    save_folder({weights(), layers_, exact_layers(), backend_model(), adapter.get(),
                 [&](const std::string& tensor) { return saved_name(tensor); }, layer_prefix(), saved_norm_offset(),
                 [&](const std::filesystem::path& to) {
                     return describe_into(to, saved_weights(options.precision, options.exceptions));
                 }},
                folder, options);
}

void Model::calibrate(const std::function<void()>& run) {
    check_fork();
    check_status(backend_model().observe_inputs(true));
    try {
        run();
    } catch (...) {
        check_status(backend_model().observe_inputs(false));
        throw;
    }
    check_status(backend_model().observe_inputs(false));
}

std::uint64_t Model::weight_bytes() const {
    return backend_model().weight_bytes();
}

}  // namespace rag::core
