#include "libtorch/train/model_trainer.hpp"

#include "libtorch/arch/decoder_body.hpp"
#include "libtorch/losses/token_loss.hpp"
#include "libtorch/optimizers/adamw.hpp"
#include "libtorch/train/buffer_pool.hpp"
#include "libtorch/train/trained_body.hpp"
#include "libtorch/train/trained_pooling.hpp"
#include "libtorch/worker.hpp"

#include <c10/core/InferenceMode.h>

namespace rag::core::libtorch {
namespace {

void check_options(const TrainerOptions& options) {
    const auto share = [](float value) { return value >= 0.0F && value < 1.0F; };
    if (!share(options.dropout) || !share(options.pair_dropout)) {
        fail(Code::kInvalidArgument, "dropout ", options.dropout, " and ", options.pair_dropout, " (allowed: 0 to less than 1)");
    }
    if (options.precision == Precision::kFloat16) {
        fail(Code::kUnsupported, "training in float16 is not supported; bfloat16 and float32 are");
    }
}

constexpr std::int64_t kLeastRows = 64;

// Numbers of rows that batches are rounded up to: multiples of an eighth of a power of two.
std::int64_t rounded_rows(std::int64_t rows) {
    std::int64_t grain = kLeastRows;
    while (grain * 16 <= rows) {
        grain *= 2;
    }
    return (rows + grain - 1) / grain * grain;
}

// A batch and behind it texts that nobody asks for, so that its rows are one of few numbers: oneDNN makes a program for every
// number of rows, which takes longer than running it, and keeps a thousand of them, a megabyte each. Their gradients are zeros.
class RoundedBatch {
  public:
    RoundedBatch(const TokenBatch& batch, at::ScalarType type, std::int64_t max_tokens) : batch_(batch) {
        const auto rows = static_cast<std::int64_t>(batch.ids.size());
        std::int64_t missing = type == at::kFloat ? 0 : rounded_rows(rows) - rows;
        if (missing == 0) {
            return;
        }
        ids_.assign(batch.ids.begin(), batch.ids.end());
        types_.assign(batch.type_ids.begin(), batch.type_ids.end());
        offsets_.assign(batch.offsets.begin(), batch.offsets.end());
        ids_.resize(ids_.size() + static_cast<std::size_t>(missing), batch.ids.front());
        types_.resize(batch.type_ids.empty() ? 0 : ids_.size(), 0);
        for (; missing > 0; missing -= std::min(missing, max_tokens)) {
            offsets_.push_back(offsets_.back() + std::min(missing, max_tokens));
        }
        batch_ = {ids_, types_, offsets_, batch.unpooled};
    }
    RoundedBatch(const RoundedBatch&) = delete;
    RoundedBatch& operator=(const RoundedBatch&) = delete;
    const TokenBatch& view() const noexcept { return batch_; }

  private:
    TokenBatch batch_;
    std::vector<std::int32_t> ids_, types_;
    std::vector<std::int64_t> offsets_;
};

// What encoders and decoders have in common.
class ModelTrainer : public BackendTrainer {
  public:
    ModelTrainer(const Weights& weights, std::string_view prefix, const TrainerOptions& options)
        : source_(std::make_shared<WeightSource>(weights, prefix)), options_(options), worker_(options.threads) {}

    std::vector<TrainedTensor> tensors() const override {
        std::vector<TrainedTensor> out;
        for (const ParameterPtr& parameter : set_->trained()) {
            out.push_back({parameter->name(), parameter->value().sizes().vec()});
        }
        return out;
    }

    BackendStatus read(std::size_t index, TrainedPart part, std::span<float> out) noexcept override {
        return run([&] {
            pool_.give_back();  // who reads saves, and needs memory for it
            const at::Tensor values = part_of(index, part, out.size()).contiguous();
            std::copy_n(values.const_data_ptr<float>(), out.size(), out.data());
        });
    }

    BackendStatus write(std::size_t index, TrainedPart part, std::span<const float> values) noexcept override {
        return run([&] {
            if (part == TrainedPart::kGradient) {
                fail(Code::kInvalidArgument, "gradients are not written");
            }
            at::Tensor to = part_of(index, part, values.size());
            std::copy(values.begin(), values.end(), to.mutable_data_ptr<float>());
            set_->trained()[index]->changed();
        });
    }

    std::uint64_t state_bytes() const noexcept override { return state_bytes_; }

