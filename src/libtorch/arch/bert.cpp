// BERT encoders over packed tokens: the texts of a batch lie end to end without padding, linear layers run over all tokens of a
// group of texts at once, attention runs within each text. Activations between layers are float32 in every precision.
#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/model_core.hpp"
#include "libtorch/layers/attention.hpp"
#include "libtorch/layers/embedding.hpp"
#include "libtorch/layers/norm.hpp"

namespace rag::core::libtorch {
namespace {

// Tokens that go through the layers together: enough to keep the matrix product busy, few enough for the caches.
constexpr std::int64_t kGroupTokens = 2048;

struct BertLayer {
    Linear qkv;
    Linear attention_output;
    LayerNorm attention_norm;
    Linear intermediate;
    Linear output;
    LayerNorm output_norm;
};

void apply_activation(Activation activation, at::Tensor& x) {
    switch (activation) {
        case Activation::kGelu:
            at::gelu_(x, "none");
            return;
        case Activation::kGeluTanh:
            at::gelu_(x, "tanh");
            return;
        case Activation::kRelu:
            at::relu_(x);
            return;
        case Activation::kSilu:
            at::silu_(x);
            return;
    }
    fail(Code::kUnsupported, "activation ", static_cast<std::uint32_t>(activation), " is unknown");
}

// rows: [tokens, columns] -> out[columns]
void pool(Pooling pooling, const float* rows, std::int64_t tokens, std::int64_t columns, float* out) {
    std::copy_n(rows, columns, out);
    if (pooling == Pooling::kCls) {
        return;
    }
    for (std::int64_t token = 1; token < tokens; ++token) {
        const float* row = rows + token * columns;
        for (std::int64_t c = 0; c < columns; ++c) {
            out[c] = pooling == Pooling::kMax ? std::max(out[c], row[c]) : out[c] + row[c];
        }
    }
    if (pooling == Pooling::kMean) {
        for (std::int64_t c = 0; c < columns; ++c) {
            out[c] /= static_cast<float>(tokens);
        }
    }
}

class Bert : public ModelCore {
  public:
    Bert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options)
        : ModelCore(weights, "bert.", options), config_(config) {
        check_config(weights);
    }

    void load() {
        worker.size_team(config_.hidden_size *
                         (config_.vocab_size + config_.layers * 4 * (config_.hidden_size + config_.intermediate_size)));
        const std::int64_t hidden = config_.hidden_size;
        auto table = [&](const char* name, std::int64_t rows) {
            return Embedding(source->float_tensor(std::string("embeddings.") + name + ".weight", {rows, hidden}), precision);
        };
        words_ = table("word_embeddings", config_.vocab_size);
        positions_ = table("position_embeddings", config_.max_positions);
        types_ = table("token_type_embeddings", config_.type_vocab_size);
        embedding_norm_ = LayerNorm(*source, "embeddings.LayerNorm", hidden, config_.layer_norm_eps);
        for (std::int64_t i = 0; i < config_.layers; ++i) {
            layers_.push_back(load_layer("encoder.layer." + std::to_string(i) + "."));
        }
        loaded();
    }

    void encode(const TokenBatch& batch, std::span<float> out, const HostCall& call) {
        check_batch(batch, out.size());
        worker.size_team(work(static_cast<std::int64_t>(batch.ids.size())));
        const std::size_t texts = batch.offsets.size() - 1;
        for (std::size_t first = 0; first < texts;) {
            std::size_t last = first + 1;
            while (last < texts && batch.offsets[last + 1] - batch.offsets[first] <= kGroupTokens) {
                ++last;
            }
            encode_group(batch, batch.offsets.subspan(first, last - first + 1), out.data() + first * hidden(), call);
            first = last;
        }
    }

  private:
    std::size_t hidden() const { return static_cast<std::size_t>(config_.hidden_size); }

    void check_config(const Weights& weights) const {
        constexpr std::int64_t kLimit = std::int64_t{1} << 24;
        check_value(weights, "vocab_size", config_.vocab_size, 1, kLimit);
        check_value(weights, "hidden_size", config_.hidden_size, 1, 65536);
        check_value(weights, "layers", config_.layers, 1, 1024);
        check_value(weights, "heads", config_.heads, 1, config_.hidden_size);
        check_value(weights, "hidden_size modulo heads", config_.hidden_size % config_.heads, 0, 0);
        check_value(weights, "intermediate_size", config_.intermediate_size, 1, kLimit);
        check_value(weights, "max_positions", config_.max_positions, 1, kLimit);
        check_value(weights, "type_vocab_size", config_.type_vocab_size, 1, kLimit);
    }

    void check_batch(const TokenBatch& batch, std::size_t out_size) const {
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
        if (out_size != (offsets.size() - 1) * hidden()) {
            fail(Code::kInvalidArgument, "room for ", out_size, " values, ", offsets.size() - 1, " texts of ", hidden(),
                 " dimensions need ", (offsets.size() - 1) * hidden());
        }
        check_ids(batch.ids, config_.vocab_size, "token id");
        check_ids(batch.type_ids, config_.type_vocab_size, "type id");
    }

