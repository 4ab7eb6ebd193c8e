#include "libtorch/arch/encoder_core.hpp"

#include "libtorch/kernels/tiles.hpp"
#include "libtorch/layers/activation.hpp"
#include "libtorch/layers/pooling.hpp"

namespace rag::core::libtorch {
namespace {

// Tokens that go through the layers together: enough to keep the matrix product busy, few enough for the caches.
constexpr std::int64_t kGroupTokens = 512;
// Fewer are not worth a group of their own.
constexpr std::int64_t kSmallestGroup = 64;

// Multiply-adds that tiles do, one way or the other, before another thread is worth the waiting at each layer's end.
constexpr std::int64_t kTileGain = 16;

// The ends of groups of whole texts, the last one included: at least one a thread where that is possible.
std::vector<std::size_t> split_texts(std::span<const std::int64_t> offsets, std::int64_t threads) {
    const std::int64_t most = std::clamp(at::divup(offsets.back(), threads), kSmallestGroup, kGroupTokens);
    std::vector<std::size_t> ends;
    const std::size_t texts = offsets.size() - 1;
    for (std::size_t first = 0; first < texts; first = ends.back()) {
        std::size_t last = first + 1;
        while (last < texts && offsets[last + 1] - offsets[first] <= most) {
            ++last;
        }
        ends.push_back(last);
    }
    return ends;
}

// What threads that share groups tell each other: the first failure, which ends all of them.
struct SharedEnd {
    std::atomic<bool> over{false};
    std::exception_ptr failure;
    static bool is_over(void* self) { return static_cast<SharedEnd*>(self)->over.load(std::memory_order_relaxed); }
};

}  // namespace

EncoderCore::EncoderCore(const EncoderConfig& config, const Weights& weights, std::string_view prefix,
                         const BackendOptions& options)
    : ModelCore(weights, prefix, options), config_(config), plan_(options.precision, options.exceptions, prefix) {
    check_config(weights);
}

void EncoderCore::check_config(const Weights& weights) const {
    constexpr std::int64_t kLimit = std::int64_t{1} << 24;
    check_value(weights, "vocab_size", config_.vocab_size, 1, kLimit);
    check_value(weights, "hidden_size", config_.hidden_size, 1, 65536);
    check_value(weights, "layers", config_.layers, 1, 1024);
    check_value(weights, "heads", config_.heads, 1, 65536);
    if (!config_.decoder) {
        check_value(weights, "hidden_size modulo heads", config_.hidden_size % config_.heads, 0, 0);
    }
    check_value(weights, "intermediate_size", config_.intermediate_size, 1, kLimit);
    check_value(weights, "max_positions", config_.max_positions, 1, kLimit);
    check_value(weights, "type_vocab_size", config_.type_vocab_size, 0, kLimit);
    check_value(weights, "padding_id", config_.padding_id, 0, kLimit);
    check_value(weights, "relative_buckets", config_.relative_buckets, 0, 65536);
    check_value(weights, "local_reach", config_.local_reach, 0, kLimit);
    check_value(weights, "pooling modes", static_cast<std::int64_t>(config_.pooling.size()), 1, 6);
    check_value(weights, "stages", static_cast<std::int64_t>(config_.stages.size()), 0, 64);
    for (const EncoderStage& stage : config_.stages) {
        check_value(weights, "outputs of a stage", stage.outputs, 1, kLimit);
    }
}

void EncoderCore::load() {
    worker.size_team(config_.hidden_size *
                     (config_.vocab_size + config_.layers * 4 * (config_.hidden_size + config_.intermediate_size)));
    load_layers();
    load_stages();
    plan_.check_all_used(source->source());
    loaded();
}

void EncoderCore::load_stages() {
    std::int64_t inputs = config_.hidden_size * static_cast<std::int64_t>(config_.pooling.size());
    for (const EncoderStage& stage : config_.stages) {
        LinearSpec spec;
        spec.parts.push_back({stage.module, stage.outputs, 0});
        spec.inputs = inputs;
        spec.bias = stage.bias;
        // In float32 whatever the precision: a score has no neighbours whose errors would cancel its own, and these layers run
        // once a text, not once a token.
        const Precision kept = plan_.of(stage.module, Precision::kFloat32);
        Stage& loaded_stage = stages_.emplace_back(Stage{Linear(source, std::move(spec), kept), stage.activation, std::nullopt});
        if (!stage.norm.empty()) {
            const bool bias = source->has(stage.norm + ".bias");
            loaded_stage.norm = LayerNorm(*source, stage.norm, stage.outputs, config_.stage_norm_eps, bias);
        }
        inputs = stage.outputs;
    }
}

Embedding EncoderCore::load_table(const std::string& module, std::int64_t rows) const {
    return Embedding(*source, module + ".weight", rows, config_.hidden_size, plan_.of(module));
}

LayerNorm EncoderCore::load_norm(const std::string& module, bool bias) const {
    return LayerNorm(*source, module, config_.hidden_size, config_.layer_norm_eps, bias);
}

bool EncoderCore::first_tokens_suffice(const TextGroup& group) const {
    return group.unpooled == 0 && config_.pooling.size() == 1 && config_.pooling.front() == Pooling::kCls;
}

AttentionShape EncoderCore::attention() const {
    AttentionShape shape = text_attention(config_.heads, config_.hidden_size / config_.heads);
    shape.narrow = rounds_activations(precision);
    return shape;
}

void EncoderCore::check_batch(const TokenBatch& batch, std::size_t out_size) const {
    const auto& offsets = batch.offsets;
    if (offsets.empty() || offsets.front() != 0 || offsets.back() != static_cast<std::int64_t>(batch.ids.size())) {
        fail(Code::kInvalidArgument, "the offsets do not span the ", batch.ids.size(), " ids");
    }
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
        const std::int64_t tokens = offsets[i + 1] - offsets[i];
        if (tokens < 1 || tokens > config_.max_positions) {
            fail(Code::kInvalidArgument, "text ", i, " has ", tokens, " tokens (allowed: 1..", config_.max_positions, ")");
        }
    }
    if (!batch.type_ids.empty() && batch.type_ids.size() != batch.ids.size()) {
        fail(Code::kInvalidArgument, batch.type_ids.size(), " type ids for ", batch.ids.size(), " ids");
    }
    if (batch.unpooled < 0) {
        fail(Code::kInvalidArgument, batch.unpooled, " tokens are to have no part in the pooling");
    }
    if (!batch.adapters.empty() && batch.adapters.size() != offsets.size() - 1) {
        fail(Code::kInvalidArgument, "adapters of ", batch.adapters.size(), " texts for ", offsets.size() - 1, " texts");
    }
    for (const std::span<const AdapterShare> shares : batch.adapters) {
        check_shares(shares);
    }
    const std::size_t needed = (offsets.size() - 1) * static_cast<std::size_t>(config_.outputs());
    if (out_size != needed) {
        fail(Code::kInvalidArgument, "room for ", out_size, " values, ", offsets.size() - 1, " texts of ", config_.outputs(),
             " dimensions need ", needed);
    }
    check_ids(batch.ids, config_.vocab_size, "token id");
    check_ids(batch.type_ids, std::max<std::int64_t>(config_.type_vocab_size, 1), "type id");
}