    BackendStatus backward(std::span<const float> gradient, const HostCall& call) noexcept override {
        return run(
            [&] {
                if (!kept_.defined()) {
                    fail(Code::kInvalidState, "backward without a forward pass that was kept");
                }
                const at::Tensor out = std::exchange(kept_, at::Tensor());
                if (gradient.size() != static_cast<std::size_t>(out.numel())) {
                    fail(Code::kInvalidArgument, gradient.size(), " gradients for ", out.numel(), " outputs");
                }
                poll(call);
                at::Tensor values = at::empty(out.sizes(), at::kFloat);
                std::copy(gradient.begin(), gradient.end(), values.mutable_data_ptr<float>());
                run_backward(out, values);
            },
            kept_rows_);
    }

    BackendStatus token_loss(const TokenBatch& batch, const TokenTargets& targets, double scale, const ForwardOptions& options,
                             TokenLoss& loss, const HostCall& call) noexcept override {
        return run(
            [&] {
                loss = {};
                const std::vector<std::int64_t> asked = check_targets(batch, targets);
                if (asked.empty()) {
                    return;
                }
                const at::AutoGradMode recording(options.keep);
                const RoundedBatch rounded(batch, set_->type(), max_tokens());
                const at::Tensor hidden = body_->run(rounded.view(), pass(options, call), anchor_);
                const at::Tensor rows = at::index_select(hidden, 0, index_tensor(std::span<const std::int64_t>(asked)));
                const at::Tensor inputs = output_inputs(rows);
                std::vector<std::int64_t> wanted;
                for (const std::int64_t row : asked) {
                    wanted.push_back(targets.targets[static_cast<std::size_t>(row)]);
                }
                const at::Tensor gradient =
                    libtorch::token_loss(output_layer(), inputs.detach(), wanted, targets, scale, options.keep, loss);
                if (options.keep) {
                    run_backward(inputs, gradient);
                }
            },
            batch.ids.size());
    }

    BackendStatus clear_gradients() noexcept override {
        return run([&] {
            kept_ = at::Tensor();
            for (const ParameterPtr& parameter : set_->trained()) {
                parameter->clear_gradient();
            }
        });
    }

    BackendStatus step(const OptimizerStep& step, double& norm) noexcept override {
        return run([&] {
            norm = gradient_norm(set_->trained());
            if (std::isfinite(norm)) {
                adamw_step(set_->trained(), step, norm);
            }
            state_bytes_ = set_->size_bytes();
            pool_.end_step();
        });
    }

  protected:
    /// On the worker, once: makes the layers.
    virtual void make_layers() = 0;
    /// What the output layer reads of hidden states.
    virtual at::Tensor output_inputs(const at::Tensor& rows) const { return rows; }
    virtual OutputLayer output_layer() const = 0;
    virtual std::int64_t vocab_size() const = 0;
    virtual std::int64_t max_tokens() const = 0;

    /// `job` on the worker, with autograd. `rows` go through the layers: what threads are worth waking for.
    BackendStatus run(const std::function<void()>& job, std::size_t rows = 1) noexcept {
        return worker_.run([&] {
            // Forward, and twice as much back.
            worker_.size_team(set_ == nullptr ? 0 : 3 * set_->weights() * static_cast<std::int64_t>(rows));
            const c10::InferenceMode off(false);
            const BufferPool::Use use(pool_);
            job();
        });
    }

    PassOptions pass(const ForwardOptions& options, const HostCall& call) const {
        PassOptions out;
        out.call = &call;
        out.dropout = options.training ? options_.dropout : 0.0F;
        out.pair_dropout = options.training ? options_.pair_dropout : 0.0F;
        out.seed = options.seed;
        out.recompute_layers = options_.recompute_layers;
        return out;
    }

    void check_batch(const TokenBatch& batch) const {
        const auto& offsets = batch.offsets;
        if (offsets.size() < 2 || offsets.front() != 0 || offsets.back() != static_cast<std::int64_t>(batch.ids.size())) {
            fail(Code::kInvalidArgument, "the offsets do not span the ", batch.ids.size(), " ids");
        }
        for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
            const std::int64_t tokens = offsets[i + 1] - offsets[i];
            if (tokens < 1 || tokens > max_tokens()) {
                fail(Code::kInvalidArgument, "text ", i, " has ", tokens, " tokens (allowed: 1..", max_tokens(), ")");
            }
        }
        if (!batch.type_ids.empty() && batch.type_ids.size() != batch.ids.size()) {
            fail(Code::kInvalidArgument, batch.type_ids.size(), " type ids for ", batch.ids.size(), " ids");
        }
        if (batch.unpooled < 0) {
            fail(Code::kInvalidArgument, batch.unpooled, " tokens are to have no part in the pooling");
        }
        check_ids(batch.ids, vocab_size(), "token id");
    }