    BertLayer load_layer(const std::string& prefix) const {
        const std::int64_t width = config_.hidden_size;
        const std::int64_t inner = config_.intermediate_size;
        auto linear = [&](std::initializer_list<const char*> modules, std::int64_t rows, std::int64_t inputs) {
            LinearSpec spec{{}, inputs, true};
            for (const char* module : modules) {
                spec.parts.push_back({prefix + module, rows, 0});
            }
            return Linear(source, std::move(spec), precision);
        };
        return {linear({"attention.self.query", "attention.self.key", "attention.self.value"}, width, width),
                linear({"attention.output.dense"}, width, width),
                LayerNorm(*source, prefix + "attention.output.LayerNorm", width, config_.layer_norm_eps),
                linear({"intermediate.dense"}, inner, width),
                linear({"output.dense"}, width, inner),
                LayerNorm(*source, prefix + "output.LayerNorm", width, config_.layer_norm_eps)};
    }

    at::Tensor embed(const TokenBatch& batch, std::span<const std::int64_t> offsets) const {
        const auto begin = static_cast<std::size_t>(offsets.front());
        const auto tokens = static_cast<std::size_t>(offsets.back()) - begin;
        std::vector<std::int32_t> types(tokens, 0);
        if (!batch.type_ids.empty()) {
            std::copy_n(batch.type_ids.begin() + static_cast<std::ptrdiff_t>(begin), tokens, types.begin());
        }
        std::vector<std::int32_t> positions;
        positions.reserve(tokens);
        for (std::size_t text = 0; text + 1 < offsets.size(); ++text) {
            for (std::int64_t i = 0; i < offsets[text + 1] - offsets[text]; ++i) {
                positions.push_back(static_cast<std::int32_t>(i));
            }
        }
        at::Tensor x = at::empty({static_cast<std::int64_t>(tokens), config_.hidden_size}, at::kFloat);
        words_.lookup(batch.ids.subspan(begin, tokens), x);
        types_.lookup(types, x, true);
        positions_.lookup(positions, x, true);
        return embedding_norm_.run(x);
    }

    void encode_group(const TokenBatch& batch, std::span<const std::int64_t> offsets, float* out, const HostCall& call) const {
        at::Tensor x = embed(batch, offsets);  // [tokens, hidden]
        for (const BertLayer& layer : layers_) {
            poll(call);
            const at::Tensor attended = attend_texts(layer.qkv.run(x), offsets, config_.heads);
            x = layer.attention_norm.run(layer.attention_output.run(attended).add_(x));
            at::Tensor inner = layer.intermediate.run(x);
            apply_activation(config_.activation, inner);
            x = layer.output_norm.run(layer.output.run(inner).add_(x));
        }
        for (std::size_t text = 0; text + 1 < offsets.size(); ++text) {
            const float* rows = x.const_data_ptr<float>() + (offsets[text] - offsets[0]) * config_.hidden_size;
            pool(config_.pooling, rows, offsets[text + 1] - offsets[text], config_.hidden_size, out + text * hidden());
        }
    }

    std::vector<Linear*> linears() override {
        std::vector<Linear*> all;
        for (BertLayer& layer : layers_) {
            all.insert(all.end(), {&layer.qkv, &layer.attention_output, &layer.intermediate, &layer.output});
        }
        return all;
    }

    std::span<const std::string_view> unused_modules() const override {
        static constexpr std::string_view kUnused[] = {"pooler.dense"};  // BertModel's head for next-sentence prediction
        return kUnused;
    }

    std::uint64_t count_bytes() const override {
        std::uint64_t total = words_.size_bytes() + positions_.size_bytes() + types_.size_bytes() + embedding_norm_.size_bytes();
        for (const BertLayer& layer : layers_) {
            for (const Linear* linear : {&layer.qkv, &layer.attention_output, &layer.intermediate, &layer.output}) {
                total += linear->packed().size_bytes();
            }
            total += layer.attention_norm.size_bytes() + layer.output_norm.size_bytes();
        }
        return total;
    }

    const EncoderConfig config_;
    Embedding words_;
    Embedding positions_;
    Embedding types_;
    LayerNorm embedding_norm_;
    std::vector<BertLayer> layers_;
};

class BertEncoder : public CoreModel<BackendEncoder, Bert> {
  public:
    using CoreModel::CoreModel;

    BackendStatus encode(const TokenBatch& batch, std::span<float> out, const HostCall& call) noexcept override {
        return core_->worker.run([&] { core_->encode(batch, out, call); });
    }
};

}  // namespace

BackendStatus load_bert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                        std::unique_ptr<BackendEncoder>& out) noexcept {
    return guarded([&] {
        auto core = std::make_shared<Bert>(config, weights, options);
        BackendStatus status = core->worker.run([&] { core->load(); });
        if (!status.ok()) {
            throw BackendError(static_cast<Code>(status.code), status.text);
        }
        out = std::make_unique<BertEncoder>(std::move(core));
    });
}

}  // namespace rag::core::libtorch