void EncoderCore::encode(const TokenBatch& batch, std::span<float> out, const HostCall& call) {
    check_batch(batch, out.size());
    const std::int64_t needed = work(static_cast<std::int64_t>(batch.ids.size()));
    const bool tiles = (precision == Precision::kInt8 || precision == Precision::kBFloat16) && kernels::tiles_available();
    worker.size_team(tiles ? needed / kTileGain : needed);
    const std::vector<std::size_t> ends = split_texts(batch.offsets, at::get_num_threads());
    const auto run = [&](std::size_t group, const HostCall& own_call) {
        run_group(batch, group == 0 ? 0 : ends[group - 1], ends[group], out, own_call);
    };
    if (ends.size() == 1 || !source->device().is_cpu()) {
        for (std::size_t group = 0; group < ends.size(); ++group) {
            run(group, call);  // its layers spread their rows over the threads, or a device computes
        }
        return;
    }
    // Groups know nothing of each other: a thread takes one after another through all layers, and none waits for another in
    // between.
    SharedEnd end;
    std::atomic<std::size_t> next{0};
    at::parallel_for(0, std::min<std::int64_t>(at::get_num_threads(), static_cast<std::int64_t>(ends.size())), 1,
                     [&](std::int64_t, std::int64_t) {
                         const c10::InferenceMode inference;
                         // The host is asked on one thread alone.
                         const HostCall own_call = at::get_thread_num() == 0 ? call : HostCall{&SharedEnd::is_over, &end};
                         try {
                             for (std::size_t group = next++; group < ends.size() && !end.over; group = next++) {
                                 run(group, own_call);
                             }
                         } catch (...) {
                             if (!end.over.exchange(true)) {
                                 end.failure = std::current_exception();
                             }
                         }
                     });
    if (end.failure != nullptr) {
        std::rethrow_exception(end.failure);
    }
}