    std::shared_ptr<const WeightSource> source_;
    const TrainerOptions options_;
    std::unique_ptr<ParameterSet> set_;
    std::unique_ptr<TrainedBody> body_;
    at::Tensor anchor_;
    at::Tensor kept_;  // the output of a pass that backward() needs
    std::size_t kept_rows_ = 1;
    std::uint64_t state_bytes_ = 0;

  private:
    template <typename Trainer, typename Config>
    friend BackendStatus load_trainer(const Config& config, const Weights& weights, const TrainerOptions& options,
                                      std::unique_ptr<BackendTrainer>& out) noexcept;

    void load() {
        set_ = std::make_unique<ParameterSet>(source_, options_);
        anchor_ = at::zeros({}, at::kFloat).requires_grad_(true);
        make_layers();
        set_->finish();
        state_bytes_ = set_->size_bytes();
    }

    at::Tensor part_of(std::size_t index, TrainedPart part, std::size_t count) {
        if (index >= set_->trained().size()) {
            fail(Code::kInvalidArgument, "tensor ", index, " is asked for, ", set_->trained().size(), " are trained");
        }
        Parameter& parameter = *set_->trained()[index];
        at::Tensor values = parameter.value();
        if (part == TrainedPart::kFirstMoment) {
            values = parameter.first_moment();
        } else if (part == TrainedPart::kSecondMoment) {
            values = parameter.second_moment();
        } else if (part == TrainedPart::kGradient) {
            values = parameter.gradient().defined() ? parameter.gradient() : at::zeros(values.sizes(), at::kFloat);
        }
        if (count != static_cast<std::size_t>(values.numel())) {
            fail(Code::kInvalidArgument, count, " values for tensor ", quote(parameter.name()), " of shape ",
                 shape_text(values.sizes()));
        }
        return values;
    }

    // The rows that are asked.
    std::vector<std::int64_t> check_targets(const TokenBatch& batch, const TokenTargets& targets) const {
        check_batch(batch);
        if (targets.targets.size() != batch.ids.size()) {
            fail(Code::kInvalidArgument, targets.targets.size(), " targets for ", batch.ids.size(), " ids");
        }
        std::vector<std::int64_t> asked;
        for (std::size_t i = 0; i < targets.targets.size(); ++i) {
            if (targets.targets[i] >= vocab_size()) {
                fail(Code::kInvalidArgument, "target ", i, " is ", targets.targets[i], " (the vocabulary has ", vocab_size(),
                     ")");
            }
            if (targets.targets[i] >= 0) {
                asked.push_back(static_cast<std::int64_t>(i));
            }
        }
        const std::size_t logits = asked.size() * static_cast<std::size_t>(vocab_size());
        if (!targets.teacher.empty() && targets.teacher.size() != logits) {
            fail(Code::kInvalidArgument, targets.teacher.size(), " logits of a teacher, ", asked.size(), " positions of ",
                 vocab_size(), " take ", logits);
        }
        if (!(targets.temperature > 0.0F) || !(targets.teacher_weight >= 0.0F && targets.teacher_weight <= 1.0F)) {
            fail(Code::kInvalidArgument, "temperature ", targets.temperature, " and a teacher's weight of ",
                 targets.teacher_weight);
        }
        return asked;
    }

    BufferPool pool_;
    Worker worker_;
};

class EncoderTrainer : public ModelTrainer {
  public:
    EncoderTrainer(const EncoderConfig& config, const Weights& weights, const TrainerOptions& options)
        : ModelTrainer(weights, encoder_prefix(config), options), config_(config) {}

    BackendStatus forward(const TokenBatch& batch, const ForwardOptions& options, std::span<float> out,
                          const HostCall& call) noexcept override {
        return run(
            [&] {
                check_batch(batch);
                check_ids(batch.type_ids, std::max<std::int64_t>(config_.type_vocab_size, 1), "type id");
                const std::size_t needed = (batch.offsets.size() - 1) * static_cast<std::size_t>(config_.outputs());
                if (out.size() != needed) {
                    fail(Code::kInvalidArgument, "room for ", out.size(), " values, expected ", needed);
                }
                const at::AutoGradMode recording(options.keep);
                const Dropout none(0.0, 0);
                const RoundedBatch rounded(batch, set_->type(), config_.max_positions);
                at::Tensor x = pool_texts(config_.pooling, batch, body_->run(rounded.view(), pass(options, call), anchor_));
                for (const Stage& stage : stages_) {
                    // The first stage's inputs are dropped as transformers does before a classifier.
                    x = activate(stage.activation, stage.linear.run(x.to(set_->type()), none).to(at::kFloat));
                    if (stage.norm) {
                        x = stage.norm->run(x);
                    }
                }
                const at::Tensor values = x.detach().contiguous();
                std::copy_n(values.const_data_ptr<float>(), out.size(), out.data());
                if (options.keep) {
                    kept_ = x;
                    kept_rows_ = batch.ids.size();
                }
            },
            batch.ids.size());
    }

  private:
    struct Stage {
        TrainedLinear linear;
        Activation activation;
        std::optional<TrainedLayerNorm> norm;
    };

    void make_layers() override {
        body_ = make_encoder_body(config_, *set_);
        std::int64_t inputs = config_.hidden_size * static_cast<std::int64_t>(config_.pooling.size());
        for (const EncoderStage& stage : config_.stages) {
            Stage& made = stages_.emplace_back(
                Stage{TrainedLinear(*set_, stage.module, stage.outputs, inputs, stage.bias), stage.activation, std::nullopt});
            if (!stage.norm.empty()) {
                made.norm = TrainedLayerNorm(*set_, stage.norm, stage.outputs, config_.stage_norm_eps,
                                             source_->has(stage.norm + ".bias"));
            }
            inputs = stage.outputs;
        }
        const TokenHead& head = options_.token_head;
        if (!head.dense.empty()) {
            head_dense_ = {*set_, head.dense, config_.hidden_size, config_.hidden_size, true};
            head_norm_ = {*set_, head.norm, config_.hidden_size, config_.layer_norm_eps};
            head_bias_ = set_->vector(head.bias, config_.vocab_size);
        }
    }

    at::Tensor output_inputs(const at::Tensor& rows) const override {
        if (head_bias_ == nullptr) {
            fail(Code::kInvalidState, quote(source_->source()), " was opened without a head that fills in tokens");
        }
        const Dropout none(0.0, 0);
        return head_norm_.run(
            activate(options_.token_head.activation, head_dense_.run(rows.to(set_->type()), none)).to(at::kFloat));
    }
    OutputLayer output_layer() const override { return {body_->words(), head_bias_, 0.0}; }
    std::int64_t vocab_size() const override { return config_.vocab_size; }
    std::int64_t max_tokens() const override { return config_.max_positions; }

    const EncoderConfig config_;
    std::vector<Stage> stages_;
    TrainedLinear head_dense_;
    TrainedLayerNorm head_norm_;
    ParameterPtr head_bias_;
};

class DecoderTrainer : public ModelTrainer {
  public:
    DecoderTrainer(const DecoderConfig& config, const Weights& weights, const TrainerOptions& options)
        : ModelTrainer(weights, "", options), config_(config) {
        check_decoder_config(config, weights);
    }

    BackendStatus forward(const TokenBatch&, const ForwardOptions&, std::span<float>, const HostCall&) noexcept override {
        return guarded([&] { fail(Code::kUnsupported, "a decoder gives no vectors of texts"); });
    }

  private:
    void make_layers() override {
        body_ = make_decoder_body(config_, *set_);
        if (!config_.tied_embeddings) {
            head_ = set_->table("lm_head.weight", config_.vocab_size, config_.hidden_size);
        }
    }
    OutputLayer output_layer() const override {
        return {head_ != nullptr ? head_ : body_->words(), nullptr, config_.logit_softcap};
    }
    std::int64_t vocab_size() const override { return config_.vocab_size; }
    std::int64_t max_tokens() const override { return config_.context_length; }

    const DecoderConfig config_;
    ParameterPtr head_;
};

template <typename Trainer, typename Config>
BackendStatus load_trainer(const Config& config, const Weights& weights, const TrainerOptions& options,
                           std::unique_ptr<BackendTrainer>& out) noexcept {
    out.reset();
    return guarded([&] {
        check_options(options);
        auto trainer = std::make_unique<Trainer>(config, weights, options);
        ModelTrainer& made = *trainer;
        const BackendStatus status = made.run([&] { made.load(); });
        if (!status.ok()) {
            throw BackendError(static_cast<Code>(status.code), status.text);
        }
        out = std::move(trainer);
    });
}

}  // namespace

BackendStatus load_encoder_trainer(const EncoderConfig& config, const Weights& weights, const TrainerOptions& options,
                                   std::unique_ptr<BackendTrainer>& out) noexcept {
    return load_trainer<EncoderTrainer>(config, weights, options, out);
}

BackendStatus load_decoder_trainer(const DecoderConfig& config, const Weights& weights, const TrainerOptions& options,
                                   std::unique_ptr<BackendTrainer>& out) noexcept {
    return load_trainer<DecoderTrainer>(config, weights, options, out);
}

}  // namespace rag::core::libtorch