void EncoderCore::run_group(const TokenBatch& batch, std::size_t first, std::size_t last, std::span<float> out,
                            const HostCall& call) {
    const auto begin = static_cast<std::size_t>(batch.offsets[first]);
    const auto tokens = static_cast<std::size_t>(batch.offsets[last]) - begin;
    TextGroup group{batch.ids.subspan(begin, tokens),
                    batch.type_ids.empty() ? batch.type_ids : batch.type_ids.subspan(begin, tokens),
                    {},
                    batch.unpooled,
                    batch.adapters.empty() ? batch.adapters : batch.adapters.subspan(first, last - first),
                    {},
                    {}};
    for (std::size_t text = first; text <= last; ++text) {
        group.offsets.push_back(batch.offsets[text] - batch.offsets[first]);
    }
    for (std::size_t text = 0; text < group.adapters.size(); ++text) {
        group.token_adapters.append(group.offsets[text + 1] - group.offsets[text], group.adapters[text]);
        group.text_adapters.append(1, group.adapters[text]);
    }
    const at::Tensor x = run_layers(group, call);
    finish(x, group, out.data() + first * static_cast<std::size_t>(config_.outputs()));
}

void EncoderCore::finish(const at::Tensor& x, const TextGroup& group, float* out) const {
    const auto texts = static_cast<std::int64_t>(group.offsets.size()) - 1;
    const std::int64_t columns = config_.hidden_size;
    const std::int64_t width = columns * static_cast<std::int64_t>(config_.pooling.size());
    at::Tensor pooled = at::empty({texts, width}, at::kFloat);
    const at::Tensor host = x.cpu();
    const float* rows = host.const_data_ptr<float>();
    float* to = pooled.mutable_data_ptr<float>();
    const bool only_first = x.size(0) == texts && group.tokens() != texts;
    at::parallel_for(0, texts, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t text = begin; text < end; ++text) {
            if (only_first) {
                std::copy_n(rows + text * columns, columns, to + text * width);
                continue;
            }
            const std::int64_t at = group.offsets[static_cast<std::size_t>(text)];
            const std::int64_t tokens = group.offsets[static_cast<std::size_t>(text) + 1] - at;
            pool_rows(config_.pooling, rows + at * columns, tokens, columns, group.unpooled, to + text * width);
        }
    });
    pooled = pooled.to(source->device());
    for (const Stage& stage : stages_) {
        pooled = group.text_adapters.apply(stage.linear, pooled);
        apply_activation(stage.activation, pooled);
        if (stage.norm) {
            pooled = stage.norm->run(pooled);
        }
    }
    pooled = pooled.cpu();
    std::copy_n(pooled.const_data_ptr<float>(), pooled.numel(), out);
}

std::vector<Linear*> EncoderCore::linears() {
    std::vector<Linear*> all;
    list_linears(all);
    for (Stage& stage : stages_) {
        all.push_back(&stage.linear);
    }
    return all;
}

void EncoderCore::list_norms(std::vector<NormTensors>& out) {
    list_layer_norms(out);
    for (Stage& stage : stages_) {
        if (stage.norm) {
            out.push_back(stage.norm->tensors());
        }
    }
}

std::uint64_t EncoderCore::count_bytes() const {
    std::uint64_t total = other_bytes();
    // Only the list is not const: it is made for adapters, which change what it points to.
    for (const Linear* linear : const_cast<EncoderCore*>(this)->linears()) {
        total += linear->packed().size_bytes();
    }
    for (const Stage& stage : stages_) {
        total += stage.norm ? stage.norm->size_bytes() : 0;
    }
    return total;
}

}  // namespace rag::core::libtorch
